"""A stand-in for the model: as much of OpenAI's Responses API as Codex needs, in a process of its own.

`bench tokens=N gap=MS` in the last user text says how many tokens it answers and how many milliseconds it takes for
each. With `call=NAME` behind it, it calls that function of the client first, and answers once the output is there.
`GET /bytes` tells how long the body of the last request was. Prints its port. Standard library only.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re

DIRECTIVE = re.compile(rb"bench tokens=(\d+) gap=(\d+)(?: call=(\w+))?")
# The namespace in which Codex is told of the client's functions, by the bridge and by the script beside it.
NAMESPACE = "client"
numbers = itertools.count()
last_request_bytes = 0


def event(kind: str, **members: object) -> bytes:
    text = json.dumps({"type": kind, **members}, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()


def message(item: str, text: str) -> dict[str, object]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"type": "message", "id": item, "role": "assistant", "content": content}


def function_call(name: str, number: int) -> dict[str, object]:
    return {
        "type": "function_call",
        "id": f"fc_{number:048x}",
        "call_id": f"call_{number}",
        "namespace": NAMESPACE,
        "name": name,
        "arguments": '{"word":"bridge"}',
    }


async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    found = list(DIRECTIVE.finditer(body))
    tokens, gap = (
        (int(number) for number in found[-1].groups()[:2]) if found else (5, 0)
    )
    called = found[-1][3] if found else None
    number = next(numbers)
    response = f"resp_{number}"
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        + event("response.created", response={"id": response})
    )
    if called and b'"function_call_output"' not in body[found[-1].end() :]:
        item = function_call(called.decode(), number)
        writer.write(
            event("response.output_item.added", item=item | {"arguments": ""})
            + event("response.output_item.done", item=item)
        )
    else:
        await write_text(writer, f"msg_{number:048x}", tokens, gap)
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10 + tokens,
    }
    writer.write(
        event(
            "response.completed",
            response={"id": response, "status": "completed", "usage": usage},
        )
    )
    await writer.drain()


async def write_text(
    writer: asyncio.StreamWriter, item: str, tokens: int, gap: int
) -> None:
    writer.write(event("response.output_item.added", item=message(item, "")))
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
    text = "".join(f"t{index} " for index in range(tokens))
    writer.write(event("response.output_item.done", item=message(item, text)))


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
