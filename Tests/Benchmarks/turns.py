"""The two ways to a turn that are compared: asking a bridge over HTTP, and driving `codex app-server` directly.

Both are asyncio and standard library, run in the same process after each other, and check each token.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from bench import KEY, WrongResult

Json = dict[str, Any]

# As Sources/Bridge/Engine/Codex/ChildCommand.swift, CodexPayload.swift and Methods.swift have them.
SWITCHES = [
    "thread_unload_delay_secs=0",
    "features.shell_snapshot=false",
    "shell_environment_policy.ignore_default_excludes=false",
]
# What the driver says in `thread/start` is a switch of `codex exec`.
EXEC_SWITCHES = [*SWITCHES, 'web_search="disabled"']
UNWANTED = [
    "thread/started",
    "thread/status/changed",
    "thread/settings/updated",
    "turn/started",
    "turn/diff/updated",
    "remoteControl/status/changed",
    "skills/changed",
    "thread/readState/changed",
    "thread/reverted",
]


def config_words(switches: list[str]) -> list[str]:
    return [word for switch in switches for word in ("-c", switch)]


@dataclass
class Timing:
    """Seconds from the request on."""

    first: float
    whole: float


def check(pieces: list[str], tokens: int, who: str) -> None:
    if "".join(pieces) != "".join(f"t{index} " for index in range(tokens)):
        raise WrongResult(f"{who}: not the {tokens} tokens: {''.join(pieces)[:200]!r}")


def delta(event: Json) -> Json:
    """What a chunk of `/v1/chat/completions` adds to the message."""
    choices = event.get("choices") or [{}]
    return choices[0].get("delta") or {}


class HTTPClient:
    """One kept connection to a bridge."""

    def __init__(
        self,
        port: int,
        name: str,
        base: str = "/v1",
        model: str = "gpt-5.5",
        system: str | None = None,
    ) -> None:
        """`base` is the path of the base URL, `system` the system prompt of every request."""
        self.port = port
        self.name = name
        self.base = base
        self.model = model
        self.system = system
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def turn(self, text: str, tokens: int) -> Timing:
        messages = [{"role": "user", "content": text}]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        request = self.request({"messages": messages})
        await self.connect()
        began = time.perf_counter()
        pieces: list[str] = []
        first = 0.0
        async for event in self.events(request):
            piece = delta(event).get("content")
            if piece:
                first = first or time.perf_counter() - began
                pieces.append(piece)
        whole = time.perf_counter() - began
        check(pieces, tokens, self.name)
        return Timing(first, whole)

    def request(self, fields: Json) -> bytes:
        """One that is streamed, with these fields."""
        body = json.dumps({"model": self.model, "stream": True} | fields).encode()
        head = (
            f"POST {self.base}/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def connect(self) -> None:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port
            )

    async def events(self, request: bytes) -> AsyncIterator[Json]:
        """Sends a request; gives the chunks of its answer as they come."""
        assert self.reader is not None and self.writer is not None
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise WrongResult(f"{self.name}: {head[:200]!r}")
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            chunk = await self.reader.readexactly(size + 2)
            if size == 0:
                return
            for line in chunk.split(b"\n"):
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


@dataclass
class DirectTurn:
    began: float
    ended: asyncio.Future[float]
    first: float = 0.0
    pieces: list[str] = field(default_factory=list)


class DirectDriver:
    """A script's way: one `codex app-server`, a thread of its own for each turn."""

    def __init__(
        self,
        codex: str,
        directory: str,
        environment: dict[str, str],
        switches: list[str] = SWITCHES,
        thread: Json | None = None,
    ) -> None:
        """`thread` holds parameters of `thread/start` that replace the usual ones."""
        self.codex = codex
        self.directory = directory
        self.environment = environment
        self.switches = switches
        self.thread = {
            "cwd": directory,
            "sandbox": "read-only",
            "approvalPolicy": "never",
            "model": "gpt-5.5",
            "config": {"web_search": "disabled"},
        } | (thread or {})
        self.answers: dict[int, asyncio.Future[Json]] = {}
        self.turns: dict[str, DirectTurn] = {}
        self.next_id = 0

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            self.codex,
            *config_words(self.switches),
            "app-server",
            cwd=self.directory,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 26,
        )
        self.reading = asyncio.create_task(self.read())
        await self.call(
            "initialize",
            clientInfo={"name": "direct", "title": "Direct", "version": "1"},
            capabilities={
                "experimentalApi": True,
                "optOutNotificationMethods": UNWANTED,
            },
        )
        self.send({"method": "initialized"})

    def send(self, message: Json) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(
            json.dumps(message, separators=(",", ":")).encode() + b"\n"
        )

    def call(self, method: str, **params: Any) -> asyncio.Future[Json]:
        self.next_id += 1
        answer = asyncio.get_running_loop().create_future()
        self.answers[self.next_id] = answer
        self.send({"id": self.next_id, "method": method, "params": params})
        return answer

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if "method" not in message:
                answer = self.answers.pop(message["id"])
                if "error" in message:
                    answer.set_exception(WrongResult(f"direct: {message['error']}"))
                else:
                    answer.set_result(message["result"])
                continue
            turn = self.turns.get(message.get("params", {}).get("threadId", ""))
            if turn is not None:
                self.take(message, turn)

    def take(self, message: Json, turn: DirectTurn) -> None:
        """What Codex tells of a turn, or asks in it."""
        if message["method"] == "item/agentMessage/delta":
            turn.first = turn.first or time.perf_counter() - turn.began
            turn.pieces.append(message["params"]["delta"])
        elif message["method"] == "turn/completed":
            turn.ended.set_result(time.perf_counter() - turn.began)

    async def start_thread(self, ephemeral: bool) -> str:
        started = await self.call("thread/start", **self.thread, ephemeral=ephemeral)
        return str(started["thread"]["id"])

    async def turn(self, text: str, tokens: int) -> Timing:
        """One that stands alone: its thread is started for it and let go of."""
        began = time.perf_counter()
        thread = await self.start_thread(ephemeral=True)
        timing = await self.turn_of(thread, text, tokens, began)
        self.let_go(thread)
        return timing

    def let_go(self, thread: str) -> None:
        """Has a thread unloaded, without waiting for it."""
        self.call("thread/unsubscribe", threadId=thread).add_done_callback(
            lambda done: done.exception()
        )

    async def turn_of(
        self, thread: str, text: str, tokens: int, began: float | None = None
    ) -> Timing:
        turn = DirectTurn(
            began or time.perf_counter(), asyncio.get_running_loop().create_future()
        )
        self.turns[thread] = turn
        content = [{"type": "text", "text": text}]
        await self.call("turn/start", threadId=thread, input=content, summary="auto")
        whole = await turn.ended
        del self.turns[thread]
        check(turn.pieces, tokens, "direct")
        return Timing(turn.first, whole)

    async def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()
        self.reading.cancel()


def exec_words(codex: str, text: str, switches: list[str]) -> list[str]:
    words = ["exec", "--json", "--skip-git-repo-check", "--sandbox", "read-only"]
    return [codex, *config_words(switches), *words, text]


async def exec_turn(
    codex: str,
    directory: str,
    environment: dict[str, str],
    text: str,
    tokens: int,
    switches: list[str],
) -> Timing:
    """A process for each turn, as the original project has it. Its text comes whole."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *exec_words(codex, text, switches),
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    pieces: list[str] = []
    first = 0.0
    while line := await process.stdout.readline():
        item = json.loads(line).get("item") or {}
        if item.get("type") == "agent_message":
            first = first or time.perf_counter() - began
            pieces = [item["text"]]
    await process.wait()
    check(pieces, tokens, "codex exec")
    return Timing(first, time.perf_counter() - began)
