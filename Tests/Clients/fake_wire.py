"""The fake engine's side of the pipe: lines in and out, answers, questions (see fake_codex.py)."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from fake_thread import RPCError, Thread

if TYPE_CHECKING:
    from fake_turn import Turn

Json = dict[str, Any]


class Wire:
    """What goes over stdin and stdout."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options
        self.threads: dict[str, Thread] = {}
        self.subscribed: set[str] = set()
        self.opted_out: set[str] = set()
        self.initialized = False
        self.next_request_id = 0
        self.waiting: dict[int, asyncio.Future[Json]] = {}
        self.answered = 0
        self.out: asyncio.WriteTransport | None = None

    async def request(self, request_id: Any, method: str, params: Json | None) -> None:
        raise NotImplementedError

    # -- bytes

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 30)
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        self.out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
        limit = self.options.get("stop-reading")
        read = 0
        while True:
            if limit is not None and read >= int(limit or 2):
                await asyncio.Event().wait()
            line = await reader.readline()
            read += 1
            if not line.endswith(b"\n"):
                break  # End of input; as with the real one, a last line without its end is not executed.
            try:
                text = line.decode()
            except UnicodeDecodeError:
                print(
                    "Failed reading stdin: stream did not contain valid UTF-8",
                    file=sys.stderr,
                )
                break
            await self.receive(text)
        if "ignore-eof" in self.options:
            await asyncio.Event().wait()
        self.close_turns()
        return 0

    def close_turns(self) -> None:
        """Unlike a kill, an orderly end leaves its mark on turns whose calls are open."""
        for thread in self.threads.values():
            if thread.turn is not None and thread.turn.tools is not None:
                thread.turn.interrupt()

    def write_raw(self, data: bytes) -> None:
        assert self.out is not None
        self.out.write(data)

    def write(self, message: Json) -> None:
        if "garbage" in self.options:
            self.write_raw(b"\x1b[31mERROR\x1b[0m this is not JSON {\n")
        self.write_raw(
            json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
            + b"\n"
        )

    async def flush(self) -> None:
        """Waits until the pipe has taken everything written so far."""
        assert self.out is not None
        while self.out.get_write_buffer_size():
            await asyncio.sleep(0.005)

    # -- messages

    def notify(self, method: str, params: Json) -> None:
        if method in self.opted_out:
            return
        thread_id = params.get("threadId")
        listening = thread_id is None or thread_id in self.subscribed
        if not listening and method not in ("thread/status/changed", "thread/closed"):
            # An unsubscribed thread's turn goes on in silence.
            return
        self.write(
            {"method": method, "params": params, "emittedAtMs": int(time.time() * 1000)}
        )

    def answer(self, request_id: Any, result: Json) -> None:
        self.reply({"id": request_id, "result": result})

    def reply(self, message: Json) -> None:
        self.answered += 1
        if self.answered > int(self.options.get("silent-after", self.answered)):
            return
        if "shuffle" in self.options and self.initialized:
            delay = random.uniform(0, 0.05)
            asyncio.get_running_loop().call_later(delay, self.write, message)
        else:
            self.write(message)

    async def ask(self, method: str, params: Json, turn: Turn | None) -> Json:
        """Sends a request to the bridge and waits for the whole answer (`result` or `error`). That it is resolved is told
        for a `turn`; for calls of tools the real one does not."""
        request_id = self.next_request_id
        self.next_request_id += 1
        self.waiting[request_id] = asyncio.get_running_loop().create_future()
        self.write({"method": method, "id": request_id, "params": params})
        try:
            return await self.waiting[request_id]
        finally:
            self.waiting.pop(request_id, None)
            if turn is not None:
                turn.notify("serverRequest/resolved", requestId=request_id)

    async def receive(self, text: str) -> None:
        try:
            message = json.loads(text)
            # A lone surrogate is no text; the real one refuses the line.
            json.dumps(message, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            print(
                f"\x1b[31mERROR\x1b[0m failed to deserialize: {error}",
                file=sys.stderr,
                flush=True,
            )
            return
        if not isinstance(message, dict):
            print("\x1b[31mERROR\x1b[0m not an object", file=sys.stderr, flush=True)
            return
        if "method" not in message:
            future = self.waiting.get(message.get("id", -1))
            if future is not None and not future.done():
                future.set_result(message)
            return
        if "id" not in message:
            return
        try:
            await self.request(message["id"], message["method"], message.get("params"))
        except RPCError as error:
            # The real one writes `error` first at times; whoever reads must not depend on the order.
            self.reply({"error": error.body, "id": message["id"]})
