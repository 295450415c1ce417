"""Every object and event of the Responses API against the types of those who read them: openai-python's own, and those of the
Open Responses specification."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from openresponses_types import types as open_responses
from pydantic import TypeAdapter

from functions import TWO_ROUNDS
from harness import Bridge, Json
from responses import events_of, numbers, post, types
from test_responses import TOOLS

# By the `type` of an event.
OPEN_RESPONSES: dict[str, Any] = {
    next(iter(model.model_fields["type"].annotation)).value: model
    for name, model in vars(open_responses).items()
    if name.endswith("StreamingEvent")
}

SCRIPTS: dict[str, Json] = {
    "text": {"input": "demo: tokens=3"},
    "everything echoed": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "demo: tokens=3"}]}],
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "max_output_tokens": 100,
        "user": "somebody",
        "store": False,
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "low", "summary": "auto"},
    },
    "reasoning": {"input": "demo: reasoning=3 tokens=3"},
    "commentary": {"input": "demo: commentary tokens=3"},
    "a command": {"input": 'demo: run="echo hello"'},
    "functions": {"input": TWO_ROUNDS, "tools": TOOLS},
    "an end at the limit": {"input": "demo: tokens=3 incomplete=max_output_tokens"},
}


def check_response(response: Json) -> None:
    TypeAdapter(Response).validate_python(response, strict=True)
    open_responses.ResponseResource.model_validate(response)
    assert isinstance(response["created_at"], int)


def check_event(event: Json) -> None:
    TypeAdapter(ResponseStreamEvent).validate_python(event)
    if event["type"] in OPEN_RESPONSES:
        OPEN_RESPONSES[event["type"]].model_validate(event)
    else:
        raise AssertionError(event["type"])
    if "response" in event:
        check_response(event["response"])


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_event(demo: Bridge, script: str) -> None:
    answer = post(demo, {**SCRIPTS[script], "stream": True})
    assert answer.status == 200, answer.body
    events = events_of(answer.body)
    assert numbers(events) == list(range(len(events)))
    for event in events:
        check_event(event)
    ends = {"an end at the limit": "response.incomplete"}
    assert types(events)[-1] == ends.get(script, "response.completed")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_whole_response(demo: Bridge, script: str) -> None:
    answer = post(demo, SCRIPTS[script])
    assert answer.status == 200, answer.body
    check_response(answer.json)
    if answer.json["store"]:
        kept = demo.request("GET", f"/v1/responses/{answer.json['id']}")
        check_response(kept.json)
        replayed = demo.request("GET", f"/v1/responses/{answer.json['id']}?stream=true")
        for event in events_of(replayed.body):
            check_event(event)


def test_a_failed_response_is_kept(fake: Bridge) -> None:
    """Without a stream the failure is an HTTP error; what there was of the answer is found under its id."""
    answer = post(fake, {"input": "demo: tokens=4 kill", "stream": True})
    events = events_of(answer.body)
    for event in events:
        check_event(event)
    assert types(events)[-2:] == ["error", "response.failed"]
    failed = events[-1]["response"]
    assert failed["error"]["code"] == "server_error"
    assert events[-2]["code"] == "codex_crashed"
    assert failed["output"][0]["status"] == "incomplete"
    kept = fake.request("GET", f"/v1/responses/{failed['id']}").json
    assert kept == failed
    assert post(fake, {"input": "demo: tokens=4 kill id=whole"}).status == 502
