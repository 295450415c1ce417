"""What clients send back after a call: results in every form and order, missing ones, and tools in other forms."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

import pytest

from functions import (
    ADD,
    MODELS,
    TOOLS,
    TWO_ROUNDS,
    WEATHER,
    calls_of,
    function,
    message_of,
    names_and_arguments,
    post,
    result,
    run_call,
    text_of,
    user,
)
from harness import Bridge, Json, RawStream, events

pytestmark = pytest.mark.parametrize("model", MODELS)

BOTH = 'demo: call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2}'
# One pixel.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_results_as_parts(demo: Bridge, model: str) -> None:
    messages = [user(BOTH)]
    first, second = calls_of(demo, model, messages)
    parts = [{"type": "text", "text": "sunny "}, {"type": "text", "text": "in Rome"}]
    messages += [result(first, parts), result(second, [{"type": "text", "text": "3"}])]
    words = text_of(demo, model, messages).split()
    assert " ".join(words) == "get_weather said: sunny in Rome add said: 3"


def test_an_image_in_a_result(demo: Bridge, model: str) -> None:
    messages = [user("demo: call=get_weather")]
    [call] = calls_of(demo, model, messages)
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    messages.append(result(call, [{"type": "text", "text": "look"}, image]))
    assert text_of(demo, model, messages) == "get_weather said and showed 1 image: look"


def test_results_out_of_order(demo: Bridge, model: str) -> None:
    messages = [user(BOTH)]
    calls = calls_of(demo, model, messages)
    messages += [result(call, run_call(call)) for call in reversed(calls)]
    text = text_of(demo, model, messages)
    assert text == "get_weather said: sunny in Rome\nadd said: 3"


@pytest.mark.parametrize("present", [0, 1])
def test_a_missing_result(demo: Bridge, model: str, present: int) -> None:
    """It names the message that calls, and the turn still waits: the whole results are taken afterwards."""
    messages = [user(BOTH)]
    calls = calls_of(demo, model, messages)
    results = [result(call, run_call(call)) for call in calls]
    kept = [results[index] for index in range(2) if index == present]
    answer = post(demo, model, messages + kept)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["param"] == "messages[1]"
    assert calls[1 - present]["id"] in answer.error["message"]
    text = text_of(demo, model, messages + results)
    assert text == "get_weather said: sunny in Rome\nadd said: 3"


def test_a_long_result_arrives_whole(demo: Bridge, model: str) -> None:
    messages = [user("demo: call=get_weather")]
    [call] = calls_of(demo, model, messages)
    messages.append(result(call, "x" * 299_980 + "12345678901234567890"))
    text = text_of(demo, model, messages)
    assert text == (
        "get_weather said 300000 characters, the last are “12345678901234567890”"
    )


def test_an_empty_result(demo: Bridge, model: str) -> None:
    messages = [user("demo: call=get_weather")]
    [call] = calls_of(demo, model, messages)
    messages.append(result(call, ""))
    assert text_of(demo, model, messages).rstrip() == "get_weather said:"


@pytest.mark.parametrize("session", [False, True])
def test_what_the_user_says_beside_the_results(
    demo: Bridge, model: str, session: bool
) -> None:
    """It follows the results, in the same call of the model."""
    extra = {"session_id": f"beside-{model}"} if session else {}
    messages = [user(BOTH)]
    calls = calls_of(demo, model, messages, **extra)
    messages += [result(call, run_call(call)) for call in calls]
    messages.append(user("demo: outputs"))
    text = text_of(demo, model, messages, **extra)
    assert text == "get_weather said: sunny in Rome\nadd said: 3"
    messages += [{"role": "assistant", "content": text}, user("demo: history")]
    lines = text_of(demo, model, messages, **extra).splitlines()
    said = [line for line in lines if line.startswith("user: demo:")]
    assert said == [f"user: {BOTH}", "user: demo: outputs", "user: demo: history"]


def test_only_the_results_in_a_session(demo: Bridge, model: str) -> None:
    """A client that keeps no history, because the session does."""
    extra = {"session_id": f"results-{model}"}
    calls = calls_of(demo, model, [user(BOTH)], **extra)
    results = [result(call, run_call(call)) for call in calls]
    text = text_of(demo, model, results, **extra)
    assert text == "get_weather said: sunny in Rome\nadd said: 3"


def test_a_history_of_another_server(demo: Bridge, model: str) -> None:
    """Calls that this bridge never made: they and their results reach the model in their places."""
    call = {
        "id": "call_elsewhere",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a":1,"b":2}'},
    }
    messages = [
        user("one and two?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result(call, "three"),
    ]
    said = text_of(demo, model, [*messages, user("demo: history")])
    assert "user: one and two?" in said
    # The newest message is a result: the model goes on with it.
    messages[0] = user("demo: call=add round outputs")
    assert text_of(demo, model, messages) == "add said: three"


def test_names_that_codex_does_not_take(demo: Bridge, model: str) -> None:
    """Codex gets others, and the client its own: two that would look the same, another script, a long one."""
    names = ["files.read/all", "files/read.all", "wetter_für_日本", "x" * 200]
    tools = [function(name, {"path": {"const": "a"}}) for name in names]
    messages = [user("demo: " + " ".join(f"call={alias(name)}" for name in names))]
    calls = calls_of(demo, model, messages, tools=tools)
    assert names_and_arguments(calls) == [(name, {"path": "a"}) for name in names]
    messages += [result(call, str(index)) for index, call in enumerate(calls)]
    text = text_of(demo, model, messages, tools=tools)
    assert text.splitlines() == [
        f"{alias(name)} said: {index}" for index, name in enumerate(names)
    ]


def alias(name: str) -> str:
    """What Codex calls a function with such a name: what it takes of it, then a part of the name's hash."""
    allowed = string.ascii_letters + string.digits + "_-"
    plain = "".join(
        chr(byte) if chr(byte) in allowed else "_" for byte in name.encode()
    )
    return f"{plain[:115]}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def test_the_flat_form_of_a_tool(demo: Bridge, model: str) -> None:
    flat = {"type": "function", **WEATHER["function"]}
    messages = [user("demo: call=get_weather")]
    [call] = calls_of(demo, model, messages, tools=[flat])
    assert call["function"]["name"] == "get_weather"


