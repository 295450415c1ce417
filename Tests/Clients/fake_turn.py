"""A running turn of the fake engine: it plays the script in the user's text (see fake_codex.py)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

from fake_events import TurnEvents
from fake_questions import NOISES, ask_about_command, ask_question
from fake_script import (
    BRINGS_ITS_OWN_TEXT,
    Round,
    Script,
    finished_rounds,
    is_user,
    message_text,
    told_outputs,
)
from fake_thread import Interrupted, Thread, new_id, usage_value
from fake_tools import TURN_ABORTED, ToolRound

if TYPE_CHECKING:
    from fake_server import Server

Json = dict[str, Any]


class Turn(TurnEvents):
    """One running turn: a task that plays the script in the user's text."""

    def __init__(self, server: Server, thread: Thread, params: Json) -> None:
        super().__init__(server, thread, params)
        self.task: asyncio.Task[None] | None = None
        # A second turn/start on the thread has taken over: this one ends without a word.
        self.steered = False
        self.message_count = 0
        self.text = ""
        # The calls that are under way, and what the user says meanwhile.
        self.tools: ToolRound | None = None
        self.steered_inputs: list[Json] = []

    # -- the script

    def user_text(self) -> str:
        """The text that carries the script: the input, else the last user message in the history."""
        texts = [
            part["text"]
            for part in self.params.get("input", [])
            if part.get("type") == "text"
        ]
        if texts:
            return "\n".join(texts)
        for item in reversed(self.thread.history):
            if is_user(item):
                return message_text(item)
        return ""

    async def play(self) -> None:
        """Runs the turn to its end; `played` deals with what cuts it short."""
        script = Script(self.user_text())
        if "hang" in script.round(0).words:
            await asyncio.Event().wait()
        self.server.notify(
            "thread/status/changed",
            {
                "threadId": self.thread.id,
                "status": {"type": "active", "activeFlags": []},
            },
        )
        self.server.notify(
            "turn/started",
            {"threadId": self.thread.id, "turn": self.value("inProgress")},
        )
        self.echo_input()
        self.thread.save()
        while True:
            script = Script(self.user_text())
            todo = script.round(finished_rounds(self.thread.history))
            prefix = await self.open_round(todo.words)
            if not todo.calls_tools:
                return await self.last_round(todo.words, prefix)
            await self.tool_round(todo, prefix)
            if self.tools is not None:
                self.tools.abort()
                return self.end("failed", self.failure(todo.words))
            self.take_steered()

    async def open_round(self, options: dict[str, str]) -> list[str]:
        """What comes before texts and calls; returns what the text begins with."""
        if "reconnecting" in options:
            await self.reconnect(int(options["reconnecting"] or 1 << 30))
        if "unknown-notification" in options:
            self.notify(
                "item/somethingNew/happened",
                item={"type": "somethingNew", "id": new_id()},
            )
            self.item("started", {"type": "somethingNew", "id": "new_1"})
            self.item("completed", {"type": "somethingNew", "id": "new_1"})
        if "log-out" in options:
            self.server.options["not-logged-in"] = ""
            self.server.notify("account/updated", {"authMode": None, "planType": None})
        if "unknown-request" in options:
            await self.server.ask("item/somethingNew/request", self.address(), self)
        if "retry-before-text" in options:
            self.reconnecting("1/5")
            await asyncio.sleep(0.05)
        if "reasoning" in options:
            self.reason(int(options["reasoning"]))
        if "approval" not in options:
            return []
        kind = options["approval"]
        return await (ask_question(self, kind) if kind else ask_about_command(self))

    async def tool_round(self, todo: Round, prefix: list[str]) -> None:
        """Texts and calls in their order; over when every call has been answered, or with the calls open if it fails."""
        self.tools = ToolRound(self, todo.words)
        produced = 0
        for kind, value, arguments in todo.steps:
            if kind == "run":
                self.tools.add_command(value)
            elif kind == "call":
                self.tools.add_call(value, arguments)
            else:
                pieces = prefix + self.pieces(todo.words)
                produced += len(pieces)
                phase = todo.words.get("phase")
                await self.message(pieces, todo.words, phase=phase)
        if "fail" in todo.words:
            return
        self.end_response(todo.words, produced)
        await self.tools.end_response()
        self.tools = None
        self.count_tokens(todo.words, produced)

    async def last_round(self, options: dict[str, str], prefix: list[str]) -> None:
        if "run" in options:
            self.command(options["run"], "call_run")
        if "reconnecting-late" in options:
            await self.reconnect(1 << 30)
        if "two-messages" in options:
            await self.message(
                ["Let me ", "look. "], options, phase="commentary", quiet=True
            )
        pieces = prefix + self.pieces(options)
        if pieces or "kill" in options or "half-line" in options:
            phase = "final_answer" if "two-messages" in options else None
            if "commentary" in options:
                phase = "commentary"
            await self.message(pieces, options, phase=options.get("phase", phase))
        if "fail" in options:
            self.end("failed", self.failure(options))
            return
        self.end_response(options, len(pieces))
        self.count_tokens(options, len(pieces))
        if self.text:
            self.thread.history.append(
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": self.text}],
                }
            )
        self.end(options.get("status", "completed"))

    def take_steered(self) -> None:
        """What the user has said while calls were open reaches the model with what they gave."""
        for params in self.steered_inputs:
            self.params = {**self.params, **params}
            self.echo_input()
        self.steered_inputs.clear()

    def start(self) -> None:
        self.thread.turn = self
        self.task = asyncio.get_running_loop().create_task(self.play())
        self.task.add_done_callback(self.played)

    def played(self, task: asyncio.Task[None]) -> None:
        """The task's done callback: it also sees a task that was cancelled before its first step."""
        if self.tools is not None:
            self.tools.stop()
        if task.cancelled():
            if not self.steered:
                self.end("interrupted")
            return
        error = task.exception()
        if isinstance(error, Interrupted):
            self.end("interrupted")
        elif error is not None:
            # A script that the fake cannot play is the test's mistake, and must not look like a hang.
            error_event = {
                "message": f"the fake broke: {error!r}",
                "codexErrorInfo": "other",
            }
            self.end("failed", {**error_event, "additionalDetails": None})

    def echo_input(self) -> None:
        """The user's message as the real one repeats it, and into the history."""
        parts = self.params.get("input", [])
        if not parts:
            return
        item = {
            "type": "userMessage",
            "id": new_id(),
            "clientId": self.params.get("clientUserMessageId"),
            "content": parts,
        }
        content = [
            {"type": "input_text", "text": part["text"]}
            if part.get("type") == "text"
            else {"type": "input_image", "image_url": part.get("url", "")}
            for part in parts
        ]
        message = {
            "type": "message",
            "id": f"msg_{new_id()}",
            "role": "user",
            "content": content,
        }
        self.record(message, "user.text")
        self.item("started", item)
        self.item("completed", item)

    def pieces(self, options: dict[str, str]) -> list[str]:
        """The deltas of the answer."""
        if "say" in options:
            return re.findall(r"\S+\s*|\s+", options["say"])
        if "run" in options:
            return [f"ran {options['run']}"]
        if "outputs" in options:
            return re.findall(r"\S+\s*|\s+", told_outputs(self.thread.history))
        if "history" in options:
            messages = [
                item for item in self.thread.history if item.get("type") == "message"
            ]
            return [f"{item['role']}: {message_text(item)}\n" for item in messages]
        if "params" in options:
            return [json.dumps({"thread": self.thread.params, "turn": self.params})]
        default = 0 if any(word in options for word in BRINGS_ITS_OWN_TEXT) else 5
        count = int(options.get("tokens", default))
        name = options["id"] + "-" if "id" in options else "t"
        pieces = [f"{name}{index} " for index in range(count)]
        if "big" in options:
            pieces.append("x" * int(options["big"]))
        return pieces

    async def message(
        self,
        pieces: list[str],
        options: dict[str, str],
        phase: str | None = None,
        quiet: bool = False,
    ) -> None:
        """One agent message, with the accidents that `options` ask for unless it is `quiet`."""
        item = self.open_message(phase)
        if "first" in options and not quiet:
            await asyncio.sleep(int(options["first"]) / 1000)
        half = (len(pieces) + 1) // 2
        delay = 0 if quiet else int(options.get("delay", 0)) / 1000
        for index, piece in enumerate(pieces):
            if index == half and not quiet:
                item = await self.accident(options, item, phase, pieces[:half])
            if index and delay:
                await asyncio.sleep(delay)
            if "garbage" in options and not quiet:
                self.server.write_raw(b"this is not JSON {\n")
            if "no-deltas" not in options:
                self.notify("item/agentMessage/delta", itemId=item["id"], delta=piece)
            if index % 50 == 49:
                # Long turns share the loop: the other turns' deltas go out in between.
                await asyncio.sleep(0)
        if half == len(pieces) and not quiet:
            item = await self.accident(options, item, phase, pieces[:half])
        item["text"] = "".join(pieces)
        self.item("completed", item)
        self.answer = item
        self.keep_message(item)

    def keep_message(self, item: Json) -> None:
        """Beside calls a message is part of the history at once, else when the turn has not failed."""
        content = [{"type": "output_text", "text": item["text"], "annotations": []}]
        raw: Json = {
            "type": "message",
            "id": item["id"],
            "role": "assistant",
            "content": content,
            **({"phase": item["phase"]} if item["phase"] else {}),
        }
        if self.tools is not None:
            self.record(raw, "unknown")
            return
        self.tell_raw(raw, "unknown")
        if item["phase"] != "commentary":
            self.text += item["text"]

    def open_message(self, phase: str | None) -> Json:
        self.message_count += 1
        item = {
            "type": "agentMessage",
            "id": f"msg_{self.message_count}",
            "text": "",
            "phase": phase,
        }
        self.item("started", dict(item))
        return item

    async def accident(
        self, options: dict[str, str], item: Json, phase: str | None, sent: list[str]
    ) -> Json:
        """What happens in the middle of a message; returns the item that goes on."""
        if "kill" in options:
            await self.server.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if "half-line" in options:
            self.server.write_raw(
                b'{"method":"item/agentMessage/delta","params":{"threadId":"'
            )
            await self.server.flush()
            os._exit(101)
        if "noise" in options:
            piece, times = NOISES[options["noise"]]
            self.server.write_raw(piece * times + b"\n")
        if "retry-after-text" in options:
            # As the real one: the broken message never completes, the text comes again from its start.
            self.reconnecting("1/5")
            await asyncio.sleep(0.05)
            item = self.open_message(phase)
            for piece in sent:
                self.notify("item/agentMessage/delta", itemId=item["id"], delta=piece)
        return item

    def failure(self, options: dict[str, str]) -> Json:
        code: Any = options["fail"]
        if code[:1] in ("{", "["):
            code = json.loads(code)
        message = options.get(
            "message", f"the fake failed this turn: {options['fail']}"
        )
        error = {
            "message": message.replace("_", " "),
            "codexErrorInfo": code,
            "additionalDetails": None,
            "misalignment": None,
        }
        if code == "usageLimitExceeded":
            # Where the reset time comes from: the headers of the refusal.
            self.server.notify("account/rateLimits/updated", self.server.rate_limits())
        self.error_event(error, will_retry=False)
        return error

    def interrupt(self) -> None:
        """Ends it as interrupted, with what the history says then."""
        if self.tools is not None:
            self.tools.abort()
            self.notify(
                "thread/tokenUsage/updated", tokenUsage=usage_value(self.thread)
            )
        note = {
            "type": "message",
            "id": f"msg_{new_id()}",
            "role": "user",
            "content": [{"type": "input_text", "text": TURN_ABORTED}],
        }
        self.record(note, "generic.turn_aborted")

    def end(self, status: str, error: Json | None = None) -> None:
        thread = self.thread
        thread.turn = None
        thread.last_turn_id = self.id
        thread.last_status = status
        thread.save()
        idle = "systemError" if status == "failed" else "idle"
        for request_id in thread.stale_interrupts:
            self.server.answer(request_id, {})
        thread.stale_interrupts.clear()
        self.server.notify(
            "thread/status/changed", {"threadId": thread.id, "status": {"type": idle}}
        )
        self.server.notify(
            "turn/completed", {"threadId": thread.id, "turn": self.value(status, error)}
        )
        self.server.turn_ended()
