"""Request bodies that are dear to read: each is made to hold up whoever reads it carelessly.

`TABLE` has a name, what makes a body of about so many bytes, and the statuses that are right for it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# One character to whoever counts characters, and two bytes for each of its marks.
MARK = "\u0301"
# Functions of about so many bytes are taken, with what is around them.
MOST_TOOLS = 3 << 19


@dataclass
class Body:
    name: str
    make: Callable[[int], bytes]
    statuses: tuple[int, ...] = (400,)
    path: str = "/v1/chat/completions"
    # Of its kind the dearest ones are sent each time, the others with `--full`.
    only_full: bool = False


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def chat(content: Any = "hi", **members: Any) -> bytes:
    return text({"messages": [{"role": "user", "content": content}], **members})


def marks(size: int) -> str:
    return "a" + MARK * (size // 2)


def raw(size: int, member: str, element: str) -> bytes:
    """A body with a member that is an array of these."""
    elements = ",".join([element] * (size // (len(element) + 1)))
    return chat()[:-1] + f',"{member}":[{elements}]}}'.encode()


def messages(size: int, element: str) -> bytes:
    elements = ",".join([element] * (size // (len(element) + 1)))
    return f'{{"messages":[{elements}]}}'.encode()


def content(size: int, element: str) -> bytes:
    elements = ",".join([element] * (size // (len(element) + 1)))
    return f'{{"messages":[{{"role":"user","content":[{elements}]}}]}}'.encode()


def image(url: str) -> list[Any]:
    return [{"type": "image_url", "image_url": {"url": url}}]


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def members(size: int) -> bytes:
    many = ",".join(f'"k{number}":1' for number in range(size // 12))
    return chat()[:-1] + f',"metadata":{{{many}}}}}'.encode()


def calls(size: int) -> bytes:
    call = '{"id":"c","function":{"name":"f"}}'
    many = ",".join([call] * (size // (len(call) + 1)))
    return f'{{"messages":[{{"role":"assistant","content":null,"tool_calls":[{many}]}}]}}'.encode()


def function(name: str, parameters: Any = None, **members: Any) -> dict[str, Any]:
    """A function in the older form, which is also the inner part of a tool."""
    return {"name": name, "parameters": parameters or {"type": "object"}, **members}


def with_functions(content: str, functions: list[Any], **members: Any) -> bytes:
    tools = [{"type": "function", "function": one} for one in functions]
    return chat(content, tools=tools, **members)


def properties(size: int, count: int) -> dict[str, Any]:
    """An object with so many members, whose descriptions take so many bytes together."""
    member = {"type": "string", "description": "x" * (size // count)}
    return {"type": "object", "properties": {f"p{n}": member for n in range(count)}}


def tree(depth: int) -> Any:
    return {"a": tree(depth - 1)} if depth else {}


# Each form refers to all of them again: whoever tries one after the other doubles the work with each level.
ENDLESS = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/node"}},
    "$defs": {
        "node": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/node"}},
                    "required": ["a", f"missing{n}"],
                }
                for n in range(20)
            ]
        }
    },
}


def endless(size: int) -> bytes:
    """A call whose arguments are to be checked, and the bytes in a description."""
    return with_functions(
        f"demo: call=f:{text(tree(30)).decode()}",
        [function("f", ENDLESS, strict=True, description="x" * min(size, 250_000))],
    )


def endless_choice(size: int) -> bytes:
    """The same of an answer that has to be a call."""
    return with_functions(
        f"demo: say={text(tree(30)).decode()}",
        [function("f", ENDLESS, description="x" * min(size, 250_000))],
        tool_choice={"type": "function", "function": {"name": "f"}},
    )


def many_members(size: int) -> bytes:
    """A call with as many members as the schema has names, none of which is there."""
    required = [f"r{n}" for n in range(min(size, 1 << 20) // 16)]
    arguments = {f"a{n}": 0 for n in range(4000)}
    return with_functions(
        f"demo: call=f:{text(arguments).decode()}",
        [function("f", {"type": "object", "required": required}, strict=True)],
    )


def nested(size: int, keyword: str) -> bytes:
    """Schemas as deep as JSON may be here, side by side."""
    branch: Any = {"type": "string"}
    for _ in range(24):
        inner = [branch] if keyword == "anyOf" else {"a": branch}
        branch = {"type": "object", keyword: inner}
    count = min(size, MOST_TOOLS) // len(text(branch))
    return with_functions("hi", [function("f", {"type": "object", "anyOf": [branch] * count})])


def outputs(ids: list[str], calls: list[str] | None = None) -> bytes:
    """An answer with calls, and what they have returned."""
    called = [
        {"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for one in (ids if calls is None else calls)
    ]
    returned = [{"role": "tool", "tool_call_id": one, "content": "x"} for one in ids]
    answer = {"role": "assistant", "content": None, "tool_calls": called}
    asked = {"role": "user", "content": "x"}
    return text({"messages": [asked, *([answer] if called else []), *returned]})


def schema(size: int, element: str) -> bytes:
    many = ",".join([element] * (size // (len(element) + 1)))
    return chat()[:-1] + f',"output_schema":{{"enum":[{many}]}}}}'.encode()


USER = '{"role":"user","content":"x"}'
PNG_HEAD = b"\x89PNG\r\n\x1a\n"

TABLE = [
    # Strings that are a single character.
    Body("model", lambda n: chat(model=marks(n))),
    Body("reasoning_effort", lambda n: chat(reasoning_effort=marks(n))),
    Body("reasoning.effort", lambda n: chat(reasoning={"effort": marks(n)})),
    Body("session_id", lambda n: chat(session_id=marks(n))),
    Body("user", lambda n: chat(user=marks(n))),
    Body("role", lambda n: text({"messages": [{"role": marks(n), "content": "x"}]})),
    Body("type of a part", lambda n: chat([{"type": marks(n)}])),
    Body("image_url", lambda n: chat(image(marks(n)))),
    Body("data: of marks", lambda n: chat(image("data:" + marks(n)))),
    Body(
        "base64 of marks", lambda n: chat(image("data:image/png;base64," + marks(n)))
    ),
    Body("file: of marks", lambda n: chat(image("file:" + marks(n)))),
    Body("http: of marks", lambda n: chat(image("http://" + marks(n)))),
    Body("response_format", lambda n: chat(response_format={"type": marks(n)})),
    Body("modalities", lambda n: chat(modalities=[marks(n)])),
    Body("stop", lambda n: chat(stop=marks(n))),
    Body(
        "decision", lambda n: text({"decision": marks(n)}), path="/v1/approvals/nothing"
    ),
    Body("text of marks", lambda n: chat(marks(n)), (200,)),
    Body("system prompt of marks", lambda n: text(
        {"messages": [{"role": "system", "content": marks(n)}, {"role": "user", "content": "x"}]}
    ), (200,)),
    Body("session with a long system prompt", lambda n: text(
        {"session_id": "long", "messages": [
            {"role": "system", "content": "x" * n}, {"role": "user", "content": "x"}]}
    ), (200,)),
    Body("tool_choice", lambda n: chat(tool_choice=marks(n))),
    Body("tool_call_id", lambda n: text(
        {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": marks(n), "content": "x"}]}
    ), (400,)),
    Body("arguments", lambda n: text(
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c", "function": {"name": "f", "arguments": marks(n)}}]},
            {"role": "tool", "tool_call_id": "c", "content": "x"}]}
    ), (200,)),
    Body("name of a member", lambda n: chat()[:-1] + f',"{marks(n)}":1}}'.encode(), (200,)),
    Body("the same name twice", lambda n: chat()[:-1] + (f',"{marks(n // 2)}":1' * 2).encode() + b"}"),
    # Paths and URLs.
    Body("path of %", lambda n: chat([{"type": "local_image", "path": "%" * n}])),
    Body("path of slashes", lambda n: chat([{"type": "local_image", "path": "/" * n}])),
    Body("file: of %41", lambda n: chat(image("file:" + "%41" * (n // 3)))),
    Body("http: of letters", lambda n: chat(image("http://" + "a" * n))),
    Body("no scheme", lambda n: chat(image("x" * n))),
    # Counts.
    Body("parts", lambda n: content(n, '""')),
    Body("text parts", lambda n: content(n, '{"type":"text","text":"x"}')),
    Body("image parts", lambda n: content(n, '{"type":"image_url","image_url":"x"}')),
    Body("messages", lambda n: messages(n, USER)),
    Body("system messages", lambda n: messages(n, '{"role":"system","content":"x"}')),
    Body("empty messages", lambda n: messages(n, "{}")),
    Body("as many messages as may be", lambda n: messages(min(n, 4096 * (len(USER) + 1)), USER), (200,)),
    Body("messages of text", lambda n: messages(n, f'{{"role":"user","content":"{"x" * (n // 4000)}"}}'), (200,)),
    Body("tools", lambda n: raw(n, "tools", '{"type":"function","function":{"name":"f"}}')),
    Body("functions", lambda n: raw(n, "functions", "{}")),
    Body("tool calls", calls),
    Body("stops", lambda n: raw(n, "stop", '""')),
    Body("modalities of text", lambda n: raw(n, "modalities", '"text"')),
    Body("schema of numbers", lambda n: schema(n, "1")),
    Body("schema of objects", lambda n: schema(n, '{"type":"string"}')),
    Body("schema of text", lambda n: chat(output_schema={"description": "x" * n})),
    # Values that take many times their bytes.
    Body("numbers", lambda n: raw(n, "metadata", "1")),
    Body("empty arrays", lambda n: raw(n, "metadata", "[]")),
    Body("arrays of one", lambda n: raw(n, "metadata", "[1]")),
    Body("objects of one", lambda n: raw(n, "metadata", '{"a":1}')),
    Body("objects of two", lambda n: raw(n, "metadata", '{"a":1,"b":2}')),
    Body("objects in objects", lambda n: raw(n, "metadata", '{"a":{"a":{"a":1}}}')),
    Body("short strings", lambda n: raw(n, "metadata", '"0123456789abcdef"'), (200, 400)),
    Body("members", members, (200, 400)),
    Body("escapes", lambda n: chat("").replace(b'""', b'"' + b"\\u00e9" * (n // 6) + b'"'), (200,)),
    Body("control characters", lambda n: chat("\x01" * (n // 6)), (200,)),
    Body("digits", lambda n: chat()[:-1] + b',"n":' + b"1" * n + b"}"),
    Body("zeros", lambda n: chat()[:-1] + b',"n":1.' + b"0" * n + b"}"),
    Body("depth", lambda n: b"[" * n),
    Body("white space", lambda n: b" " * n + chat(), (200,)),
    Body("no JSON", lambda n: b"x" * n),
    Body("quotes", lambda n: b'"' + b'\\"' * (n // 2)),
    # Images.
    Body("zeros as a PNG", lambda n: chat(image(data_url(PNG_HEAD + bytes(n * 3 // 4))))),
    Body("ones as a JPEG", lambda n: chat(image(data_url(b"\xff\xd8" + b"\xff" * (n * 3 // 4), "jpeg")))),
    Body("a JPEG of empty segments", lambda n: chat(image(data_url(
        b"\xff\xd8" + b"\xff\xe5\x00\x02" * (n * 3 // 16), "jpeg")))),
    Body("a GIF of empty frames", lambda n: chat(image(data_url(
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + (b"\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00\x02\x00") * (n // 16), "gif")))),
    Body("a WebP of empty chunks", lambda n: chat(image(data_url(
        b"RIFF" + (n // 2 // 8 * 8 + 22).to_bytes(4, "little") + b"WEBPVP8X\x0a\x00\x00\x00" + bytes(10)
        + b"ABCD\x00\x00\x00\x00" * (n // 16), "webp")))),
    Body("spaces as base64", lambda n: chat(image("data:image/png;base64," + " " * n))),
    # Functions.
    Body("as many tools as may be", lambda n: with_functions(
        "hi", [function(f"f{k}", properties(min(n, MOST_TOOLS) // 4096, 4)) for k in range(2048)]), (200,)),
    Body("tools of which one must be called", lambda n: with_functions(
        "hi", [function(f"f{k}", properties(min(n, MOST_TOOLS) // 4096, 4)) for k in range(2048)], tool_choice="required"), (200,),
        only_full=True),
    Body("descriptions", lambda n: with_functions(
        "hi", [function(f"f{k}", description="x" * (min(n, MOST_TOOLS) // 32)) for k in range(32)]), (200,), only_full=True),
    Body("functions that are too long", lambda n: with_functions(
        "hi", [function(f"f{k}", description="x" * 250_000) for k in range(n // 250_000)]), (200, 400), only_full=True),
    Body("a description of marks", lambda n: with_functions("hi", [function("f", description=marks(n))]),
        only_full=True),
    Body("names of marks", lambda n: with_functions(
        "hi", [function(f"{k}" + MARK * 120) for k in range(min(n // 4600, 2048))]), (200,)),
    Body("functions of one name", lambda n: with_functions("hi", [function("f")] * min(n // 80, 2048)), only_full=True),
    Body("the older functions", lambda n: chat(
        functions=[function(f"f{k}", properties(min(n, MOST_TOOLS) // 4096, 4)) for k in range(2048)]), (200,), only_full=True),
    Body("a schema that has no end", endless, (200,)),
    Body("a call that has no end", endless_choice, (200,), only_full=True),
    Body("members that are missing", many_members, (200,), only_full=True),
    Body("forms in forms", lambda n: nested(n, "anyOf"), (200,), only_full=True),
    Body("members in members", lambda n: nested(n, "properties"), (200,), only_full=True),
    Body("functions that are allowed", lambda n: with_functions(
        "hi", [function(f"f{k}") for k in range(2048)],
        tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "x" * 200 + str(k)}} for k in range(min(n // 260, 2048))]}}),
        (200,), only_full=True),
    Body("a choice of many", lambda n: with_functions("hi", [function("f")], tool_choice={
        "type": "allowed_tools", "mode": "auto", "tools": [{"name": "f"}] * (n // 14)}), only_full=True),
    Body("outputs", lambda n: outputs([f"{k}" + "x" * (n // 9000) for k in range(4000)]), (200,), only_full=True),
    Body("outputs of no calls", lambda n: outputs([f"{k}" + "x" * (n // 4500) for k in range(4000)], []), (200,)),
    Body("ids of marks", lambda n: outputs([f"{k}" + MARK * 15_000 for k in range(n // 30_000)], []), (200,)),
    Body("outputs of one call", lambda n: outputs(["c"] * 4000, ["c"]), (200,), only_full=True),
    Body("web_search_options", lambda n: chat(web_search_options={"x": "x" * n}), (200,), only_full=True),
    Body("a decision", lambda n: text({"decision": "x" * n}), path="/v1/approvals/nothing"),
]  # fmt: skip
