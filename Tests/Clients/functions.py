"""Functions that the tests offer the model, and a loop that runs what it calls, without a client library.

No test cases here. The words of the stand-in model are in Tests/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness import Answer, Bridge, Json, check_call

# One model of each family: of the second Codex calls its own tools from code.
MODELS = ("gpt-5.5", "gpt-6.1-sol")

Run = Callable[..., Any]


def function(name: str, properties: Json, **fields: Any) -> Json:
    """A tool in the form of `/v1/chat/completions`, all of whose properties are required."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "parameters": schema, **fields},
    }


WEATHER = function(
    "get_weather", {"city": {"type": "string"}}, description="The weather in a city"
)
ADD = function(
    "add",
    {"a": {"type": "integer"}, "b": {"type": "integer"}},
    description="The sum of two numbers",
)
TOOLS = [WEATHER, ADD]


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


FUNCTIONS: dict[str, Run] = {"get_weather": get_weather, "add": add}

# A text and two calls side by side; then what these have returned, as text, beside one more call; then the answer.
TWO_ROUNDS = (
    'demo: say="Let me see. " call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2}'
    ' round outputs call=add:{"a":3,"b":4}'
)
FIRST_TEXT = "Let me see. "
SECOND_TEXT = "get_weather said: sunny in Rome\nadd said: 3"
LAST_TEXT = "add said: 7"
# What TWO_ROUNDS runs, in this order.
CALLED = [
    ("get_weather", {"city": "Rome"}),
    ("add", {"a": 1, "b": 2}),
    ("add", {"a": 3, "b": 4}),
]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def result(call: Json, content: Any) -> Json:
    """The message that tells what a call has returned."""
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


def post(
    bridge: Bridge,
    model: str,
    messages: list[Json],
    path: str = "/v1",
    **fields: Any,
) -> Answer:
    """A request with the functions of this file, unless `tools` says otherwise."""
    body = {"model": model, "messages": messages, "tools": TOOLS, **fields}
    return bridge.request("POST", f"{path}/chat/completions", body)


def message_of(answer: Answer) -> Json:
    """The message of an answer, its calls checked for their form."""
    assert answer.status == 200, answer.body
    choice = answer.json["choices"][0]
    message = dict(choice["message"])
    assert "content" in message
    calls = message.get("tool_calls")
    # Never an empty list: some clients take it for calls.
    assert calls is None or calls
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    for call in calls or []:
        assert set(call) == {"id", "type", "function"}
        check_call(call)
    return message


def names_and_arguments(calls: list[Json]) -> list[tuple[str, Any]]:
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in calls
    ]


def calls_of(
    bridge: Bridge, model: str, messages: list[Json], **fields: Any
) -> list[Json]:
    """Asks, puts the answer at the end of `messages`, and gives its calls."""
    message = message_of(post(bridge, model, messages, **fields))
    messages.append(message)
    return list(message.get("tool_calls") or [])


def text_of(bridge: Bridge, model: str, messages: list[Json], **fields: Any) -> str:
    """The text of an answer that calls nothing."""
    message = message_of(post(bridge, model, messages, **fields))
    assert "tool_calls" not in message, message
    assert isinstance(message["content"], str)
    return message["content"]


def run_call(call: Json) -> str:
    """Runs what a call asks for."""
    [(name, arguments)] = names_and_arguments([call])
    return str(FUNCTIONS[name](**arguments))
