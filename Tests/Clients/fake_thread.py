"""A conversation of the fake engine, and what of it outlives the process (see fake_codex.py)."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_turn import Turn

Json = dict[str, Any]

VERSION = "0.163.0"
INVALID_REQUEST = -32600


class RPCError(Exception):
    """An error answer to a request of the bridge."""

    def __init__(
        self, message: str, code: int = INVALID_REQUEST, data: Json | None = None
    ) -> None:
        super().__init__(message)
        self.body: Json = {"code": code, "message": message}
        if data is not None:
            self.body["data"] = data


def zero_usage() -> dict[str, int]:
    return {
        "totalTokens": 0,
        "inputTokens": 0,
        "cachedInputTokens": 0,
        "cacheWriteInputTokens": 0,
        "outputTokens": 0,
        "reasoningOutputTokens": 0,
    }


class Interrupted(Exception):
    """The turn ends as interrupted (an approval was answered with `cancel`)."""


class Thread:
    """One conversation. What outlives the process is in `fake_threads/<id>.json`."""

    def __init__(self, thread_id: str, params: Json) -> None:
        self.id = thread_id
        self.params = params
        self.ephemeral = bool(params.get("ephemeral"))
        # Asked for at the start of a thread and lost with its process: a resumed thread has none.
        self.tells_raw_items = bool(params.get("experimentalRawEvents"))
        self.history: list[Json] = []
        self.total = zero_usage()
        self.last = zero_usage()
        self.last_turn_id: str | None = None
        self.turn: Turn | None = None
        self.last_status = ""
        # Repeated interrupts of a turn that an interrupt has ended: see Server.turn_interrupt.
        self.stale_interrupts: list[Any] = []

    @staticmethod
    def path(thread_id: str) -> Path | None:
        home = os.environ.get("CODEX_HOME")
        return Path(home) / "fake_threads" / f"{thread_id}.json" if home else None

    def save(self) -> None:
        path = self.path(self.id)
        if self.ephemeral or path is None:
            return
        path.parent.mkdir(exist_ok=True)
        state = {
            "params": self.params,
            "history": self.history,
            "total": self.total,
            "last": self.last,
            "lastTurnId": self.last_turn_id,
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(state))
        partial.replace(path)

    @classmethod
    def load(cls, thread_id: str) -> Thread:
        path = cls.path(thread_id)
        if path is None or not path.exists():
            raise RPCError(f"no rollout found for thread id {thread_id}")
        try:
            state = json.loads(path.read_bytes())
        except ValueError:
            problem = f"failed to read session metadata {path}"
            raise RPCError(
                f"failed to read thread: thread-store internal error: {problem}: rollout at {path} is empty",
                -32603,
            ) from None
        thread = cls(thread_id, state["params"])
        thread.tells_raw_items = False
        thread.history = state["history"]
        thread.total = state["total"]
        thread.last = state["last"]
        thread.last_turn_id = state["lastTurnId"]
        return thread

    def value(self) -> Json:
        """The `thread` object of a response, in 0.163.0's form."""
        now = int(time.time())
        return {
            "id": self.id,
            "sessionId": self.id,
            "forkedFromId": None,
            "parentThreadId": None,
            "preview": "",
            "ephemeral": self.ephemeral,
            "modelProvider": "fake",
            "model": self.params.get("model"),
            "reasoningEffort": None,
            "createdAt": now,
            "updatedAt": now,
            "status": {"type": "active", "activeFlags": []}
            if self.turn
            else {"type": "idle"},
            "path": None if self.ephemeral else str(self.path(self.id)),
            "cwd": self.params.get("cwd") or os.getcwd(),
            "cliVersion": VERSION,
            "source": "vscode",
            "projectId": None,
            "turns": [],
        }

    def settings(self) -> Json:
        """What thread/start and thread/resume answer beside the thread itself."""
        sandbox = {
            "workspace-write": {
                "type": "workspaceWrite",
                "writableRoots": [],
                "networkAccess": False,
            },
            "danger-full-access": {"type": "dangerFullAccess"},
        }.get(
            self.params.get("sandbox", ""), {"type": "readOnly", "networkAccess": False}
        )
        return {
            "thread": self.value(),
            "model": self.params.get("model") or "gpt-6.1-sol",
            "modelProvider": "fake",
            "serviceTier": None,
            "cwd": self.params.get("cwd") or os.getcwd(),
            "instructionSources": [],
            "approvalPolicy": self.params.get("approvalPolicy") or "on-request",
            "sandbox": sandbox,
            "reasoningEffort": None,
        }


def usage_value(thread: Thread) -> Json:
    return {
        "total": dict(thread.total),
        "last": dict(thread.last),
        "modelContextWindow": 258400,
    }


def new_id() -> str:
    """Ids look like the real ones (UUIDs); what they encode does not matter here."""
    return str(uuid.uuid4())
