"""Calls of tools in a turn of the fake engine: its client's functions and commands of its own (see fake_codex.py).

Everything here comes in the order and form of codex-cli 0.163.0: calls are known while the response runs, but one is
done after the other, and what they gave follows the response in the order of the calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fake_script import made_up
from fake_thread import new_id

if TYPE_CHECKING:
    from fake_turn import Turn

Json = dict[str, Any]

CLIENT = "client"
CANCELLED = "dynamic tool call was cancelled before receiving a response"
TURN_ABORTED = (
    "<turn_aborted>\nThe user interrupted the previous turn on purpose. Any running unified exec processes may still be"
    " running in the background. If any tools/commands were aborted, they may have partially executed.\n</turn_aborted>"
)


@dataclass
class Call:
    """One call; `command` is set for one of the engine's own."""

    id: str
    name: str
    namespace: str | None
    arguments: str
    command: str | None = None
    is_offered: bool = True
    # The item of a request that waits for its answer.
    open_item: Json | None = None
    output: Any = None


class ToolRound:
    """The calls of one response."""

    def __init__(self, turn: Turn, words: dict[str, str]) -> None:
        self.turn = turn
        self.words = words
        self.calls: list[Call] = []
        self.told = 0
        self.is_response_over = False
        self.started = time.time()
        self.asked = 0
        self.worker: asyncio.Task[None] | None = None
        self.wanted: asyncio.Queue[Call] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.failure: Exception | None = None
        self.is_aborted = False

    # -- while the response runs

    def add_command(self, command: str) -> None:
        arguments = json.dumps({"cmd": command}, separators=(",", ":"))
        self.add(Call(self.new_id(), "exec_command", None, arguments, command))

    def add_call(self, written: str, arguments: str | None) -> None:
        namespace, name, schema, is_offered = self.find(written)
        if arguments is None:
            arguments = json.dumps(made_up(schema or {"type": "object"}))
        self.add(Call(self.new_id(), name, namespace, arguments, is_offered=is_offered))

    def new_id(self) -> str:
        return self.words.get("call-id") or f"call_{new_id().replace('-', '')}"

    def add(self, call: Call) -> None:
        self.calls.append(call)
        namespace = {"namespace": call.namespace} if call.namespace else {}
        self.turn.record(
            {
                "type": "function_call",
                "id": f"fc_{new_id()}",
                "name": call.name,
                **namespace,
                "arguments": call.arguments,
                "call_id": call.id,
            }
        )
        if self.worker is None:
            self.worker = asyncio.get_running_loop().create_task(self.work())
        self.wanted.put_nowait(call)

    def find(self, written: str) -> tuple[str | None, str, Any, bool]:
        """Namespace, name, schema, and whether it was offered."""
        name = written.removeprefix(f"{CLIENT}/")
        offered: list[tuple[str | None, Json]] = []
        for tool in self.turn.thread.params.get("dynamicTools") or []:
            if tool.get("type") == "namespace":
                offered += [(tool["name"], inner) for inner in tool["tools"]]
            else:
                offered.append((None, tool))
        for namespace, tool in offered:
            if tool["name"] == name:
                return namespace, name, tool.get("inputSchema"), True
        has_client = any(namespace == CLIENT for namespace, _ in offered)
        return CLIENT if has_client or name != written else None, name, None, False

    async def end_response(self) -> None:
        """The response is over: tells what has come back, and waits for the rest."""
        self.is_response_over = True
        self.tell_outputs()
        while self.told < len(self.calls) or self.is_aborted:
            await self.changed.wait()
            self.changed.clear()
            if self.failure is not None:
                raise self.failure
        self.stop()

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.cancel()

    # -- one call after the other

    async def work(self) -> None:
        try:
            while True:
                await self.do(await self.wanted.get())
                if self.is_response_over:
                    self.tell_outputs()
                self.changed.set()
        except Exception as error:  # noqa: BLE001 (whatever it is, the turn fails with it)
            self.failure = error
            self.changed.set()

    async def do(self, call: Call) -> None:
        if call.command is not None:
            call.output = self.turn.command(call.command, call.id)
        else:
            await self.ask(call)

    async def ask(self, call: Call) -> None:
        if not call.is_offered and "ask-unoffered" not in self.words:
            call.output = f"unsupported call: {call.namespace or ''}{call.name}"
            return
        try:
            arguments = json.loads(call.arguments)
        except ValueError as error:
            call.output = f"failed to parse function arguments: {error}"
            return
        item = {
            "type": "dynamicToolCall",
            "id": call.id,
            "namespace": call.namespace,
            "tool": call.name,
            "arguments": arguments,
            "status": "inProgress",
            "contentItems": None,
            "success": None,
            "durationMs": None,
        }
        self.turn.item("started", item)
        call.open_item = item
        question = {
            **self.turn.address(),
            "callId": call.id,
            "namespace": call.namespace,
            "tool": call.name,
            "arguments": arguments,
        }
        asking = asyncio.ensure_future(
            self.turn.server.ask("item/tool/call", question, None)
        )
        try:
            await self.die_if_told()
            reply = await asking
        finally:
            asking.cancel()
        await asyncio.sleep(int(self.words.get("late", 0)) / 1000)
        self.complete(call, reply.get("result"))

    async def die_if_told(self) -> None:
        self.asked += 1
        fatal = int(self.words.get("kill-in-call", 0) or 1)
        if "kill-in-call" in self.words and self.asked == fatal:
            # The call has gone out by then.
            await asyncio.sleep(0)
            await self.turn.server.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def complete(self, call: Call, result: Any) -> None:
        """An answer that lacks what it must have is one like any other for the model."""
        items = result.get("contentItems") if isinstance(result, dict) else None
        success = bool(items is not None and result.get("success"))
        if items is None:
            items = [{"type": "inputText", "text": "dynamic tool request failed"}]
        self.close(call, items, success)
        if len(items) == 1 and items[0].get("type") == "inputText":
            call.output = items[0]["text"]
        else:
            call.output = [
                {"type": "input_text", "text": part["text"]}
                if part.get("type") == "inputText"
                else {"type": "input_image", "image_url": part.get("imageUrl")}
                for part in items
            ]

    def close(self, call: Call, items: list[Json], success: bool) -> None:
        assert call.open_item is not None
        done = {
            "status": "completed" if success else "failed",
            "contentItems": items,
            "success": success,
            "durationMs": int((time.time() - self.started) * 1000),
        }
        self.turn.item("completed", {**call.open_item, **done})
        call.open_item = None

    def tell_outputs(self) -> None:
        """What has come back, in the order of the calls: a later one waits for those before it."""
        while self.told < len(self.calls):
            call = self.calls[self.told]
            if call.output is None:
                return
            self.told += 1
            self.turn.record(
                {
                    "type": "function_call_output",
                    "id": f"fco_{new_id()}",
                    "call_id": call.id,
                    "output": call.output,
                }
            )

    def abort(self) -> None:
        """The turn ends with calls open."""
        self.is_aborted = True
        self.stop()
        for call in self.calls:
            if call.open_item is not None:
                self.close(call, [], success=False)
                call.output = CANCELLED
            elif call.output is None:
                seconds = time.time() - self.started
                call.output = f"aborted by user after {seconds:.1f}s"
        self.tell_outputs()
