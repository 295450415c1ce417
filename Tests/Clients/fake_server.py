"""The fake engine as a whole: which request means what, and the turns (see fake_codex.py)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from fake_script import directives
from fake_thread import RPCError, Thread, usage_value
from fake_threads import Threads
from fake_turn import Turn

Json = dict[str, Any]

OVERLOADED = -32001


class Server(Threads):
    """The protocol: reads requests, answers them, owns the threads."""

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self.called: set[str] = set()
        self.turns_ended = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.handlers: dict[str, Callable[[Json], Json]] = {
            "account/read": self.account_read,
            "account/rateLimits/read": self.account_rate_limits_read,
            "model/list": self.model_list,
            "config/read": self.config_read,
            "thread/start": self.thread_start,
            "thread/resume": self.thread_resume,
            "thread/inject_items": self.thread_inject_items,
            "thread/unsubscribe": self.thread_unsubscribe,
            "thread/delete": self.thread_delete,
            "thread/backgroundTerminals/clean": self.background_terminals_clean,
            "command/exec": self.command_exec,
        }

    def is_refused(self, method: str) -> bool:
        if method in self.options.get("refuse", "").split(","):
            return True
        was_called = method in self.called
        self.called.add(method)
        return was_called and method in self.options.get("refuse-again", "").split(",")

    async def request(self, request_id: Any, method: str, params: Json | None) -> None:
        if params is None:
            raise RPCError("Invalid request: missing field `params`")
        if method == "initialize":
            if self.initialized:
                raise RPCError("Already initialized")
            if "mute" in self.options:
                return
            if "slow-start" in self.options:
                await asyncio.sleep(float(self.options["slow-start"]))
            self.answer(request_id, self.initialize(params))
            self.warn_of_config()
            return
        if not self.initialized:
            raise RPCError("Not initialized")
        if self.is_refused(method):
            raise RPCError("the fake was told to refuse this")
        if method in self.options.get("overload", "").split(","):
            raise RPCError("Server overloaded; retry later.", OVERLOADED)
        # These three answer for themselves: what they start must come after, or before, their answer.
        if method == "turn/start":
            self.turn_start(request_id, params)
        elif method == "turn/steer":
            self.turn_steer(request_id, params)
        elif method == "turn/interrupt":
            self.turn_interrupt(request_id, params)
        elif method in self.handlers:
            self.answer(request_id, self.handlers[method](params))
            self.after_answer(method, params)
        else:
            known = ", ".join(
                f"`{name}`" for name in ["initialize", "turn/start", *self.handlers]
            )
            raise RPCError(
                f"Invalid request: unknown variant `{method}`, expected one of {known}"
            )

    def after_answer(self, method: str, params: Json) -> None:
        """Notifications that follow an answer."""
        thread = self.threads.get(params.get("threadId", ""))
        if method == "thread/resume" and thread is not None and thread.last_turn_id:
            self.notify(
                "thread/tokenUsage/updated",
                {
                    "threadId": thread.id,
                    "turnId": thread.last_turn_id,
                    "tokenUsage": usage_value(thread),
                },
            )
        if (
            method == "thread/unsubscribe"
            and thread is not None
            and thread.turn is None
        ):
            # As with thread_unload_delay_secs=0: an idle thread nobody listens to is unloaded at once.
            del self.threads[thread.id]
            self.notify(
                "thread/status/changed",
                {"threadId": thread.id, "status": {"type": "notLoaded"}},
            )
            self.notify("thread/closed", {"threadId": thread.id})

    # -- turns

    def turn_start(self, request_id: Any, params: Json) -> None:
        thread = self.loaded(params)
        self.check_experimental("turn/start", params)
        self.check_input(params.get("input"))
        running = thread.turn
        if running is not None:
            self.answer(request_id, {"turn": running.value("inProgress")})
            self.steer(thread, running, params)
            return
        turn = Turn(self, thread, params)
        self.answer(request_id, {"turn": turn.value("inProgress")})
        turn.start()

    def turn_steer(self, request_id: Any, params: Json) -> None:
        thread = self.loaded(params)
        self.check_input(params.get("input"))
        running, expected = thread.turn, params.get("expectedTurnId")
        if not params["input"]:
            raise RPCError("input must not be empty")
        if running is None:
            raise RPCError("no active turn to steer")
        if expected != running.id:
            raise RPCError(f"expected active turn id {expected} but found {running.id}")
        self.answer(request_id, {"turnId": running.id})
        self.steer(thread, running, params)

    def steer(self, thread: Thread, running: Turn, params: Json) -> None:
        """Neither queued nor refused: the same turn goes on with the new text. While calls are open, it waits for them;
        else the model's message is cut off."""
        if running.tools is not None:
            running.steered_inputs.append(params)
            return
        turn = Turn(self, thread, params)
        turn.id = running.id
        running.steered = True
        if running.task is not None:
            running.task.cancel()
        turn.start()

    def turn_interrupt(self, request_id: Any, params: Json) -> None:
        thread = self.loaded(params)
        if "ignore-interrupt" in self.options:
            return
        turn = thread.turn
        wanted = params.get("turnId")
        if turn is None:
            if wanted == "":
                self.answer(request_id, {})
            elif thread.last_status == "interrupted" and wanted == thread.last_turn_id:
                # Seen with 0.163.0: it answers this one only when the thread's next turn ends.
                thread.stale_interrupts.append(request_id)
            else:
                raise RPCError("no active turn to interrupt")
            return
        if wanted and wanted != turn.id:
            raise RPCError(f"expected active turn id {wanted} but found {turn.id}")
        words = directives(turn.user_text())
        if "over" in words:
            thread.turn = None
            raise RPCError("no active turn to interrupt")
        if "stuck" in words:
            self.answer(request_id, {})
            return
        turn.interrupt()
        self.answer(request_id, {})
        if turn.task is not None:
            late = int(words.get("late", 0)) / 1000
            asyncio.get_running_loop().call_later(late, turn.task.cancel)

    def turn_ended(self) -> None:
        self.turns_ended += 1
        if self.turns_ended == int(self.options.get("die-after-turns", 0)):
            self.tasks.add(asyncio.get_running_loop().create_task(self.die()))

    async def die(self) -> None:
        await self.flush()
        os._exit(1)
