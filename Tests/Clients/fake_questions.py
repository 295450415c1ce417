"""What the fake engine may ask besides a plain command, and the noise it may make (see fake_codex.py)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from fake_thread import Interrupted

if TYPE_CHECKING:
    from fake_turn import Turn

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


async def ask_about_command(turn: Turn) -> list[str]:
    """Asks whether a command may run, reports the command's fate, returns the answer as text."""
    item: Json = {
        "type": "commandExecution",
        "id": "call_1",
        "command": "/bin/bash -lc 'touch approved'",
        "cwd": turn.thread.params.get("cwd") or os.getcwd(),
        "status": "inProgress",
        "commandActions": [],
        "aggregatedOutput": None,
        "exitCode": None,
    }
    turn.item("started", item)
    reply = await turn.server.ask(
        "item/commandExecution/requestApproval",
        {
            **turn.address(),
            "itemId": "call_1",
            "kind": "command",
            "reason": "need write",
            "command": item["command"],
            "cwd": item["cwd"],
            "commandActions": [],
            "availableDecisions": ["accept", "cancel"],
        },
        turn,
    )
    if "error" in reply:
        decision = f"error:{reply['error'].get('code')}"
    else:
        decision = str((reply.get("result") or {}).get("decision"))
    accepted = decision in ("accept", "acceptForSession")
    outcome = (
        {"status": "completed", "exitCode": 0} if accepted else {"status": "declined"}
    )
    turn.item("completed", {**item, **outcome})
    if decision == "cancel":
        raise Interrupted
    return [f"decision:{decision} "]


async def ask_question(turn: Turn, kind: str) -> list[str]:
    """Asks what QUESTIONS says, about an item of its own where there is one; returns the result as text."""
    method, params, item = QUESTIONS[kind]
    if item:
        turn.item("started", {"id": "call_1", "status": "inProgress", **item})
    asked = {**turn.address(), "itemId": "call_1", **params}
    reply = await turn.server.ask(method, asked, turn)
    if item:
        turn.item("completed", {"id": "call_1", "status": "completed", **item})
    answer = reply.get("result", reply.get("error"))
    return [f"answer:{json.dumps(answer, separators=(',', ':'))} "]
