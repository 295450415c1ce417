"""The form of answers that call functions, read from the socket: every row of the known faults in which other servers'
streams have broken clients (indices, names sent twice, no finish, arguments as an object, calls without id)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions import (
    CALLED,
    FIRST_TEXT,
    LAST_TEXT,
    MODELS,
    SECOND_TEXT,
    TOOLS,
    TWO_ROUNDS,
    calls_of,
    message_of,
    names_and_arguments,
    post,
    result,
    run_call,
    text_of,
    user,
)
from harness import Bridge, ChatStream, Json, RawStream, events, parse_chat_stream

pytestmark = pytest.mark.parametrize("model", MODELS)


def stream_of(
    bridge: Bridge, model: str, messages: list[Json], **fields: Any
) -> RawStream:
    body = {
        "model": model,
        "messages": messages,
        "tools": TOOLS,
        "stream": True,
        **fields,
    }
    with RawStream(bridge.address, body) as stream:
        stream.read_to_last_chunk()
    assert stream.status == 200, stream.received
    return stream


def read(stream: RawStream, **options: Any) -> ChatStream:
    return parse_chat_stream(stream.body, **options)


def test_two_rounds_as_streams(bridge: Bridge, model: str) -> None:
    """The reader checks each chunk: one whole call in each, numbered from 0, ids and names once, one finish at the end."""
    messages: list[Json] = [user(TWO_ROUNDS)]
    texts, called = [], []
    while True:
        found = read(stream_of(bridge, model, messages), model=model)
        texts.append(found.text)
        if not found.calls:
            break
        called += found.calls
        messages.append(
            {"role": "assistant", "content": found.text, "tool_calls": found.calls}
        )
        messages += [result(call, run_call(call)) for call in found.calls]
        assert found.finish_reasons == ["tool_calls"]
    assert names_and_arguments(called) == CALLED
    assert texts == [FIRST_TEXT, SECOND_TEXT, LAST_TEXT]
    assert found.finish_reasons == ["stop"]


def test_the_bytes_of_a_stream_with_calls(bridge: Bridge, model: str) -> None:
    text = 'demo: say=Hm call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2} usage=9,4,5,2'
    text = text.replace("say=Hm", 'say="Hm"')
    stream = stream_of(
        bridge, model, [user(text)], stream_options={"include_usage": True}
    )
    found = list(events(stream.body))
    assert found.pop() == "[DONE]"
    chunks = [json.loads(data) for data in found]
    ids = [call["id"] for call in read(stream, include_usage=True).calls]
    assert [chunk["choices"] for chunk in chunks[:-1]] == [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        for delta, reason in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": "Hm"}, None),
            ({"tool_calls": [whole_call(0, ids[0], *CALLED[0])]}, None),
            ({"tool_calls": [whole_call(1, ids[1], *CALLED[1])]}, None),
            ({}, "tool_calls"),
        )
    ]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    # Written together: a client that closes at [DONE] has cancelled nothing.
    assert stream.received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def whole_call(index: int, call_id: str, name: str, arguments: Json) -> Json:
    text = json.dumps(arguments, separators=(",", ":"))
    return {
        "index": index,
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": text},
    }


def test_every_event_comes_whole(bridge: Bridge, model: str) -> None:
    stream = stream_of(bridge, model, [user(TWO_ROUNDS)])
    for chunk in stream.chunks:
        assert chunk.endswith(b"\n\n")
        chunk.decode()


def test_a_whole_answer_with_text_and_calls(bridge: Bridge, model: str) -> None:
    answer = post(bridge, model, [user(TWO_ROUNDS)])
    message = message_of(answer)
    assert message["role"] == "assistant"
    assert message["content"] == FIRST_TEXT
    assert names_and_arguments(message["tool_calls"]) == CALLED[:2]
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    assert message["refusal"] is None
    assert answer.json["object"] == "chat.completion"
    assert answer.json["choices"][0]["index"] == 0
    assert answer.json["usage"]["total_tokens"] > 0


def test_calls_without_text_have_no_content(bridge: Bridge, model: str) -> None:
    """Null in a whole answer; in a stream, only the first chunk's empty text."""
    messages = [user('demo: call=get_weather:{"city":"Rome"}')]
    assert message_of(post(bridge, model, messages))["content"] is None
    found = read(stream_of(bridge, model, messages))
    assert found.content == []
    assert len(found.calls) == 1


