"""What a turn of the fake engine sends about itself, in the forms of codex-cli 0.163.0 (see fake_codex.py)."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from fake_thread import Thread, new_id, usage_value

if TYPE_CHECKING:
    from fake_server import Server

Json = dict[str, Any]


class TurnEvents:
    """Items, notifications and tokens of one turn."""

    def __init__(self, server: Server, thread: Thread, params: Json) -> None:
        self.server = server
        self.thread = thread
        self.params = params
        self.id = new_id()
        self.started = time.time()
        self.answer: Json | None = None
        self.reasoning_count = 0

    def notify(self, method: str, **params: Any) -> None:
        self.server.notify(
            method, {**params, "threadId": self.thread.id, "turnId": self.id}
        )

    def item(self, phase: str, item: Json) -> None:
        self.notify(
            f"item/{phase}", item=item, **{f"{phase}AtMs": int(time.time() * 1000)}
        )

    def record(self, item: Json, kind: str | None = None) -> None:
        """An item into the history, and told raw where the thread was started so."""
        self.thread.history.append(item)
        self.thread.save()
        self.tell_raw(item, kind)

    def tell_raw(self, item: Json, kind: str | None = None) -> None:
        if self.thread.tells_raw_items:
            about: Json = {"turn_id": self.id}
            if kind is not None:
                about["content_item_kinds"] = [kind]
            told = {**item, "internal_chat_message_metadata_passthrough": about}
            self.notify("rawResponseItem/completed", item=told)

    def value(self, status: str, error: Json | None = None) -> Json:
        done = status != "inProgress"
        items = [self.answer] if done and self.answer else []
        return {
            "id": self.id,
            "rootTurnId": self.id,
            "items": items,
            "itemsView": "summary" if items else "notLoaded",
            **({"status": status} if status else {}),
            "error": error,
            "startedAt": int(self.started) if done else None,
            "completedAt": int(time.time()) if done else None,
            "durationMs": int((time.time() - self.started) * 1000) if done else None,
        }

    def error_event(self, error: Json, will_retry: bool) -> None:
        self.notify("error", error=error, willRetry=will_retry)

    def reconnecting(self, attempt: str) -> None:
        self.error_event(
            {
                "message": f"Reconnecting... {attempt}",
                "codexErrorInfo": {
                    "responseStreamDisconnected": {"httpStatusCode": None}
                },
                "additionalDetails": "stream disconnected before completion",
                "misalignment": None,
            },
            will_retry=True,
        )

    async def reconnect(self, times: int) -> None:
        for _ in range(times):
            self.reconnecting("waiting for network")
            await asyncio.sleep(0.1)

    def address(self) -> Json:
        return {"threadId": self.thread.id, "turnId": self.id}

    def reason(self, count: int) -> None:
        pieces = [f"r{index} " for index in range(count)]
        self.reasoning_count += 1
        name = f"rs_{self.reasoning_count}"
        item: Json = {"type": "reasoning", "id": name, "summary": [], "content": []}
        self.item("started", item)
        self.notify("item/reasoning/summaryPartAdded", itemId=name, summaryIndex=0)
        for piece in pieces:
            self.notify(
                "item/reasoning/summaryTextDelta",
                itemId=name,
                delta=piece,
                summaryIndex=0,
            )
        self.item("completed", {**item, "summary": ["".join(pieces)]})
        summary = [{"type": "summary_text", "text": "".join(pieces)}]
        raw = {"type": "reasoning", "id": name, "summary": summary, "content": None}
        self.tell_raw({**raw, "encrypted_content": "fake"})

    def command(self, command: str, call_id: str) -> str:
        """Tells of a command that was not run; returns what it would have printed."""
        item: Json = {
            "type": "commandExecution",
            "id": call_id,
            "command": f"/bin/bash -lc '{command}'",
            "cwd": self.thread.params.get("cwd") or os.getcwd(),
            "processId": None,
            "status": "inProgress",
            "commandActions": [],
            "aggregatedOutput": None,
            "exitCode": None,
            "durationMs": None,
        }
        self.item("started", item)
        output = f"ran {command}\n"
        self.notify("item/commandExecution/outputDelta", itemId=call_id, delta=output)
        done = {
            "status": "completed",
            "exitCode": 0,
            "aggregatedOutput": output,
            "durationMs": 1,
        }
        self.item("completed", {**item, **done})
        return output

    def usage(self, options: dict[str, str], produced: int) -> dict[str, int]:
        numbers = [
            int(part) for part in options.get("usage", f"10,0,{produced},0").split(",")
        ]
        read, cached, written, reasoned = (numbers + [0, 0, 0, 0])[:4]
        return {
            "totalTokens": read + written,
            "inputTokens": read,
            "cachedInputTokens": cached,
            "cacheWriteInputTokens": 0,
            "outputTokens": written,
            "reasoningOutputTokens": reasoned,
        }

    def end_response(self, options: dict[str, str], produced: int) -> None:
        if self.thread.tells_raw_items:
            self.notify(
                "rawResponse/completed",
                responseId=f"resp_{new_id()}",
                usage=self.usage(options, produced),
                usageMetadata=None,
            )

    def count_tokens(self, options: dict[str, str], produced: int) -> None:
        last = self.usage(options, produced)
        self.thread.last = last
        for key, value in last.items():
            self.thread.total[key] += value
        self.notify("thread/tokenUsage/updated", tokenUsage=usage_value(self.thread))
        self.server.notify("account/rateLimits/updated", self.server.rate_limits())
