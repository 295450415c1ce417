"""Libraries that send a request again, as they do by themselves: the agent runs once, and they get the right answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from cutting_proxy import CuttingProxy
from functions import WEATHER
from harness import API_KEY, Bridge, async_client_of, parse_chat_stream
from litellm_program import run_litellm
from recording_model import RecordingModel, calls, says

StartBridge = Callable[..., Bridge]

# Longer than a client waits between two attempts, on a machine that is busy too.
LONG_GRACE = {"CODEX_RETRY_GRACE": "60s"}
FAILS = "demo: fail=sandboxError"


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def runs(bridge: Bridge) -> float:
    """The turns that have ended."""
    lines = bridge.request("GET", "/metrics").body.decode().splitlines()
    found = [
        line.split()[-1] for line in lines if line.startswith("codexbridge_turns_total")
    ]
    return sum(map(float, found))


@pytest.fixture
def slow_bridge(start_bridge: StartBridge, recording_model: RecordingModel) -> Bridge:
    """The real Codex, with a model that thinks."""
    # Between two of the time limits of clients that wait for a second each time.
    recording_model.pause = 2.5
    return start_bridge(model=recording_model.base_url, environment=LONG_GRACE)


def test_openai_behind_a_proxy_with_a_time_limit(
    slow_bridge: Bridge, recording_model: RecordingModel, model: str
) -> None:
    """Its default client, with its own retries."""
    recording_model.answers = [[says("the right answer")], [says("a second run")]]
    with (
        CuttingProxy(slow_bridge.address, cuts=2, after=1) as proxy,
        OpenAI(api_key=API_KEY, base_url=proxy.url) as client,
    ):
        answer = client.chat.completions.create(model=model, messages=user("hello"))
    assert answer.choices[0].message.content == "the right answer"
    assert proxy.connections == 3
    assert len(recording_model.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_openai_whose_answer_was_lost(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    stream: bool,
) -> None:
    """The answer had ended with calls when the connection was cut."""
    recording_model.answers = [
        [calls("get_weather", "call_1", {"city": "Rome"})],
        [says("sunny")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    with (
        CuttingProxy(bridge.address, cuts=0 if stream else 1, after=None) as proxy,
        OpenAI(api_key=API_KEY, base_url=proxy.url) as client,
    ):
        fields: Any = {"model": model, "tools": [WEATHER], "stream": stream}
        messages = user("How is the weather?")
        found = client.chat.completions.create(messages=messages, **fields)
        if stream:
            parts = [part for chunk in found for part in chunk.choices]
            assert parts[-1].finish_reason == "tool_calls"
            # What it sends when it has not got it.
            fields["extra_headers"] = {"x-stainless-retry-count": "1"}
            again = client.chat.completions.create(messages=messages, **fields)
            parts = [part for chunk in again for part in chunk.choices]
            call = next(p.delta.tool_calls[0] for p in parts if p.delta.tool_calls)
        else:
            assert proxy.connections == 2
            call = found.choices[0].message.tool_calls[0]
        assert call.function.name == "get_weather"
        assert len(recording_model.requests) == 1
        # The turn goes on with what the function has returned.
        messages += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {
                            "name": "get_weather",
                            "arguments": call.function.arguments,
                        },
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "content": "sunny in Rome"},
        ]
        last = client.chat.completions.create(
            model=model, tools=[WEATHER], messages=messages
        )
    assert last.choices[0].message.content == "sunny"
    assert len(recording_model.requests) == 2


def test_openai_whose_own_time_limit_passes(
    slow_bridge: Bridge, recording_model: RecordingModel, model: str
) -> None:
    recording_model.answers = [[says("the right answer")], [says("a second run")]]
    with OpenAI(
        api_key=API_KEY, base_url=slow_bridge.url, timeout=1, max_retries=9
    ) as client:
        answer = client.chat.completions.create(model=model, messages=user("hello"))
    assert answer.choices[0].message.content == "the right answer"
    assert len(recording_model.requests) == 1


def test_httpx_whose_time_limit_passes(
    slow_bridge: Bridge, recording_model: RecordingModel, model: str
) -> None:
    """It marks nothing: whoever uses it repeats by hand."""
    recording_model.answers = [[says("the right answer")], [says("a second run")]]
    answer = None
    attempts = 0
    while answer is None:
        attempts += 1
        try:
            answer = httpx.post(
                f"{slow_bridge.url}/chat/completions",
                headers={"Authorization": f"Bearer {API_KEY}"},
                json={"model": model, "messages": user("hello")},
                timeout=1,
            )
        except httpx.TimeoutException:
            assert attempts < 30
    assert answer.json()["choices"][0]["message"]["content"] == "the right answer"
    assert attempts > 1
    assert len(recording_model.requests) == 1


def test_two_clients_at_once_are_two_turns(fake: Bridge) -> None:
    """Some ask for several answers to the same question."""
    async def ask() -> list[str]:
        async with async_client_of(fake) as client:
            found = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-5.5", messages=user("demo: tokens=3 delay=300")
                    )
                    for _ in range(2)
                )
            )
        return [answer.id for answer in found]

    before = runs(fake)
    assert len(set(asyncio.run(ask()))) == 2
    assert runs(fake) == before + 2


# -- failures


def test_who_repeats_a_failure_whatever_it_says(start_bridge: StartBridge) -> None:
    """As llama-index and DSPy do."""
    bridge = start_bridge(fake=True)
    for number in range(4):
        answer = bridge.chat(FAILS)
        assert answer.status == 502
        assert answer.error["code"] == "sandboxError"
        assert answer.headers["x-should-retry"] == "false"
        told = answer.headers.get("x-bridge-repeated-failure")
        assert told == (str(number) if number else None)
    assert runs(bridge) == 1
    bridge.chat(FAILS)
    assert runs(bridge) == 2
    bridge.chat(FAILS, headers={"x-bridge-retry": "run"})
    assert runs(bridge) == 3


def test_who_repeats_a_stream_that_has_failed(start_bridge: StartBridge) -> None:
    """As aider does, nine times if it may."""
    bridge = start_bridge(fake=True)
    with bridge.open_stream("demo: tokens=4 kill") as stream:
        stream.read_to_last_chunk()
        assert parse_chat_stream(stream.body).error is not None
    bridge.wait_ready()
    for number in range(1, 4):
        answer = bridge.chat("demo: tokens=4 kill", stream=True)
        assert answer.status == 502
        assert answer.headers["x-bridge-repeated-failure"] == str(number)
    assert runs(bridge) == 1


LITELLM_SCRIPT = """
import json, sys
import litellm
options = json.load(sys.stdin)
try:
    answer = litellm.completion(**options)
    print("RESULT " + json.dumps(answer.choices[0].message.content))
except Exception as error:
    print("RESULT " + json.dumps({"error": str(error)}))
"""


def litellm_completion(bridge: Bridge, text: str) -> Any:
    return run_litellm(
        LITELLM_SCRIPT, bridge, model="gpt-5.5", messages=user(text), num_retries=3
    )


def test_litellm_with_retries(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    found = litellm_completion(bridge, FAILS)
    assert "sandboxError" in found["error"] or "failed" in found["error"]
    assert runs(bridge) == 1
    assert litellm_completion(bridge, "demo: tokens=2") == "t0 t1 "


def test_a_failure_is_no_answer_to_another_request(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    assert bridge.chat(FAILS).status == 502
    assert bridge.chat("demo: tokens=2").text == "t0 t1 "
    with (
        OpenAI(api_key=API_KEY, base_url=bridge.url, max_retries=0) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(
            model="gpt-5.5", messages=user(FAILS), temperature=1
        )
    assert runs(bridge) == 3
