"""Fields about functions in every wrong shape: each request is answered with 200, or with a 400 that names a field, and
nothing that a client sends ends the bridge or holds a place.

The shapes are drawn from a seed, so that a run can be repeated.
"""

from __future__ import annotations

import http.client
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bodies import ENDLESS, MARK
from conftest import Report
from harness import API_KEY, Bridge, checked_error

REQUESTS = 150
REQUESTS_IN_FULL = 5_000
SEED = 22
# A message of an error says where and what, and repeats little of what was sent.
MAX_MESSAGE = 600

SCHEMAS: list[Any] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    {"type": "object", "additionalProperties": True},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "patternProperties": {"^x": {}}},
    {"type": ["object", "null"]},
    {"type": "object", "properties": {"a": True, "b": False, "c": None, "d": 5}},
    {"type": "object", "required": "a", "properties": []},
    {"type": "object", "properties": {"a": {"type": 5, "enum": {}, "anyOf": {}}}},
    {"$ref": "#"},
    {"$ref": "#/$defs/missing", "type": "object"},
    {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
    {"type": "object", "properties": {"a": {"$ref": "https://example.org/x"}}},
    {"type": "object", "oneOf": [{}], "allOf": [], "not": {}},
    {"type": "object", "properties": {"": {"type": "string"}, MARK * 50: {}}},
    {"type": "object", "properties": {"a": {"enum": []}, "b": {"const": []}}},
    ENDLESS,
    {"type": "array"},
    {},
]
NAMES: list[Any] = [
    *("f", "g", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "get weather", "a.b/c", "名前", MARK * 60, "x" * 256, "x" * 257, "", " "),
    *("exec_command", "client", "f\n", "\0", "\ud83d\ude00"),
]  # fmt: skip
IDS: list[Any] = [
    "c1",
    "c2",
    "c3",
    "c4",
    "c5",
    "",
    "c" * 5000,
    MARK * 500,
    "c" * 40_000,
]
# What stands where something else is expected.
WRONG: list[Any] = [None, True, 0, -1.5, 1e308, "", "x", [], {}, [[]], [None], {"type": "x"}, "auto"]  # fmt: skip


# How often a field is there at all.
CHANCES = {"tools": 0.8, "functions": 0.2, "tool_choice": 0.15, "function_call": 0.1}


