"""A model on loopback that keeps what it is asked, and answers what the test has written down: for tests of the requests
that Codex sends upstream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness import Json


def says(text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "content": content}


def stops(text: str, rest: str, gate: threading.Event) -> Json:
    """A message of which only `text` comes before the gate is opened."""
    return {**says(text + rest), "first": text, "gate": gate}


def thinks(text: str) -> Json:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "summary": summary, "encrypted_content": "sealed"}


def calls(name: str, call_id: str, arguments: Json) -> Json:
    """A call of a client's function."""
    return {
        "type": "function_call",
        "namespace": "client",
        "name": name,
        "call_id": call_id,
        "arguments": json.dumps(arguments),
    }


def runs(command: str, call_id: str) -> Json:
    """A command that Codex runs itself."""
    return {
        "type": "function_call",
        "name": "exec_command",
        "call_id": call_id,
        "arguments": json.dumps({"cmd": command}),
    }


# How the messages begin that Codex adds itself.
OWN = ("<environment_context>", "# AGENTS.md", "<user_instructions>")


def said(request: Json) -> list[str]:
    """What the model is shown of a conversation: its texts, and the last lines of what calls have returned."""
    found = []
    for item in request["input"]:
        if item["type"] == "message" and item["role"] in ("user", "assistant"):
            text = "".join(part.get("text", "") for part in item["content"])
            if not text.startswith(OWN):
                found.append(f"{item['role']}: {text}")
        elif item["type"] == "function_call_output":
            found.append("output: " + str(item["output"]).strip().splitlines()[-1])
    return found


# What is sent, and what is waited for in between.
Pieces = list[bytes | threading.Event]


class RecordingModel:
    """Answers each request with the next of `answers`, which are items of the Responses API; when there is none left, with what
    `mind` makes of it, or `ok`."""

    def __init__(self) -> None:
        self.answers: list[Sequence[Json]] = []
        self.mind: Callable[[Json], Sequence[Json]] | None = None
        self.requests: list[Json] = []
        # Seconds before each answer, and before the next ones.
        self.pause = 0.0
        self.pauses: list[float] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> RecordingModel:  # noqa: PYI034 (Self needs Python 3.11)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: Json) -> Pieces:
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            items = self._answer(request)
        pieces: Pieces = [event("response.created", response={"id": f"resp_{number}"})]
        found = []
        for index, written in enumerate(items):
            item = {"id": f"item_{number}_{index}", "status": "completed", **written}
            first, gate = item.pop("first", ""), item.pop("gate", None)
            pieces.append(event("response.output_item.added", item=item))
            if gate:
                pieces += [event("response.output_text.delta", item_id=item["id"], delta=first), gate]
            pieces.append(event("response.output_item.done", item=item))
            found.append(item)
        usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        response = {"id": f"resp_{number}", "usage": usage, "output": found}
        pieces.append(event("response.completed", response=response))
        return pieces

    def _answer(self, request: Json) -> Sequence[Json]:
        if self.answers:
            return self.answers.pop(0)
        return self.mind(request) if self.mind else [says("ok")]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.send_error(404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                pieces = take(json.loads(body))
                time.sleep(model.pauses.pop(0) if model.pauses else model.pause)
                length = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(length))
                self.end_headers()
                # Whoever is interrupted leaves before the end.
                with suppress(ConnectionError):
                    for piece in pieces:
                        if isinstance(piece, bytes):
                            self.wfile.write(piece)
                        else:
                            piece.wait()

        return Handler


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
