#!/usr/bin/env python3
"""A stand-in for the `codex` executable: `codex app-server` as scripted by the test that uses it.

It speaks the part of the app-server protocol (JSON lines over stdio) that the bridge uses, in the forms
and with the error texts of codex-cli 0.163.0, and misbehaves on request. Standard library only, one
asyncio loop, no threads.

Whole-process options: words in the environment variable FAKE_CODEX and in the file
`$CODEX_HOME/fake_codex.options` (both are read at each start, the file because the bridge spawns its
engine with a minimal environment; `#` starts a comment line):

  exit-at-start=CODE     exits at once with CODE
  slow-start=SECONDS     waits before it answers `initialize`
  mute                   never answers `initialize`
  old-version=X.Y.Z      claims to be that version, in --version and in the handshake
  not-logged-in          account/read says that a login is missing
  garbage                a line that is not JSON before each message it writes
  stop-reading[=N]       reads nothing any more after N messages (default: after `initialized`)
  ignore-interrupt       turn/interrupt is never answered and changes nothing
  die-after-turns=N      exits with status 1 after its Nth turn has ended
  silent-after=N         reads on and answers nothing after its first N answers
  refuse=METHOD[,…]      answers these methods with an error
  refuse-again=METHOD[,…]  the same from their second call on
  overload=METHOD[,…]    answers these methods that it has too much to do
  shuffle                answers each request up to 50 ms late, so that answers come in another order
  config-warning         warns of settings and servers in its configuration that it does without
  bubblewrap-hint        warns twice that there is no bubblewrap, as the real one does at its start
  broken-sandbox         command/exec fails as where no sandbox can be made
  ignore-eof             goes on living when its stdin is closed
  resets=SECONDS         rate limits (read and updated) say that the window resets in so many seconds

What a turn is to do is a line of its user text that begins with `demo:`; Tests/README.md describes the words, which
the stand-in model of `bridged --demo` shares as far as it can.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSION = "0.163.0"
INVALID_REQUEST = -32600
OVERLOADED = -32001
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
# Directives that take the rest of their line.
REST_OF_LINE = ("say", "run", "history", "params")
# Directives that bring their own text, so that the default five tokens would be in the way.
BRINGS_ITS_OWN_TEXT = ("fail", "big", "reconnecting", *REST_OF_LINE)

Json = dict[str, Any]

COMMAND_APPROVAL = "item/commandExecution/requestApproval"
FILE_APPROVAL = "item/fileChange/requestApproval"
PERMISSIONS_APPROVAL = "item/permissions/requestApproval"
ELICITATION = "mcpServer/elicitation/request"
NO_FIELDS: Json = {"type": "object", "properties": {}}
MCP_CALL: Json = {
    "serverName": "notes",
    "mode": "form",
    "message": 'Allow the notes MCP server to run tool "write_note"?',
    "requestedSchema": NO_FIELDS,
    "_meta": {
        "codex_approval_kind": "mcp_tool_call",
        "persist": ["session", "always"],
        "tool_params": {"text": "hi \u202ethere"},
    },
}
CHANGES: list[Json] = [
    {
        "path": "/srv/a\n/etc/b",
        "kind": {"type": "add"},
        "diff": "one\ntwo\n",
    },
    {
        "path": "/srv/c",
        "kind": {"type": "update", "move_path": "/srv/d"},
        "diff": "@@ -1 +1 @@\n-x\n+y\n",
    },
    {"path": "/srv/e", "kind": {"type": "delete"}, "diff": "gone\n"},
]
# What Codex may ask besides a plain command: the method, its parameters, and the item it is about.
QUESTIONS: dict[str, tuple[str, Json, Json | None]] = {
    "hostile": (
        COMMAND_APPROVAL,
        {
            "kind": "command",
            "command": "/bin/bash -lc 'echo \u202esafe\nrm -rf /\x1b[2K'",
            "cwd": "/tmp/else\u200bwhere\nin /work",
            "reason": "to be\nin /work\u009b",
        },
        None,
    ),
    "long": (COMMAND_APPROVAL, {"kind": "command", "command": "x" * 20_000}, None),
    "nothing": (COMMAND_APPROVAL, {"kind": "command", "command": None}, None),
    "input": (
        COMMAND_APPROVAL,
        {"kind": "writeStdin", "command": "yes\n", "cwd": "/work"},
        None,
    ),
    "network": (
        COMMAND_APPROVAL,
        {
            "itemId": "network#https#example.org#8443",
            "networkApprovalContext": {"host": "example.org", "protocol": "https"},
            "reason": "example.org is not in the allowed_domains",
        },
        None,
    ),
    "files": (
        FILE_APPROVAL,
        {"reason": None, "grantRoot": "/srv/all"},
        {"type": "fileChange", "changes": CHANGES},
    ),
    "many-files": (
        FILE_APPROVAL,
        {"reason": None, "grantRoot": None},
        {"type": "fileChange", "changes": [CHANGES[2]] * 101},
    ),
    "unknown-files": (FILE_APPROVAL, {"reason": None, "grantRoot": None}, None),
    "permissions": (
        PERMISSIONS_APPROVAL,
        {
            "cwd": "/work",
            "reason": "need it",
            "permissions": {
                "network": {"enabled": True},
                "fileSystem": {
                    "read": None,
                    "write": ["/var/x"],
                    "entries": [
                        {
                            "path": {"type": "path", "path": "/var/x"},
                            "access": "write",
                        }
                    ],
                },
            },
        },
        None,
    ),
    "unknown-permissions": (
        PERMISSIONS_APPROVAL,
        {
            "cwd": "/work",
            "permissions": {"network": {"enabled": True}, "kernel": {"enabled": True}},
        },
        None,
    ),
    "mcp": (ELICITATION, MCP_CALL, None),
    "mcp-confirm": (
        ELICITATION,
        {**MCP_CALL, "message": "Really?", "_meta": None},
        None,
    ),
    "mcp-form": (
        ELICITATION,
        {
            **MCP_CALL,
            "message": "Your name?",
            "_meta": None,
            "requestedSchema": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            },
        },
        None,
    ),
    "mcp-url": (
        ELICITATION,
        {
            "serverName": "notes",
            "mode": "url",
            "message": "Log in",
            "url": "https://example.org/",
            "elicitationId": "e",
        },
        None,
    ),
    "question": (
        "item/tool/requestUserInput",
        {
            "isBlocking": False,
            "questions": [{"id": "q", "header": "h", "question": "Which one?"}],
        },
        None,
    ),
}

# What no engine should write, and one day does: a piece, and how often it comes before the line ends.
NOISES = {
    "binary": (bytes(range(256)), 16),
    "not-utf8": (b'{"method":"\xff\xfe","params":{"a":"\xc3("}}', 1),
    "deep": (b"[", 200_000),
    "long-line": (b"x", 65 << 20),
    "wrong-types": (
        b'{"method":5,"params":7}\n{"id":{"a":1},"result":null}\n[]\nnull\n5\n"x"\n{}\n \n',
        1,
    ),
    "unknown-ids": (
        b'{"id":999999,"result":{}}\n{"id":"x","error":{"code":1,"message":"m"}}\n{"id":-1}',
        1,
    ),
    "empty-lines": (b"\n", 10_000),
}


def parse_words(words: list[str]) -> dict[str, str]:
    """`["a=1", "b"]` becomes `{"a": "1", "b": ""}`."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def process_options() -> dict[str, str]:
    """Options of the whole process, from the environment and from the file in CODEX_HOME."""
    words = os.environ.get("FAKE_CODEX", "").split()
    home = os.environ.get("CODEX_HOME")
    if home:
        try:
            lines = (Path(home) / "fake_codex.options").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            if not line.startswith("#"):
                words += line.split()
    return parse_words(words)


