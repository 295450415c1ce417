"""Bytes out, bytes in: requests that no client library would send, and what comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Answer, dict_of

FIXTURES = Path(__file__).resolve().parents[1] / "Fixtures"
Address = tuple[str, int]


@dataclass
class Exchange:
    """Everything a server sent on one connection."""

    received: bytes
    # Whether the server closed its side in the end, by itself.
    ended: bool

    def answers(
        self,
        *,
        heads: set[int] = frozenset(),  # type: ignore[assignment]
        simple: bool = False,
    ) -> list[Answer]:
        """The final answers; `heads` are the places of those that have no body. `simple` takes what has no head, as
        the last one of HTTP/0.9 may have, for an answer too."""
        found: list[Answer] = []
        rest = self.received
        while rest:
            if simple and not rest.startswith(b"HTTP/"):
                return [*found, Answer(200, dict_of([]), rest)]
            head, separator, rest = rest.partition(b"\r\n\r\n")
            assert separator, f"a head without an end: {head!r}"
            lines = head.decode("latin-1").split("\r\n")
            assert lines[0].startswith("HTTP/1.1 "), f"no status line: {lines[0]!r}"
            status = int(lines[0].split(" ")[1])
            pairs = [line.partition(":") for line in lines[1:]]
            headers = dict_of([(name, value.strip()) for name, _, value in pairs])
            if status < 200:
                continue
            length = 0
            body = b""
            if headers.get("transfer-encoding") == "chunked":
                body, rest = unchunked(rest)
            elif len(found) not in heads and status != 204:
                length = int(headers.get("content-length", len(rest)))
                assert len(rest) >= length, "a body that is cut short"
                body, rest = rest[:length], rest[length:]
            found.append(Answer(status, headers, body))
        return found


def unchunked(rest: bytes) -> tuple[bytes, bytes]:
    """The body, and what follows it."""
    body = b""
    while True:
        size, separator, rest = rest.partition(b"\r\n")
        assert separator, "a chunked body without an end"
        length = int(size, 16)
        body += rest[:length]
        assert rest[length : length + 2] == b"\r\n", "a chunk of the wrong length"
        rest = rest[length + 2 :]
        if length == 0:
            return body, rest


def exchange(address: Address, data: bytes, *, seconds: float = 20.0) -> Exchange:
    """Sends `data` on a connection of its own and reads until the server closes, or stays silent so long."""
    with socket.create_connection(address, timeout=seconds) as connection:
        received = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                received += piece
        except TimeoutError:
            return Exchange(received, ended=False)
        except ConnectionError:
            pass
        return Exchange(received, ended=True)


def wire_bytes(request: Any) -> bytes:
    """The bytes of a request as the fixtures write it: characters, or pieces that may be repeated."""
    if isinstance(request, list):
        return b"".join(wire_bytes(piece) for piece in request)
    if isinstance(request, dict):
        return wire_bytes(request["text"]) * int(request["times"])
    return str(request).encode("latin-1")


def fixture(name: str) -> dict[str, Any]:
    return dict(json.loads((FIXTURES / f"{name}.json").read_text()))


@dataclass
class Refused:
    name: str
    data: bytes
    status: int


def refused_requests() -> Iterator[Refused]:
    for group in fixture("refused-requests")["groups"]:
        before = wire_bytes(group["before"])
        for case in group["cases"]:
            yield Refused(
                f"{group['title']}: {case['name']}",
                before + wire_bytes(case["request"]),
                case["status"],
            )