def test_usage_is_that_of_each_answer(bridge: Bridge, model: str) -> None:
    """One turn of Codex, two answers: each tells what the model was called for it."""
    messages = [user("demo: call=add usage=10,2,3,1 round usage=20,4,5,2 say=done")]
    first = post(bridge, model, messages)
    assert first.json["usage"]["prompt_tokens"] == 10
    assert first.json["usage"]["total_tokens"] == 13
    message = message_of(first)
    messages += [message, *(result(call, "1") for call in message["tool_calls"])]
    second = post(bridge, model, messages)
    assert second.json["usage"]["prompt_tokens"] == 20
    assert second.json["usage"]["total_tokens"] == 25
    assert second.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 4


def test_reasoning_comes_before_text_and_calls(bridge: Bridge, model: str) -> None:
    messages = [user('demo: reasoning=2 say="Hm. " call=add')]
    found = read(stream_of(bridge, model, messages))
    assert "".join(found.reasoning)
    assert found.text == "Hm. "
    assert len(found.calls) == 1


def test_many_calls_at_once(bridge: Bridge, model: str) -> None:
    count = 20
    words = " ".join(f'call=add:{{"a":{index},"b":0}}' for index in range(count))
    messages: list[Json] = [user(f"demo: {words}")]
    found = read(stream_of(bridge, model, messages))
    numbers = [json.loads(call["function"]["arguments"])["a"] for call in found.calls]
    assert numbers == list(range(count))
    calls = calls_of(bridge, model, messages)
    messages += [result(call, run_call(call)) for call in calls]
    text = message_of(post(bridge, model, messages))["content"]
    assert text == "\n".join(f"add said: {index}" for index in range(count))


def test_arguments_are_passed_on_as_text(bridge: Bridge, model: str) -> None:
    """A string, whatever is in it: quotes, line breaks, other scripts, deep values."""
    arguments = {
        "city": 'a "b" \\ \n 日本 🎉 \u2028',
        "more": {"x": [1, 2.5, None, True]},
    }
    text = f"demo: call=get_weather:{json.dumps(arguments)}"
    for calls in (
        read(stream_of(bridge, model, [user(text)])).calls,
        message_of(post(bridge, model, [user(text)]))["tool_calls"],
    ):
        assert names_and_arguments(calls) == [("get_weather", arguments)]


def test_a_failure_after_text_ends_with_an_error(fake: Bridge, model: str) -> None:
    """No finish beside an error, and no calls of a response that never became whole."""
    stream = stream_of(
        fake, model, [user("demo: tokens=2 call=add fail=insufficient_quota")]
    )
    found = read(stream)
    assert found.text == "t0 t1 "
    assert found.error is not None
    assert found.calls == []
    assert found.finish_reasons == []


def test_a_failure_that_codex_does_not_tell_holds_up_nobody(
    demo: Bridge, model: str
) -> None:
    """While Codex waits for an output it says nothing of a response that has failed: after a silence the call that is known is
    handed out, and the failure comes once its output is there."""
    text = "demo: tokens=2 call=add:{\"a\":1,\"b\":2} fail=insufficient_quota"
    messages = [user(text)]
    found = read(stream_of(demo, model, messages))
    assert found.error is None
    assert found.finish_reasons == ["tool_calls"]
    assert [call["function"]["name"] for call in found.calls] == ["add"]


@pytest.mark.parametrize("fields", [{}, {"session_id": "must-call"}], ids=["unnamed", "named"])
def test_calls_that_must_be_made_round_after_round(demo: Bridge, model: str, fields: Json) -> None:
    """As agents do whose result is a function: each answer has to be a call, until the program has what it wants."""
    named = {key: f"{value}-{model}" for key, value in fields.items()}
    script = 'demo: call=add:{"a":1,"b":2} round call=get_weather:{"city":"Rome"} round outputs'
    messages = [user(script)]
    for name, output in (("add", "3"), ("get_weather", "sunny in Rome")):
        [call] = calls_of(demo, model, messages, tool_choice="required", **named)
        assert call["function"]["name"] == name
        messages.append(result(call, output))
    assert "sunny in Rome" in text_of(demo, model, messages, **named)
