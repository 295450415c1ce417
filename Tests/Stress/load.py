"""Many clients in one process: asyncio on bare sockets, so that ten thousand of them cost little."""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import API_KEY, Answer, Bridge, dict_of, eventually, tokens

# Connections that are being opened at a time: fewer than any backlog.
OPENING_AT_ONCE = 200


def raise_descriptor_limit() -> int:
    """Each connection is a descriptor here too. Returns how many there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def chat_request(
    text: str, *, stream: bool = False, session: str | None = None
) -> bytes:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    if session is not None:
        body["session_id"] = session
    data = json.dumps(body).encode()
    return (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    ).encode() + data


class Client:
    """One connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, bridge: Bridge) -> Client:
        return cls(*await asyncio.open_connection(*bridge.address, limit=1 << 20))

    def close(self) -> None:
        self.writer.close()

    async def head(self) -> tuple[int, dict[str, str]]:
        data = await self.reader.readuntil(b"\r\n\r\n")
        lines = data.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines[1:] if line]
        headers = dict_of([(name, value.strip()) for name, _, value in pairs])
        return int(lines[0].split(" ")[1]), headers

    async def body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        pieces = []
        while size := int(await self.reader.readline(), 16):
            pieces.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readline()
        return b"".join(pieces)

    async def ask(self, request: bytes) -> Answer:
        self.writer.write(request)
        status, headers = await self.head()
        return Answer(status, headers, await self.body(headers))


async def ask(bridge: Bridge, request: bytes) -> Answer:
    client = await Client.connect(bridge)
    try:
        return await client.ask(request)
    finally:
        client.close()


async def connect_many(bridge: Bridge, count: int) -> list[Client]:
    clients: list[Client] = []
    while len(clients) < count:
        batch = min(OPENING_AT_ONCE, count - len(clients))
        clients += await asyncio.gather(*(Client.connect(bridge) for _ in range(batch)))
    return clients


def streamed_text(body: bytes) -> str:
    """The text of a stream that ended as it should; checks of its form are the business of Tests/Clients."""
    lines = [
        line[6:] for line in body.decode().split("\n") if line.startswith("data: ")
    ]
    assert lines, "an empty stream"
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    choices = [chunk["choices"][0] for chunk in chunks if chunk.get("choices")]
    assert choices, body[-500:]
    assert choices[-1]["finish_reason"] == "stop", body[-500:]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def resident_bytes(pid: int) -> int:
    return status_number(pid, "VmRSS") * 1024


def status_number(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {name} of {pid}")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def processor_seconds(pid: int) -> float:
    """User and system time of the process itself."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def process_state(pid: int) -> str | None:
    """The letter of `ps`: Z is a zombie. None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def has_ended(pid: int) -> bool:
    return process_state(pid) in (None, "Z")


def wait_for_end(pid: int) -> bool:
    """Whether a process that is no child of ours ends."""
    return eventually(lambda: has_ended(pid))


@dataclass
class NormalClient(AbstractContextManager["NormalClient"]):
    """Asks one question after the other from a thread of its own and expects the right answer to each."""

    bridge: Bridge
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> NormalClient:  # noqa: PYI034 (Self needs Python 3.11)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            started = time.monotonic()
            try:
                answer = self.bridge.chat(f"demo: tokens=3 id=n{number}", timeout=60)
                if answer.status != 200 or answer.text != "".join(
                    tokens(3, f"n{number}")
                ):
                    self.failures.append(f"{answer.status} {answer.body[:200]!r}")
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.seconds.append(time.monotonic() - started)
            time.sleep(0.02)

    def check(self, least: int = 3) -> None:
        assert self.failures == []
        assert len(self.seconds) >= least, "it was hardly ever served"


def unloaded(bridge: Bridge, count: int = 30) -> list[float]:
    """How long the same questions take when nobody else asks."""
    client = NormalClient(bridge)
    with client:
        while len(client.seconds) < count and not client.failures:
            time.sleep(0.01)
    client.check(count)
    return client.seconds


def ratio(loaded: list[float], before: list[float]) -> str:
    """Latency under load against latency without, both from this run."""
    middle = statistics.median(loaded) / statistics.median(before)
    slowest = max(loaded) / statistics.median(before)
    return (
        f"median {middle:.1f} x, slowest {slowest:.1f} x the unloaded median"
        f" ({statistics.median(before) * 1000:.1f} ms; {len(loaded)} answers)"
    )


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False
