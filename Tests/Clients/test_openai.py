"""openai-python as people use it: answers, streams, helpers, usage, reasoning."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from openai import OpenAI
from pydantic import BaseModel

from harness import API_KEY, Bridge, async_client_of, client_of, tokens


def ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_an_answer(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=ask("demo: tokens=3 usage=11,4,7,2")
    )
    assert answer.object == "chat.completion"
    assert answer.model == model
    [choice] = answer.choices
    assert choice.index == 0
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content == "t0 t1 t2 "
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 11
    assert answer.usage.completion_tokens == 7
    assert answer.usage.total_tokens == 18
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


def test_without_a_directive_the_stand_in_repeats_the_user(
    client: OpenAI, model: str
) -> None:
    answer = client.chat.completions.create(
        model=model, messages=ask("purple hippopotamus")
    )
    assert "purple hippopotamus" in (answer.choices[0].message.content or "")


def test_the_asynchronous_client(demo: Bridge, model: str) -> None:
    async def run() -> tuple[str | None, str]:
        async with async_client_of(demo) as client:
            answer = await client.chat.completions.create(
                model=model, messages=ask("demo: tokens=2 id=whole")
            )
            stream = await client.chat.completions.create(
                model=model, messages=ask("demo: tokens=2 id=parts"), stream=True
            )
            text = ""
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
            return answer.choices[0].message.content, text

    assert asyncio.run(run()) == ("whole-0 whole-1 ", "parts-0 parts-1 ")


def test_forty_tokens_are_forty_chunks_spread_in_time(
    client: OpenAI, model: str
) -> None:
    delay = 0.02
    stream = client.chat.completions.create(
        model=model, messages=ask("demo: tokens=40 delay=20"), stream=True
    )
    arrivals: list[tuple[str, float]] = []
    for chunk in stream:
        content = chunk.choices[0].delta.content
        if content:
            arrivals.append((content, time.monotonic()))
    assert [content for content, _ in arrivals] == tokens(40)
    # The model takes at least 39 pauses. Had the bridge held them back, they would come together.
    assert arrivals[-1][1] - arrivals[0][1] > 39 * delay / 2


def test_a_short_answer_overtakes_a_long_one(client: OpenAI, model: str) -> None:
    """Tokens come while the model is still at work: another request fits in between."""
    stream = client.chat.completions.create(
        model=model, messages=ask("demo: tokens=100 delay=50 id=long"), stream=True
    )
    order: list[str] = []
    other: threading.Thread | None = None

    def short() -> None:
        client.chat.completions.create(model=model, messages=ask("demo: tokens=1"))
        order.append("short")

    for chunk in stream:
        if chunk.choices[0].delta.content and other is None:
            order.append("first of long")
            other = threading.Thread(target=short)
            other.start()
    order.append("end of long")
    assert other is not None
    other.join()
    assert order == ["first of long", "short", "end of long"]


def test_the_stream_helper(client: OpenAI, model: str) -> None:
    """The helper joins strings: a role or an id sent twice would show (C16)."""
    seen: list[str] = []
    with client.chat.completions.stream(
        model=model,
        messages=ask("demo: tokens=6 usage=3,0,6,0"),
        stream_options={"include_usage": True},
    ) as stream:
        for event in stream:
            if event.type == "content.delta":
                seen.append(event.delta)
        final = stream.get_final_completion()
    # The role chunk has empty content, which the helper reports as a delta too.
    assert [delta for delta in seen if delta] == tokens(6)
    assert final.choices[0].message.role == "assistant"
    assert final.choices[0].message.content == "".join(tokens(6))
    assert final.choices[0].finish_reason == "stop"
    assert final.usage is not None
    assert final.usage.total_tokens == 9


class Person(BaseModel):
    name: str
    age: int


def test_parse_with_a_model_class(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(
        model=model,
        messages=ask('demo: say={"name":"Ada","age":36}'),
        response_format=Person,
    )
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


def test_the_stream_helper_with_a_model_class(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model,
        messages=ask('demo: say={"name":"Ada","age":36}'),
        response_format=Person,
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Person(name="Ada", age=36)


def test_usage_comes_once_when_asked_for(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model,
        messages=ask("demo: tokens=2 usage=20,5,6,1"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == 1
    assert chunks[-1].usage is usages[0]
    assert chunks[-1].choices == []
    assert usages[0].prompt_tokens == 20
    assert usages[0].completion_tokens == 6
    assert usages[0].total_tokens == 26


def test_no_usage_chunk_when_not_asked_for(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=ask("demo: tokens=2 usage=20,5,6,1"), stream=True
    )
    chunks = list(stream)
    assert all(chunk.choices for chunk in chunks)
    assert not [chunk for chunk in chunks if chunk.usage]


def test_reasoning_has_a_field_of_its_own(client: OpenAI, model: str) -> None:
    text = "demo: reasoning=3 tokens=2"
    answer = client.chat.completions.create(model=model, messages=ask(text))
    message = answer.choices[0].message
    assert message.content == "t0 t1 "
    whole = message.model_extra["reasoning_content"] if message.model_extra else ""
    assert whole

    stream = client.chat.completions.create(
        model=model, messages=ask(text), stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    reasoning = [(d.model_extra or {}).get("reasoning_content") for d in deltas]
    assert "".join(part for part in reasoning if part) == whole
    assert "".join(d.content for d in deltas if d.content) == "t0 t1 "


def test_the_commentary_is_no_part_of_the_answer(client: OpenAI, model: str) -> None:
    text = "demo: commentary tokens=3"
    answer = client.chat.completions.create(model=model, messages=ask(text))
    assert answer.choices[0].message.content == "t0 t1 t2 "
    stream = client.chat.completions.create(
        model=model, messages=ask(text), stream=True
    )
    content = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert content == "t0 t1 t2 "


def test_a_command_runs_and_its_output_comes_back(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=ask("demo: run=echo from-$((40+2))-shell")
    )
    assert "from-42-shell" in (answer.choices[0].message.content or "")


def test_stop_cuts_before_the_match(client: OpenAI, model: str) -> None:
    text = "demo: tokens=400 delay=20"
    answer = client.chat.completions.create(
        model=model, messages=ask(text), stop=["t5 "]
    )
    assert answer.choices[0].message.content == "t0 t1 t2 t3 t4 "
    assert answer.choices[0].finish_reason == "stop"
    stream = client.chat.completions.create(
        model=model, messages=ask(text), stream=True, stop="3 t4"
    )
    content = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert content == "t0 t1 t2 t"


def test_ignored_parameters_are_named(client: OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=ask("demo: tokens=1"),
        temperature=0.5,
        seed=7,
        max_tokens=100,
        metadata={"a": "b"},
        extra_body={"something_unheard_of": {"x": 1}},
    )
    assert raw.parse().choices[0].message.content == "t0 "
    ignored = raw.headers["x-bridge-ignored"]
    names = {name.strip() for name in ignored.split(",")}
    assert {"temperature", "seed", "max_tokens", "metadata"} <= names
    plain = client.chat.completions.with_raw_response.create(
        model=model, messages=ask("demo: tokens=1")
    )
    assert "x-bridge-ignored" not in plain.headers


def test_base_url_without_v1(demo: Bridge, model: str) -> None:
    with OpenAI(api_key="test-key", base_url=demo.base_url) as client:
        answer = client.chat.completions.create(
            model=model, messages=ask("demo: tokens=1")
        )
    assert answer.choices[0].message.content == "t0 "


def test_the_plain_chat_needs_nothing_but_its_base_url(demo: Bridge) -> None:
    system: list[Any] = [{"role": "system", "content": "You are a poet."}]
    base_url = f"{demo.base_url}/chat/v1"
    with OpenAI(api_key=API_KEY, base_url=base_url) as client:
        models = [model.id for model in client.models.list()]
        for model in ("gpt-5.5", "gpt-6.1-sol"):
            assert model in models
            messages = system + ask("demo: history")
            answer = client.chat.completions.create(model=model, messages=messages)
            told = "developer: You are a poet.\nuser: demo: history"
            assert answer.choices[0].message.content == told
            stream = client.chat.completions.create(
                model=model, messages=system + ask("demo: tokens=3"), stream=True
            )
            text = "".join(
                chunk.choices[0].delta.content or ""
                for chunk in stream
                if chunk.choices
            )
            assert text == "t0 t1 t2 "
            agent = client.chat.completions.create(
                model=model,
                messages=messages,
                extra_headers={"x-bridge-profile": "agent"},
            )
            # An agent is told of its surroundings, too.
            assert agent.choices[0].message.content != told


def test_request_ids(demo: Bridge, model: str) -> None:
    with client_of(demo) as client:
        own = client.chat.completions.create(
            model=model,
            messages=ask("demo: tokens=1"),
            extra_headers={"x-request-id": "mine-1"},
        )
        assert own._request_id == "mine-1"
        made = client.chat.completions.create(
            model=model, messages=ask("demo: tokens=1")
        )
        assert made._request_id
        assert made._request_id != "mine-1"