@pytest.mark.parametrize("nothing", [[], None])
def test_no_tools(demo: Bridge, model: str, nothing: Any) -> None:
    assert text_of(demo, model, [user("demo: tokens=1")], tools=nothing) == "t0 "


def test_another_type_of_tool(demo: Bridge, model: str) -> None:
    tools = [WEATHER, {"type": "custom", "custom": {"name": "run"}}]
    answer = post(demo, model, [user("hello")], tools=tools)
    assert answer.status == 400
    assert answer.error["param"] == "tools[1].type"
    assert answer.error["code"] == "unsupported_tool"


def test_no_call_is_wanted(demo: Bridge, model: str) -> None:
    answer = post(demo, model, [user("Please get weather")], tool_choice="none")
    assert "tool_calls" not in message_of(answer)


def test_one_call_at_a_time(demo: Bridge, model: str) -> None:
    messages = [user(BOTH)]
    called = []
    while calls := calls_of(demo, model, messages, parallel_tool_calls=False):
        [call] = calls
        called.append(call["function"]["name"])
        messages.append(result(call, run_call(call)))
    assert sorted(called) == ["add", "get_weather"]
    assert messages[-1]["content"] == "get_weather said: sunny in Rome\nadd said: 3"


def test_a_function_that_is_no_longer_offered(demo: Bridge, model: str) -> None:
    messages = [user(TWO_ROUNDS)]
    calls = calls_of(demo, model, messages)
    messages += [result(call, run_call(call)) for call in calls]
    answer = post(demo, model, messages, tools=[WEATHER])
    assert "x-bridge-session-restarted" not in answer.headers
    text = message_of(answer)["content"]
    assert "add said: The function add cannot be called now." in text


def test_an_added_function(demo: Bridge, model: str) -> None:
    extra = {"session_id": f"added-{model}"}
    messages = [user(BOTH)]
    calls = calls_of(demo, model, messages, tools=[WEATHER, ADD], **extra)
    messages += [result(call, run_call(call)) for call in calls]
    more = [*TOOLS, function("more", {})]
    answer = post(demo, model, messages, tools=more, **extra)
    assert answer.headers["x-bridge-session-restarted"] == "tools-changed"
    text = message_of(answer)["content"]
    assert text == "get_weather said: sunny in Rome\nadd said: 3"


# -- the older form


def legacy(bridge: Bridge, model: str, messages: list[Json], **fields: Any) -> Json:
    answer = post(
        bridge,
        model,
        messages,
        tools=None,
        functions=[tool["function"] for tool in TOOLS],
        **fields,
    )
    assert answer.status == 200, answer.body
    return dict(answer.json["choices"][0])


def test_the_older_form(demo: Bridge, model: str) -> None:
    """One call in each answer, under `function_call`; results by the name of the function."""
    messages = [
        user(
            'demo: call=get_weather:{"city":"Rome"} round outputs call=add:{"a":1,"b":2}'
        )
    ]
    called = []
    while (choice := legacy(demo, model, messages))["finish_reason"] != "stop":
        assert choice["finish_reason"] == "function_call"
        message = choice["message"]
        assert "tool_calls" not in message
        call = message["function_call"]
        assert set(call) == {"name", "arguments"}
        called.append((call["name"], json.loads(call["arguments"]), message["content"]))
        content = run_call({"function": call})
        messages += [
            message,
            {"role": "function", "name": call["name"], "content": content},
        ]
    assert called == [
        ("get_weather", {"city": "Rome"}, None),
        ("add", {"a": 1, "b": 2}, "get_weather said: sunny in Rome"),
    ]
    assert choice["message"]["content"] == "add said: 3"


def test_the_older_form_has_one_call(demo: Bridge, model: str) -> None:
    choice = legacy(demo, model, [user(BOTH)])
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"]["name"] in ("get_weather", "add")


def test_the_older_form_as_a_stream(demo: Bridge, model: str) -> None:
    body = {
        "model": model,
        "messages": [user('demo: call=add:{"a":1,"b":2}')],
        "functions": [ADD["function"]],
        "stream": True,
    }
    with RawStream(demo.address, body) as stream:
        stream.read_to_last_chunk()
    choices = [
        json.loads(data)["choices"][0]
        for data in events(stream.body)
        if data != "[DONE]"
    ]
    assert [(choice["delta"], choice["finish_reason"]) for choice in choices] == [
        ({"role": "assistant", "content": ""}, None),
        ({"function_call": {"name": "add", "arguments": '{"a":1,"b":2}'}}, None),
        ({}, "function_call"),
    ]
    none = legacy(demo, model, [user("Please get weather")], function_call="none")
    assert none["finish_reason"] == "stop"
