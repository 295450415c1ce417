"""The Responses API with openai-python, as people use it, on the real Codex."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from functions import FUNCTIONS, LAST_TEXT, TWO_ROUNDS
from harness import Bridge, async_client_of, client_of, tokens
from responses import MODEL, events_of, numbers, post, text_of, types

TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
    {
        "type": "function",
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    },
]


@pytest.fixture
def client(demo: Bridge) -> Iterator[OpenAI]:
    with client_of(demo) as client:
        yield client


# -- Answers


def test_an_answer(client: OpenAI) -> None:
    response = client.responses.create(
        model=MODEL, input="demo: tokens=3 usage=11,4,7,2", metadata={"a": "b"}
    )
    assert response.output_text == "t0 t1 t2 "
    assert response.status == "completed"
    assert response.metadata == {"a": "b"}
    assert response.store is True
    assert response.usage is not None
    assert response.usage.input_tokens == 11
    assert response.usage.input_tokens_details.cached_tokens == 4
    assert response.usage.output_tokens == 7
    assert response.usage.output_tokens_details.reasoning_tokens == 2
    again = client.responses.retrieve(response.id)
    assert again.model_dump() == response.model_dump()


def test_a_stream(client: OpenAI) -> None:
    events = list(client.responses.create(model=MODEL, input="demo: tokens=3", stream=True))
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [e.delta for e in events if e.type == "response.output_text.delta"] == tokens(3)
    [created] = [e.response for e in events if e.type == "response.created"]
    [completed] = [e.response for e in events if e.type == "response.completed"]
    assert created.id == completed.id
    assert completed.output_text == "t0 t1 t2 "
    assert client.responses.retrieve(created.id).output_text == "t0 t1 t2 "


def test_the_helper_for_streams(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="demo: tokens=3") as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert deltas == tokens(3)
    assert final.output_text == "t0 t1 t2 "


def test_parsed_output(client: OpenAI) -> None:
    class Person(BaseModel):
        name: str

    response = client.responses.parse(
        model=MODEL, input='demo: say={"name":"Ada"}', text_format=Person
    )
    assert response.output_parsed == Person(name="Ada")


def test_the_asynchronous_client(demo: Bridge) -> None:
    async def run() -> tuple[str, str]:
        async with async_client_of(demo) as client:
            whole = await client.responses.create(model=MODEL, input="demo: tokens=2 id=whole")
            text = ""
            async for event in await client.responses.create(
                model=MODEL, input="demo: tokens=2 id=parts", stream=True
            ):
                if event.type == "response.output_text.delta":
                    text += event.delta
            return whole.output_text, text

    assert asyncio.run(run()) == ("whole-0 whole-1 ", "parts-0 parts-1 ")


# -- Functions


def returned(response: Response) -> list[Any]:
    """The outputs of what a response calls."""
    found = []
    for item in response.output:
        if item.type == "function_call":
            output = FUNCTIONS[item.name](**json.loads(item.arguments))
            found.append(
                {"type": "function_call_output", "call_id": item.call_id, "output": str(output)}
            )
    return found


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.1-sol"])
@pytest.mark.parametrize("by", ["id", "history", "passing"])
def test_two_rounds_of_calls(client: OpenAI, model: str, by: str) -> None:
    asked: list[Any] = [{"role": "user", "content": TWO_ROUNDS}]
    rounds = 0
    response = client.responses.create(
        model=model, input=asked, tools=TOOLS, **({"store": False} if by == "passing" else {})
    )
    while outputs := returned(response):
        rounds += 1
        if by == "id":
            response = client.responses.create(
                model=model, input=outputs, tools=TOOLS, previous_response_id=response.id
            )
        else:
            asked += [*response.output, *outputs]
            response = client.responses.create(
                model=model, input=asked, tools=TOOLS, **({"store": False} if by == "passing" else {})
            )
    assert rounds == 2
    assert response.output_text.endswith(LAST_TEXT)


# -- Continuation


def test_a_chain_of_responses(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="demo: say=One.")
    second = client.responses.create(
        model=MODEL, input="demo: history", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    assert "user: demo: say=One.\nassistant: One." in second.output_text


def test_an_unknown_response(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="Hi", previous_response_id="resp_unknown")
    assert raised.value.code == "previous_response_not_found"
    assert raised.value.param == "previous_response_id"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_unknown")


# -- What is kept


def test_input_items_and_deletion(client: OpenAI) -> None:
    response = client.responses.create(
        model=MODEL,
        instructions="Be brief.",
        input=[{"role": "user", "content": f"{number}"} for number in range(3)],
    )
    items = list(client.responses.input_items.list(response.id, limit=2))
    assert [item.content[0].text for item in items] == ["2", "1", "0"]  # type: ignore[union-attr]
    items = list(client.responses.input_items.list(response.id, order="asc"))
    assert [item.content[0].text for item in items] == ["0", "1", "2"]  # type: ignore[union-attr]
    client.responses.delete(response.id)
    for call in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(response.id)


def test_a_response_that_is_not_stored(client: OpenAI) -> None:
    response = client.responses.create(model=MODEL, input="Hi", store=False)
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input="Hi", previous_response_id=response.id)


def test_items_by_reference(demo: Bridge) -> None:
    first = post(demo, {"input": "demo: say=One."}).json
    [item] = [item for item in first["output"] if item["type"] == "message"]
    asked = [
        {"role": "user", "content": "demo: say=One."},
        {"type": "item_reference", "id": item["id"]},
        {"role": "user", "content": "demo: say=Two."},
    ]
    second = post(demo, {"input": asked})
    assert second.status == 200
    assert text_of(second.json) == "Two."
    unknown = post(demo, {"input": [{"type": "item_reference", "id": "msg_unknown"}]})
    assert unknown.status == 404


# -- In the background


def test_a_response_in_the_background(client: OpenAI) -> None:
    response = client.responses.create(
        model=MODEL, input="demo: tokens=5 delay=50", background=True
    )
    assert response.status == "queued"
    while response.status in ("queued", "in_progress"):
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    assert response.status == "completed"
    assert response.output_text == "".join(tokens(5))


def test_a_stream_in_the_background_is_resumed(client: OpenAI) -> None:
    stream = client.responses.create(
        model=MODEL, input="demo: tokens=20 delay=50", background=True, stream=True
    )
    seen = []
    for event in stream:
        seen.append(event)
        if len(seen) == 8:
            break
    stream.close()
    identity = seen[0].response.id  # type: ignore[union-attr]
    for resumed in range(2):
        rest = list(
            client.responses.retrieve(
                identity, stream=True, starting_after=seen[-1].sequence_number
            )
        )
        assert [e.sequence_number for e in seen + rest] == list(range(len(seen) + len(rest)))
        text = "".join(e.delta for e in seen + rest if e.type == "response.output_text.delta")
        assert text == "".join(tokens(20)), resumed


def test_a_response_in_the_background_is_cancelled(client: OpenAI) -> None:
    response = client.responses.create(
        model=MODEL, input="demo: tokens=100 delay=100", background=True
    )
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert client.responses.cancel(response.id).status == "cancelled"
    assert client.responses.retrieve(response.id).status == "cancelled"


def test_only_a_response_in_the_background_is_cancelled(client: OpenAI) -> None:
    response = client.responses.create(model=MODEL, input="Hi")
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(response.id)


# -- Conversations


def test_a_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"topic": "demo"})
    for word in ("One.", "Two."):
        response = client.responses.create(
            model=MODEL, input=f"demo: say={word}", conversation=conversation.id
        )
        assert response.output_text == word
        assert response.conversation is not None
        assert response.conversation.id == conversation.id
    items = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [item.content[0].text for item in items] == [  # type: ignore[union-attr]
        "demo: say=One.",
        "One.",
        "demo: say=Two.",
        "Two.",
    ]
    updated = client.conversations.update(conversation.id, metadata={"topic": "other"})
    assert updated.metadata == {"topic": "other"}
    assert client.conversations.retrieve(conversation.id).metadata == {"topic": "other"}
    client.conversations.items.delete(items[0].id, conversation_id=conversation.id)  # type: ignore[arg-type]
    assert len(list(client.conversations.items.list(conversation.id))) == 3
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)


def test_events_are_numbered(demo: Bridge) -> None:
    answer = post(demo, {"input": "demo: reasoning=2 tokens=2", "stream": True})
    events = events_of(answer.body)
    assert numbers(events) == list(range(len(events)))
    assert "response.reasoning_summary_text.delta" in types(events)


# -- WebSocket


def test_responses_over_a_websocket(client: OpenAI) -> None:
    with client.responses.connect() as connection:
        texts = []
        for word in ("One.", "Two."):
            connection.response.create(model=MODEL, input=f"demo: say={word}")
            for event in connection:
                if event.type == "response.output_text.delta":
                    texts.append(event.delta)
                if event.type == "response.completed":
                    assert event.response.output_text == word
                    break
        connection.response.create(model=MODEL, input=[], previous_response_id="resp_unknown")
        for event in connection:
            assert event.type == "error"
            break
        connection.response.create(model=MODEL, input="demo: say=Three.")
        for event in connection:
            if event.type == "response.completed":
                assert event.response.output_text == "Three."
                break
    assert "".join(texts) == "One.Two."
