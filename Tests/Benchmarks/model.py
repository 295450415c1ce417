"""A stand-in for the model: as much of OpenAI's Responses API as Codex needs, in a process of its own.

`bench tokens=N gap=MS` in the last user text says how many tokens it answers and how many milliseconds it takes for
each. `GET /bytes` tells how long the body of the last request was. Prints its port. Standard library only.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re

DIRECTIVE = re.compile(rb"bench tokens=(\d+) gap=(\d+)")
numbers = itertools.count()
last_request_bytes = 0


def event(kind: str, **members: object) -> bytes:
    text = json.dumps({"type": kind, **members}, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()


def message(item: str, text: str) -> dict[str, object]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"type": "message", "id": item, "role": "assistant", "content": content}


async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    found = DIRECTIVE.findall(body)
    tokens, gap = (int(number) for number in found[-1]) if found else (5, 0)
    number = next(numbers)
    response, item = f"resp_{number}", f"msg_{number:048x}"
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        + event("response.created", response={"id": response})
        + event("response.output_item.added", item=message(item, ""))
    )
    for index in range(tokens):
        writer.write(
            event(
                "response.output_text.delta",
                item_id=item,
                output_index=0,
                content_index=0,
                delta=f"t{index} ",
            )
        )
        if gap:
            await asyncio.sleep(gap / 1000)
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10 + tokens,
    }
    text = "".join(f"t{index} " for index in range(tokens))
    writer.write(
        event("response.output_item.done", item=message(item, text))
        + event(
            "response.completed",
            response={"id": response, "status": "completed", "usage": usage},
        )
    )
    await writer.drain()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if head.startswith(b"POST /v1/responses "):
            global last_request_bytes
            last_request_bytes = len(body)
            await answer(writer, body)
        elif head.startswith(b"GET /bytes "):
            text = str(last_request_bytes).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                % (len(text), text)
            )
            await writer.drain()
        else:
            writer.write(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(
        f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        flush=True,
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
