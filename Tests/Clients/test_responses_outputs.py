"""What clients send beside the outputs of calls when they go on from the id of the response that called, and what the
model is shown of it. With the real Codex and a model that keeps what it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversations import StartBridge
from functions import MODELS, WEATHER
from harness import Bridge, Json
from recording_model import RecordingModel, calls, said, says
from responses import post, text_of

QUESTION: Json = {"role": "user", "content": "Question"}
TEXT: Json = {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]}
FURTHER: Json = {"role": "user", "content": "Further"}
SHOWN = ["user: Question", "assistant: Let me see.", "output: sunny"]


class Calling:
    """A response that calls a function, and what follows it."""

    def __init__(self, bridge: Bridge, model: RecordingModel, fields: Json) -> None:
        self.bridge, self.model = bridge, model
        self.fields = {"tools": [{"type": "function", **WEATHER["function"]}], **fields}
        model.answers = [[says("Let me see."), calls("get_weather", "call_1", {"city": "Rome"})], [says("Done.")]]
        answer = post(bridge, {"input": [QUESTION], **self.fields})
        assert answer.status == 200, answer.body
        self.response = answer.json
        [self.call] = [item for item in self.response["output"] if item["type"] == "function_call"]
        self.output = {"type": "function_call_output", "call_id": self.call["call_id"], "output": "sunny"}

    def go_on(self, *items: Json) -> None:
        """Sends these items behind the response, which the model answers at once."""
        count = len(self.model.requests)
        body = {"input": list(items), "previous_response_id": self.response["id"], **self.fields}
        answer = post(self.bridge, body)
        assert answer.status == 200, answer.body
        assert text_of(answer.json) == "Done."
        assert len(self.model.requests) == count + 1

    @property
    def shown(self) -> list[str]:
        return said(self.model.requests[-1])

    @property
    def turns(self) -> list[Any]:
        """The names that Codex gives the turns of the model's calls."""
        told = [request["client_metadata"]["x-codex-turn-metadata"] for request in self.model.requests]
        return [json.loads(each)["turn_id"] for each in told]


@pytest.fixture(params=[{}, {"instructions": "Be brief."}], ids=["plain", "instructed"])
def calling(request: pytest.FixtureRequest, start_bridge: StartBridge, recording_model: RecordingModel) -> Calling:
    """With instructions too, which many clients send each time."""
    return Calling(start_bridge(model=recording_model.base_url), recording_model, request.param)


def test_outputs_alone(calling: Calling) -> None:
    """The turn goes on in which the call was made, and with it what Codex does in it itself."""
    calling.go_on(calling.output)
    assert calling.shown == SHOWN
    assert len(set(calling.turns)) == 1


@pytest.mark.parametrize("is_last", [True, False])
def test_a_further_message(calling: Calling, is_last: bool) -> None:
    """It follows the outputs, in the same turn."""
    calling.go_on(*([calling.output, FURTHER] if is_last else [FURTHER, calling.output]))
    assert calling.shown == [*SHOWN, "user: Further"]
    assert len(set(calling.turns)) == 1


@pytest.mark.parametrize("form", ["question", "answer", "calls"])
def test_what_came_before(calling: Calling, form: str) -> None:
    """Semantic Kernel sends the question again, and the text of the answer if that was no stream; others the calls too.
    The model is not asked again: what it has called for comes last."""
    before = {"question": [QUESTION], "answer": [QUESTION, TEXT], "calls": [QUESTION, TEXT, calling.call]}[form]
    calling.go_on(*before, calling.output)
    assert calling.shown[-1] == "output: sunny"
    # OpenAI refuses a call without an output.
    items = [item["call_id"] for item in calling.model.requests[-1]["input"] if item["type"] == "function_call"]
    assert items == ["call_1"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fields", [{}, {"instructions": "Be brief."}], ids=["plain", "instructed"])
def test_a_command_goes_on(demo: Bridge, model: str, fields: Json) -> None:
    """What Codex itself runs beside the calls is not ended by the outputs."""
    fields = {"model": model, "tools": [{"type": "function", **WEATHER["function"]}], **fields}
    script = 'demo: call=get_weather:{"city":"Rome"} run="sleep 2; echo done-$((1+1))" round outputs'
    first = post(demo, {"input": script, **fields}).json
    [call] = [item for item in first["output"] if item["type"] == "function_call"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = post(demo, {"input": [output], "previous_response_id": first["id"], **fields})
    assert second.status == 200, second.body
    assert "get_weather said: sunny" in text_of(second.json)
    assert "done-2" in text_of(second.json)
