"""A small MCP server on standard input and output: `mcp_server.py FILE` notes each call in FILE, a line with its name.

`write_note` changes something; `confirm` and `ask` only read, and ask the client back: for a yes, and for a form.
"""

from __future__ import annotations

import json
import sys
from typing import Any

Json = dict[str, Any]

TEXT_FIELD: Json = {"type": "object", "properties": {"text": {"type": "string"}}}
NO_FIELDS: Json = {"type": "object", "properties": {}}
READS: Json = {"annotations": {"readOnlyHint": True}}
TOOLS: list[Json] = [
    {
        "name": "write_note",
        "description": "Writes a note.",
        "inputSchema": TEXT_FIELD,
    },
    {
        "name": "confirm",
        "description": "Asks back.",
        "inputSchema": NO_FIELDS,
        **READS,
    },
    {
        "name": "ask",
        "description": "Asks for a name.",
        "inputSchema": NO_FIELDS,
        **READS,
    },
]
ELICITATIONS: dict[str, Json] = {
    "confirm": {"message": "Really?", "requestedSchema": NO_FIELDS},
    "ask": {
        "message": "Your name?",
        "requestedSchema": {**TEXT_FIELD, "required": ["text"]},
    },
}


def send(message: Json) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def call(name: str) -> str:
    with open(sys.argv[1], "a") as calls:
        calls.write(f"{name}\n")
    if name not in ELICITATIONS:
        return f"did {name}"
    send(
        {
            "id": "back",
            "method": "elicitation/create",
            "params": ELICITATIONS[name],
        }
    )
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("id") == "back":
            return f"{name}: {message.get('result', {}).get('action')}"
    return f"{name}: no answer"


def answer(message: Json) -> Json:
    method = message["method"]
    params = message.get("params", {})
    if method == "initialize":
        return {
            "result": {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1"},
            }
        }
    if method == "tools/list":
        return {"result": {"tools": TOOLS}}
    if method == "tools/call":
        text = call(params["name"])
        return {"result": {"content": [{"type": "text", "text": text}]}}
    return {"error": {"code": -32601, "message": "unknown method"}}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request and "method" in request:
        send({"id": request["id"], **answer(request)})
