"""Requests of the fake engine that concern a thread (see fake_codex.py)."""

from __future__ import annotations

import uuid
from typing import Any

from fake_account import Account
from fake_thread import RPCError, Thread, new_id

Json = dict[str, Any]

MAX_INPUT_CHARS = 1_048_576
# What the real one refuses from a client that has not asked for the experimental API.
EXPERIMENTAL_FIELDS = (
    "dynamicTools",
    "environments",
    "experimentalRawEvents",
    "historyMode",
    "permissions",
    "runtimeWorkspaceRoots",
)
# What the real one takes into a history; the rest, and the role `system`, it drops without a word.
KNOWN_ITEMS = (
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
)


class Threads(Account):
    """Threads: start, resume, history, end."""

    def check_experimental(self, method: str, params: Json) -> None:
        for field in EXPERIMENTAL_FIELDS:
            if params.get(field) is not None and not self.experimental:
                raise RPCError(f"{method}.{field} requires experimentalApi capability")

    def thread_start(self, params: Json) -> Json:
        self.check_config("failed to load configuration")
        self.check_experimental("thread/start", params)
        if params.get("sandbox") not in (
            None,
            "read-only",
            "workspace-write",
            "danger-full-access",
        ):
            raise RPCError(f"Invalid request: unknown variant `{params['sandbox']}`")
        thread = Thread(new_id(), params)
        self.threads[thread.id] = thread
        self.subscribed.add(thread.id)
        return thread.settings()

    def thread_resume(self, params: Json) -> Json:
        self.check_config("failed to load configuration")
        self.check_experimental("thread/resume", params)
        thread_id = self.checked_id(params, "session")
        thread = self.threads.get(thread_id)
        if thread is None:
            thread = Thread.load(thread_id)
            overrides = {
                key: value
                for key, value in params.items()
                if key not in ("threadId", "excludeTurns", "dynamicTools")
            }
            # Neither workspace-write nor config survives; whoever resumes has to send them again. Instructions are in
            # force for as long as the thread is loaded.
            kept = {
                key: value
                for key, value in thread.params.items()
                if key not in ("config", "developerInstructions")
            }
            if kept.get("sandbox") == "workspace-write":
                del kept["sandbox"]
            thread.params = {**kept, **overrides}
            self.threads[thread_id] = thread
        self.subscribed.add(thread_id)
        return thread.settings()

    @staticmethod
    def checked_id(params: Json, kind: str = "thread") -> str:
        thread_id = params.get("threadId")
        if not isinstance(thread_id, str):
            raise RPCError("Invalid request: missing field `threadId`")
        try:
            uuid.UUID(thread_id)
        except ValueError:
            raise RPCError(
                f"invalid {kind} id: invalid character: expected an optional prefix of `urn:uuid:`"
                f" followed by [0-9a-fA-F-], found `{thread_id[:1]}` at 1"
            ) from None
        return thread_id

    def loaded(self, params: Json) -> Thread:
        thread_id = self.checked_id(params)
        thread = self.threads.get(thread_id)
        if thread is None:
            raise RPCError(f"thread not found: {thread_id}")
        return thread

    def thread_inject_items(self, params: Json) -> Json:
        thread = self.loaded(params)
        items = params.get("items")
        if not isinstance(items, list):
            raise RPCError("Invalid request: invalid type: expected a sequence")
        if not items:
            raise RPCError("items must not be empty")
        for index, item in enumerate(items):
            self.check_item(index, item)
        thread.history += [
            item
            for item in items
            if item["type"] in KNOWN_ITEMS and item.get("role") != "system"
        ]
        return {}

    @staticmethod
    def check_item(index: int, item: Any) -> None:
        refusal = f"items[{index}] is not a valid response item: "
        if not isinstance(item, dict) or "type" not in item:
            raise RPCError(refusal + "missing field `type`")
        if item["type"] != "message":
            return
        content = item.get("content")
        if not isinstance(content, list):
            raise RPCError(
                refusal + f'invalid type: string "{content}", expected a sequence'
            )
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in ("input_text", "input_image", "input_audio", "output_text"):
                raise RPCError(refusal + f"unknown variant `{kind}`")
            url = part.get("image_url", "")
            if kind == "input_image" and url.startswith(("http:", "https:")):
                raise RPCError(
                    "remote image URLs are not supported; use an inline data URL instead"
                )

    def thread_unsubscribe(self, params: Json) -> Json:
        thread_id = self.checked_id(params)
        if thread_id not in self.threads:
            return {"status": "notLoaded"}
        if thread_id not in self.subscribed:
            return {"status": "notSubscribed"}
        self.subscribed.discard(thread_id)
        return {"status": "unsubscribed"}

    def thread_delete(self, params: Json) -> Json:
        thread_id = self.checked_id(params)
        thread = self.threads.pop(thread_id, None)
        path = Thread.path(thread_id)
        if path is None or not path.exists() or (thread and thread.ephemeral):
            raise RPCError("thread is not persisted and cannot be deleted")
        path.unlink()
        return {}

    def background_terminals_clean(self, params: Json) -> Json:
        if not self.experimental:
            raise RPCError(
                "thread/backgroundTerminals/clean requires experimentalApi capability"
            )
        self.loaded(params)
        return {}

    @staticmethod
    def check_input(parts: Any) -> None:
        if not isinstance(parts, list):
            raise RPCError("Invalid request: missing field `input`")
        total = 0
        for part in parts:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in ("text", "image", "localImage"):
                raise RPCError(f"Invalid request: unknown variant `{kind}`")
            if kind == "text":
                if not isinstance(part.get("text"), str):
                    raise RPCError("Invalid request: missing field `text`")
                total += len(part["text"])
            if kind == "image" and part.get("url", "").startswith(("http:", "https:")):
                raise RPCError(
                    "remote image URLs are not supported; use an inline data URL instead"
                )
        if total > MAX_INPUT_CHARS:
            raise RPCError(
                f"Input exceeds the maximum length of {MAX_INPUT_CHARS} characters.",
                -32602,
                {
                    "input_error_code": "input_too_large",
                    "max_chars": MAX_INPUT_CHARS,
                    "actual_chars": total,
                },
            )