class Shapes:
    """Draws bodies."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": self.messages()}
        fields: dict[str, Callable[[], Any]] = {
            "tools": lambda: self.list_of(self.tool),
            "tool_choice": self.choice,
            "functions": lambda: self.list_of(self.function),
            "function_call": self.choice,
            "parallel_tool_calls": lambda: self.pick([True, False]),
            "web_search_options": lambda: self.pick(
                [{}, {"search_context_size": "low"}]
            ),
            "stream": lambda: self.pick([True, False]),
            "session_id": lambda: self.pick(["a", "b"]),
        }
        for name, make in fields.items():
            if self.random.random() < CHANCES.get(name, 0.3):
                body[name] = self.maybe_wrong(make)
        return body

    def pick(self, values: list[Any]) -> Any:
        return self.random.choice(values)

    def maybe_wrong(self, make: Callable[[], Any], chance: float = 0.04) -> Any:
        return self.pick(WRONG) if self.random.random() < chance else make()

    def list_of(self, make: Callable[[], Any]) -> list[Any]:
        return [self.maybe_wrong(make, 0.01) for _ in range(self.pick([0, 1, 1, 2, 3]))]

    def some(self, members: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        """Members of an object, now and then one missing or wrong."""
        return {
            name: self.maybe_wrong(make, 0.01)
            for name, make in members.items()
            if self.random.random() > 0.01
        }

    def function(self) -> Any:
        made = self.some(
            {
                "name": lambda: self.pick(NAMES),
                "description": lambda: self.pick(["", "What it is for.", "x" * 5000]),
                "parameters": lambda: self.pick(SCHEMAS),
            }
        )
        if self.random.random() < 0.3:
            made["strict"] = self.maybe_wrong(lambda: True)
        return made

    def tool(self) -> Any:
        kind = self.pick(
            ["function"] * 40 + ["web_search"] * 4 + ["custom", "mcp", MARK]
        )
        if self.random.random() < 0.3:
            return {"type": kind, **self.function()}
        return self.some({"type": lambda: kind, "function": self.function})

    def choice(self) -> Any:
        named = {"name": self.pick(NAMES)}
        return self.pick(
            [
                *("auto", "none", "required", "any", "sometimes", named),
                {"type": "function", "function": named},
                {"type": "function", **named},
                {"type": "function"},
                {"type": "allowed_tools", "mode": "required", "tools": [named, 5]},
                {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": named}]}},
                {"type": "web_search"},
                {"type": MARK * 100},
            ]
        )  # fmt: skip

    def text(self) -> str:
        return str(
            self.pick(
                [
                    "hi",
                    "demo: call=f:{}",
                    "demo: call=f:{} call=g:[1] call-id=c1",
                    'demo: call=f:{"a":{"a":null}} round call=f:5',
                    'demo: say={"a":null}',
                    "demo: call=f: call=nobody:{} ask-unoffered",
                ]
            )
        )

    def messages(self) -> Any:
        found: list[Any] = [{"role": "user", "content": self.text()}]
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            ids = self.random.sample(IDS, self.pick([1, 1, 2]))
            found.append(self.maybe_wrong(partial(self.answer, ids), 0.01))
            # In any order, missing, twice, or of nothing.
            returned = ids * self.pick([1, 1, 1, 2])
            self.random.shuffle(returned)
            for one in returned[self.pick([0] * 7 + [1]) :]:
                found.append(self.maybe_wrong(partial(self.output, one), 0.01))
        if self.random.random() < 0.1:
            self.random.shuffle(found)
        return found

    def answer(self, ids: list[Any]) -> Any:
        if self.random.random() < 0.2:
            call = self.some({"name": lambda: "f", "arguments": lambda: "{}"})
            return {"role": "assistant", "content": None, "function_call": call}
        calls = [
            self.some(
                {
                    "id": partial(str, one),
                    "type": lambda: "function",
                    "function": lambda: self.some(
                        {"name": lambda: "f", "arguments": lambda: "{"}
                    ),
                }
            )
            for one in ids
        ]
        return {
            "role": "assistant",
            "content": self.pick([None, "", "x"]),
            "tool_calls": calls,
        }

    def output(self, one: Any) -> Any:
        if self.random.random() < 0.2:
            return self.some(
                {
                    "role": lambda: "function",
                    "name": lambda: "f",
                    "content": lambda: "x",
                }
            )
        content = self.pick(
            ["x", "", None, [{"type": "text", "text": "x"}], [{"type": "image_url"}]]
        )
        return self.some(
            {
                "role": lambda: "tool",
                "tool_call_id": lambda: one,
                "content": lambda: content,
            }
        )


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[Bridge]:
    bridge = Bridge(tmp_path, fake=True)
    yield bridge.start()
    bridge.stop()


def test_every_shape_is_answered(judged: Bridge, full: bool, report: Report) -> None:
    shapes = Shapes(SEED)
    connection = http.client.HTTPConnection(*judged.address, timeout=60)
    statuses: Counter[int] = Counter()
    for _ in range(REQUESTS_IN_FULL if full else REQUESTS):
        body = shapes.body()
        data = json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {API_KEY}",
            "Content-Type": "application/json",
        }
        connection.request("POST", "/v1/chat/completions", data, headers)
        response = connection.getresponse()
        answer = response.read()
        statuses[response.status] += 1
        # 502: the fake engine gives another answer than the call that had to be made.
        is_no_call = response.status == 502 and b"had to call a function" in answer
        assert response.status in (200, 400) or is_no_call, (answer, body)
        if response.status == 400:
            error = checked_error(json.loads(answer))
            assert error["param"], (error, body)
            assert len(error["message"]) <= MAX_MESSAGE, (error, body)
    connection.close()
    report(", ".join(f"{count} times {status}" for status, count in statuses.items()))
    # Neither all refused nor all taken, or the shapes are no test.
    assert min(statuses[200], statuses[400]) > sum(statuses.values()) / 10
    assert judged.request("GET", "/ready", key=None).status == 200
    metrics = judged.request("GET", "/metrics").body.decode().splitlines()
    assert "codexbridge_turns_running 0" in metrics
    assert "codexbridge_engine_restarts_total 0" in metrics