def directives(text: str) -> dict[str, str]:
    """The options of the last `demo:` line in `text`; empty if there is none."""
    lines = [line for line in text.split("\n") if line.startswith("demo:")]
    if not lines:
        return {}
    words: list[str] = []
    rest = lines[-1][len("demo:") :].strip()
    while rest:
        word, _, after = rest.partition(" ")
        key = word.partition("=")[0]
        if key in REST_OF_LINE:
            # `history` and `params` stand alone; `say=` and `run=` own everything up to the line's end.
            return {**parse_words(words), key: rest[len(key) :].removeprefix("=")}
        words.append(word)
        rest = after.strip()
    return parse_words(words)


def message_text(item: Json) -> str:
    """The text parts of one message item, joined."""
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict))


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


class Thread:
    """One conversation. What outlives the process is in `fake_threads/<id>.json`."""

    def __init__(self, thread_id: str, params: Json) -> None:
        self.id = thread_id
        self.params = params
        self.ephemeral = bool(params.get("ephemeral"))
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


class Interrupted(Exception):
    """The turn ends as interrupted (an approval was answered with `cancel`)."""


class Turn:
    """One running turn: a task that plays the script in the user's text."""

    def __init__(self, server: Server, thread: Thread, params: Json) -> None:
        self.server = server
        self.thread = thread
        self.params = params
        self.id = new_id()
        self.started = time.time()
        self.task: asyncio.Task[None] | None = None
        # A second turn/start on the thread has taken over: this one ends without a word.
        self.steered = False
        self.message_count = 0
        self.answer: Json | None = None
        self.text = ""

    # -- what goes out

    def notify(self, method: str, **params: Any) -> None:
        self.server.notify(
            method, {**params, "threadId": self.thread.id, "turnId": self.id}
        )

    def item(self, phase: str, item: Json) -> None:
        self.notify(
            f"item/{phase}", item=item, **{f"{phase}AtMs": int(time.time() * 1000)}
        )

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

    # -- the script

    def user_text(self) -> str:
        """The text that carries the directives: the input, else the last user message in the history."""
        texts = [
            part["text"]
            for part in self.params.get("input", [])
            if part.get("type") == "text"
        ]
        if texts:
            return "\n".join(texts)
        for item in reversed(self.thread.history):
            if item.get("role") == "user":
                return message_text(item)
        return ""

    async def play(self) -> None:
        """Runs the turn to its end; `played` deals with what cuts it short."""
        options = directives(self.user_text())
        thread = self.thread
        if "hang" in options:
            await asyncio.Event().wait()
        self.server.notify(
            "thread/status/changed",
            {"threadId": thread.id, "status": {"type": "active", "activeFlags": []}},
        )
        self.server.notify(
            "turn/started", {"threadId": thread.id, "turn": self.value("inProgress")}
        )
        self.echo_input()
        thread.save()
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
        prefix: list[str] = []
        if "approval" in options:
            kind = options["approval"]
            prefix = await (self.question(kind) if kind else self.approval())
        if "run" in options:
            self.command(options["run"])
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
            await self.message(pieces, options, phase=phase)
        if "fail" in options:
            self.end("failed", self.failure(options))
            return
        self.count_tokens(options, len(pieces))
        if self.text:
            thread.history.append(
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": self.text}],
                }
            )
        self.end(options.get("status", "completed"))

    def played(self, task: asyncio.Task[None]) -> None:
        """The task's done callback: it also sees a task that was cancelled before its first step."""
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

    def address(self) -> Json:
        return {"threadId": self.thread.id, "turnId": self.id}

    def echo_input(self) -> None:
        """The user's message as the real one repeats it, and into the history."""
        parts = self.params.get("input", [])
        if not parts:
            return
        item = {
            "type": "userMessage",
            "id": new_id(),
            "clientId": None,
            "content": parts,
        }
        self.item("started", item)
        self.item("completed", item)
        content = [
            {"type": "input_text", "text": part["text"]}
            if part.get("type") == "text"
            else {"type": "input_image", "image_url": part.get("url", "")}
            for part in parts
        ]
        self.thread.history.append(
            {"type": "message", "role": "user", "content": content}
        )

    def pieces(self, options: dict[str, str]) -> list[str]:
        """The deltas of the answer."""
        if "say" in options:
            return re.findall(r"\S+\s*|\s+", options["say"])
        if "run" in options:
            return [f"ran {options['run']}"]
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

    def reason(self, count: int) -> None:
        pieces = [f"r{index} " for index in range(count)]
        item: Json = {"type": "reasoning", "id": "rs_1", "summary": [], "content": []}
        self.item("started", item)
        self.notify("item/reasoning/summaryPartAdded", itemId="rs_1", summaryIndex=0)
        for piece in pieces:
            self.notify(
                "item/reasoning/summaryTextDelta",
                itemId="rs_1",
                delta=piece,
                summaryIndex=0,
            )
        self.item("completed", {**item, "summary": ["".join(pieces)]})

    def command(self, command: str) -> None:
        item: Json = {
            "type": "commandExecution",
            "id": "call_run",
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
        self.notify(
            "item/commandExecution/outputDelta", itemId="call_run", delta=output
        )
        done = {
            "status": "completed",
            "exitCode": 0,
            "aggregatedOutput": output,
            "durationMs": 1,
        }
        self.item("completed", {**item, **done})

    async def approval(self) -> list[str]:
        """Asks whether a command may run, reports the command's fate, returns the answer as text."""
        item: Json = {
            "type": "commandExecution",
            "id": "call_1",
            "command": "/bin/bash -lc 'touch approved'",
            "cwd": self.thread.params.get("cwd") or os.getcwd(),
            "status": "inProgress",
            "commandActions": [],
            "aggregatedOutput": None,
            "exitCode": None,
        }
        self.item("started", item)
        reply = await self.server.ask(
            "item/commandExecution/requestApproval",
            {
                **self.address(),
                "itemId": "call_1",
                "kind": "command",
                "reason": "need write",
                "command": item["command"],
                "cwd": item["cwd"],
                "commandActions": [],
                "availableDecisions": ["accept", "cancel"],
            },
            self,
        )
        if "error" in reply:
            decision = f"error:{reply['error'].get('code')}"
        else:
            decision = str((reply.get("result") or {}).get("decision"))
        accepted = decision in ("accept", "acceptForSession")
        outcome = (
            {"status": "completed", "exitCode": 0}
            if accepted
            else {"status": "declined"}
        )
        self.item("completed", {**item, **outcome})
        if decision == "cancel":
            raise Interrupted
        return [f"decision:{decision} "]

    async def question(self, kind: str) -> list[str]:
        """Asks what QUESTIONS says, about an item of its own where there is one; returns the result as text."""
        method, params, item = QUESTIONS[kind]
        if item:
            self.item("started", {"id": "call_1", "status": "inProgress", **item})
        asked = {**self.address(), "itemId": "call_1", **params}
        reply = await self.server.ask(method, asked, self)
        if item:
            self.item("completed", {"id": "call_1", "status": "completed", **item})
        answer = reply.get("result", reply.get("error"))
        return [f"answer:{json.dumps(answer, separators=(',', ':'))} "]

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
        if phase != "commentary":
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

    def count_tokens(self, options: dict[str, str], produced: int) -> None:
        numbers = [
            int(part) for part in options.get("usage", f"10,0,{produced},0").split(",")
        ]
        read, cached, written, reasoned = (numbers + [0, 0, 0, 0])[:4]
        last = {
            "totalTokens": read + written,
            "inputTokens": read,
            "cachedInputTokens": cached,
            "cacheWriteInputTokens": 0,
            "outputTokens": written,
            "reasoningOutputTokens": reasoned,
        }
        self.thread.last = last
        for key, value in last.items():
            self.thread.total[key] += value
        self.notify("thread/tokenUsage/updated", tokenUsage=usage_value(self.thread))
        self.server.notify("account/rateLimits/updated", self.server.rate_limits())

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


def usage_value(thread: Thread) -> Json:
    return {
        "total": dict(thread.total),
        "last": dict(thread.last),
        "modelContextWindow": 258400,
    }


def new_id() -> str:
    """Ids look like the real ones (UUIDs); what they encode does not matter here."""
    return str(uuid.uuid4())


class Server:
    """The protocol: reads requests, answers them, owns the threads."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options
        self.version = options.get("old-version", VERSION)
        self.threads: dict[str, Thread] = {}
        self.subscribed: set[str] = set()
        self.called: set[str] = set()
        self.opted_out: set[str] = set()
        self.experimental = False
        self.initialized = False
        self.next_request_id = 0
        self.waiting: dict[int, asyncio.Future[Json]] = {}
        self.turns_ended = 0
        self.answered = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.out: asyncio.WriteTransport | None = None
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
        return 0

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

    async def ask(self, method: str, params: Json, turn: Turn) -> Json:
        """Sends a request to the bridge and waits for the whole answer (`result` or `error`)."""
        request_id = self.next_request_id
        self.next_request_id += 1
        self.waiting[request_id] = asyncio.get_running_loop().create_future()
        self.write({"method": method, "id": request_id, "params": params})
        try:
            return await self.waiting[request_id]
        finally:
            self.waiting.pop(request_id, None)
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
        # These two answer for themselves: what they start must come after, or before, their answer.
        if method == "turn/start":
            self.turn_start(request_id, params)
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

    # -- requests

    def initialize(self, params: Json) -> Json:
        client = params.get("clientInfo")
        if not isinstance(client, dict):
            raise RPCError("Invalid request: missing field `clientInfo`")
        capabilities = params.get("capabilities") or {}
        self.experimental = bool(capabilities.get("experimentalApi"))
        self.opted_out = set(capabilities.get("optOutNotificationMethods") or [])
        self.initialized = True
        name, version = client.get("name"), client.get("version")
        return {
            "userAgent": f"{name}/{self.version} (Debian 12.0.0; x86_64) unknown ({name}; {version})",
            "codexHome": os.environ.get("CODEX_HOME", ""),
            "platformFamily": "unix",
            "platformOs": "linux",
        }

    # -- configuration: any line with two equal signs in a row is broken, as in the real one

    @staticmethod
    def config_fault() -> Json | None:
        """Where config.toml is broken, as the real one tells it; None if it is not."""
        path = Path(os.environ.get("CODEX_HOME", "")) / "config.toml"
        lines = path.read_text().splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            column = line.find("= =") + 3
            if column > 2:
                place = {"line": number, "column": column}
                return {
                    "summary": "Invalid configuration; using defaults.",
                    "details": f"{path}:{number}:{column}: extra `=`, expected nothing",
                    "path": str(path),
                    "range": {"start": place, "end": place},
                }
        return None

    def check_config(self, words: str) -> None:
        fault = self.config_fault()
        if fault is not None:
            raise RPCError(f"{words}: {fault['details']}")

    def warn_of_config(self) -> None:
        fault = self.config_fault()
        if fault is not None:
            self.notify("configWarning", fault)
        if "config-warning" in self.options:
            text = "Codex is ignoring 1 unrecognized configuration setting."
            self.notify("configWarning", {"summary": text, "details": None})
        if "bubblewrap-hint" in self.options:
            for _ in range(2):
                text = "Codex could not find bubblewrap on PATH."
                self.notify("configWarning", {"summary": text, "details": None})

    def config_read(self, params: Json) -> Json:
        self.check_config("failed to read configuration layers")
        return {"config": {"model": None, "project_doc_max_bytes": 32768}}

    def account_read(self, params: Json) -> Json:
        if "not-logged-in" in self.options:
            return {
                "account": None,
                "requiresOpenaiAuth": True,
                "workspaceRouting": None,
            }
        return {
            "account": {"type": "apiKey"},
            "requiresOpenaiAuth": True,
            "workspaceRouting": None,
        }

    def rate_limits(self) -> Json:
        primary = None
        if "resets" in self.options:
            resets_at = int(time.time()) + int(self.options["resets"])
            primary = {
                "usedPercent": 100,
                "windowDurationMins": 300,
                "resetsAt": resets_at,
            }
        return {
            "rateLimits": {
                "limitId": "codex",
                "primary": primary,
                "secondary": None,
                "credits": None,
                "planType": None,
            }
        }

    def account_rate_limits_read(self, params: Json) -> Json:
        if "resets" not in self.options:
            raise RPCError("chatgpt authentication required to read rate limits")
        return self.rate_limits()

    def model_list(self, params: Json) -> Json:
        models = [
            (
                "gpt-6.1-sol",
                ["low", "medium", "high", "xhigh", "max", "ultra"],
                "low",
                False,
            ),
            (
                "gpt-5.6-luna",
                ["low", "medium", "high", "xhigh", "max"],
                "medium",
                False,
            ),
            ("gpt-5.5", ["low", "medium", "high", "xhigh"], "medium", False),
            ("codex-auto-review", ["low", "medium", "high", "xhigh"], "medium", True),
        ]
        data = [
            {
                "id": name,
                "model": name,
                "upgrade": None,
                "displayName": name.upper(),
                "description": "A model of the fake.",
                "hidden": hidden,
                "supportedReasoningEfforts": [
                    {"reasoningEffort": effort, "description": ""} for effort in efforts
                ],
                "defaultReasoningEffort": default,
                "inputModalities": ["text", "image"],
                "serviceTiers": [],
                "isDefault": name == "gpt-6.1-sol",
            }
            for name, efforts, default, hidden in models
            if not hidden or params.get("includeHidden")
        ]
        start = int(params.get("cursor") or 0)
        end = start + int(params.get("limit") or len(data))
        return {
            "data": data[start:end],
            "nextCursor": str(end) if end < len(data) else None,
        }

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
        # The real one drops what it does not know, and the role `system`, without a word.
        known = ("message", "function_call", "function_call_output", "reasoning")
        thread.history += [
            item
            for item in items
            if item["type"] in known and item.get("role") != "system"
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

    def command_exec(self, params: Json) -> Json:
        if not params.get("command"):
            raise RPCError("Invalid request: missing field `command`")
        if "broken-sandbox" in self.options:
            failure = "bwrap: Creating new namespace failed: Operation not permitted"
            return {"exitCode": 1, "stdout": "", "stderr": failure}
        return {"exitCode": 0, "stdout": "", "stderr": ""}

    # -- turns

    def turn_start(self, request_id: Any, params: Json) -> None:
        thread = self.loaded(params)
        self.check_experimental("turn/start", params)
        self.check_input(params.get("input"))
        running = thread.turn
        turn = Turn(self, thread, params)
        if running is not None:
            # Neither queued nor refused: the same turn goes on with the new text, its message is cut off.
            turn.id = running.id
            running.steered = True
            if running.task is not None:
                running.task.cancel()
        thread.turn = turn
        self.answer(request_id, {"turn": turn.value("inProgress")})
        turn.task = asyncio.get_running_loop().create_task(turn.play())
        turn.task.add_done_callback(turn.played)

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
        self.answer(request_id, {})
        thread.history.append(
            {
                "type": "message",
                "role": "user",
                "content": [
                    {
                        "type": "input_text",
                        "text": "<turn_aborted>\nThe user interrupted the turn.",
                    }
                ],
            }
        )
        if turn.task is not None:
            turn.task.cancel()

    def turn_ended(self) -> None:
        self.turns_ended += 1
        if self.turns_ended == int(self.options.get("die-after-turns", 0)):
            self.tasks.add(asyncio.get_running_loop().create_task(self.die()))

    async def die(self) -> None:
        await self.flush()
        os._exit(1)


def main() -> int:
    options = process_options()
    if "--version" in sys.argv:
        print(f"codex-cli {options.get('old-version', VERSION)}")
        return 0
    if "app-server" not in sys.argv:
        print("fake_codex.py speaks only `app-server` and `--version`", file=sys.stderr)
        return 2
    if "exit-at-start" in options:
        print("Error: the fake was told to exit at its start", file=sys.stderr)
        return int(options["exit-at-start"] or 1)
    # SIGTERM ends the real one with status 0; asyncio is left to end running turns unreported, as it does.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    status = asyncio.run(Server(options).run())
    sys.stderr.flush()
    # Running turns are not waited for, nor reported.
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
