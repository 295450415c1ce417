"""What a turn of the fake engine is told to do: the `demo:` line of its user text (Tests/README.md)."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

# Words that take the rest of the line, unless what they say is a JSON string.
TEXTS = ("say", "run")
# Words that bring their own text, so that the default five tokens would be in the way.
BRINGS_ITS_OWN_TEXT = (
    "fail",
    "big",
    "reconnecting",
    "history",
    "params",
    "outputs",
    *TEXTS,
)
# Words that make a text, as a step between calls.
SAYS = ("tokens", "say", "history", "params", "outputs", "big")
# Words about the pace: they go over to the next round.
PACE = (
    "delay",
    "first",
    "id",
    "reasoning",
    "usage",
    "commentary",
    "phase",
    "call-id",
    "late",
)
LONGEST_SHOWN = 1000


class Round:
    """What the model does in one call: words without order, and the steps in theirs."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words
        # ("text", ""), ("run", COMMAND) or ("call", NAME, arguments as text or None).
        self.steps: list[tuple[str, str, str | None]] = []

    @property
    def calls_tools(self) -> bool:
        return any(kind == "call" for kind, _, _ in self.steps)

    def successor(self) -> Round:
        return Round({key: self.words[key] for key in PACE if key in self.words})

    def add(self, key: str, value: str, arguments: str | None) -> None:
        if key in ("run", "call"):
            self.steps.append((key, value, arguments))
        if key == "call":
            return
        if key in SAYS and ("text", "", None) not in self.steps:
            self.steps.append(("text", "", None))
        self.words[key] = value


class Script:
    """The rounds of one user message."""

    def __init__(self, text: str) -> None:
        self.rounds = [Round({})]
        lines = [line for line in text.split("\n") if line.startswith("demo:")]
        rest = lines[-1][len("demo:") :].strip() if lines else ""
        while rest:
            rest = self.take_word(rest).strip()

    def round(self, index: int) -> Round:
        """What is done after `index` rounds; where nothing more is written, it tells what the tools gave."""
        written = index < len(self.rounds)
        found = self.rounds[index] if written else self.rounds[-1].successor()
        says = any(word in found.words for word in (*SAYS, "run", "fail"))
        if index and not says and not found.calls_tools:
            found.add("outputs", "", None)
        return found

    def take_word(self, rest: str) -> str:
        """Understands the first word and returns what follows it."""
        key = rest.partition(" ")[0].partition("=")[0]
        value = rest[len(key) :]
        arguments = None
        if key == "call" and value[:1] == "=":
            value, arguments, rest = take_call(value[1:])
        elif key in TEXTS and value[:1] == "=":
            value, rest = take_text(value[1:])
        else:
            value, _, rest = value.removeprefix("=").partition(" ")
        if key == "round":
            self.rounds.append(self.rounds[-1].successor())
        else:
            self.rounds[-1].add(key, value, arguments)
        return rest


def take_text(rest: str) -> tuple[str, str]:
    if rest.startswith('"'):
        try:
            text, end = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            return rest, ""
        return text, rest[end:]
    return rest, ""


def take_call(rest: str) -> tuple[str, str | None, str]:
    """`NAME:ARGUMENTS` as name, text of the arguments, and the rest."""
    word = rest.partition(" ")[0]
    name, colon, _ = word.partition(":")
    after = rest[len(name) + len(colon) :]
    if not colon:
        return name, None, after
    try:
        value, end = json.JSONDecoder().raw_decode(after)
    except ValueError:
        broken, _, after = after.partition(" ")
        return name, broken, after
    return name, json.dumps(value, separators=(",", ":")), after[end:]


def directives(text: str) -> dict[str, str]:
    """All words of a text's script, whatever their round."""
    words: dict[str, str] = {}
    for found in Script(text).rounds:
        words.update(found.words)
    return words


def message_text(item: Json) -> str:
    """The text parts of one message item, joined."""
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict))


# -- what a history says about the rounds


def is_user(item: Json) -> bool:
    text = message_text(item)
    return item.get("role") == "user" and not text.startswith("<turn_aborted>")


def is_output(item: Json) -> bool:
    return str(item.get("type")).endswith("_output")


def is_of_model(item: Json) -> bool:
    kind = str(item.get("type"))
    return (
        item.get("role") == "assistant" or kind == "reasoning" or kind.endswith("_call")
    )


def finished_rounds(history: list[Json]) -> int:
    """How often the model has been called for the last user message."""
    rounds, after_output = 0, False
    for item in history:
        if is_user(item):
            rounds, after_output = 0, False
        elif is_output(item):
            rounds, after_output = rounds + (not after_output), True
        elif is_of_model(item):
            after_output = False
    return rounds


def told_outputs(history: list[Json]) -> str:
    """What the tools gave since the model was called before, as the stand-in model tells it."""
    names: dict[str, list[str]] = {}
    start = 0
    for index, item in enumerate(history):
        if is_of_model(item):
            start = index
            if "call_id" in item:
                names.setdefault(item["call_id"], []).append(item["name"])
    lines = []
    for item in history[start:]:
        if is_output(item):
            called = names.get(item["call_id"], [item["call_id"]])
            lines.append(told(called.pop(0) if len(called) > 1 else called[0], item))
    return "\n".join(lines)


def told(name: str, item: Json) -> str:
    output = item.get("output")
    parts = output if isinstance(output, list) else []
    text = "\n".join(p["text"] for p in parts if "text" in p) if parts else str(output)
    if name in ("exec_command", "exec"):
        return f"The command printed: {text}"
    count = sum(part.get("type") == "input_image" for part in parts)
    images = f" and showed {count} image{'s' * (count > 1)}" if count else ""
    if len(text) <= LONGEST_SHOWN:
        return f"{name} said{images}: {text}"
    return f"{name} said {len(text)} characters{images}, the last are “{text[-20:]}”"


# -- what a call without arguments is called with


def made_up(schema: Any) -> Any:
    """A small value that fits a schema, for the plain schemas of tests."""
    if not isinstance(schema, dict):
        return "demo"
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        required = schema.get("required", list(properties))
        return {k: made_up(v) for k, v in properties.items() if k in required}
    plain = {"integer": 1, "number": 1.5, "boolean": True, "null": None, "array": []}
    return plain.get(str(kind), "demo")
