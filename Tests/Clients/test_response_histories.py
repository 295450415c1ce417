"""Clients of the Responses API that send the whole conversation with each request: what the model is shown of it, with what the
agent has run before."""

from __future__ import annotations

import http.client
import json
from threading import Event

import pytest

from conversations import StartBridge
from harness import API_KEY, Bridge, Json
from recording_model import RecordingModel, calls, runs, said, says, stops
from responses import MODEL, post

LOOK: Json = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
RUN = [runs("echo ran-$((1+1))", "c1")]


@pytest.fixture
def recorded(start_bridge: StartBridge, recording_model: RecordingModel) -> Bridge:
    return start_bridge(model=recording_model.base_url)


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> Json:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def ask(bridge: Bridge, *items: Json, **fields: object) -> Json:
    answer = post(bridge, {"input": list(items), **fields})
    assert answer.status == 200, answer.body
    response: Json = answer.json
    return response


@pytest.mark.parametrize("between", ["\n", "\n\n", ""])
def test_two_messages_come_back_as_one(recorded: Bridge, recording_model: RecordingModel, between: str) -> None:
    """Open WebUI puts a line's end between the texts of an answer, without the white space at its ends; others an empty
    line, or nothing."""
    recording_model.answers = [[says("First this."), *RUN], [says("Then that.")], [says("two")]]
    ask(recorded, user("first"))
    ask(recorded, user("first"), assistant(f"First this.{between}Then that."), user("second"))
    assert said(recording_model.requests[-1]) == [
        "user: first", "assistant: First this.", "output: ran-2", "assistant: Then that.", "user: second",
    ]


def test_an_answer_is_given_again_and_again(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [RUN, [says("one")], [says("two")], [says("two again")], [says("once more")]]
    ask(recorded, user("first"))
    for _ in range(3):
        ask(recorded, user("first"), assistant("one"), user("second"))
        assert said(recording_model.requests[-1]) == [
            "user: first", "output: ran-2", "assistant: one", "user: second",
        ]


def test_a_changed_question_is_answered_again(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [RUN, [says("one")], [says("two")], [says("changed two")], [says("two again")]]
    ask(recorded, user("first"))
    for question in ("second", "changed", "changed"):
        ask(recorded, user("first"), assistant("one"), user(question))
        assert said(recording_model.requests[-1]) == [
            "user: first", "output: ran-2", "assistant: one", f"user: {question}",
        ]


def read_and_leave(bridge: Bridge, text: str, *items: Json) -> None:
    """A stream that is read until `text` has come."""
    connection = http.client.HTTPConnection(*bridge.address, timeout=60)
    body = json.dumps({"model": MODEL, "stream": True, "input": items})
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/responses", body, headers)
    response = connection.getresponse()
    read = b""
    while text.encode() not in read:
        piece = response.read1(65536)
        assert piece, read
        read += piece
    connection.close()
    response.close()


def test_a_stopped_answer_is_what_was_seen_of_it(recorded: Bridge, recording_model: RecordingModel) -> None:
    gate = Event()
    recording_model.answers = [
        RUN, [says("one")], [runs("echo ran-$((2+1))", "c2")], [stops("The beginning, ", "and the end.", gate)],
        [says("three")],
    ]
    ask(recorded, user("first"))
    told = [user("first"), assistant("one"), user("second")]
    read_and_leave(recorded, "The beginning", *told)
    ask(recorded, *told, assistant("The beginning, "), user("third"))
    gate.set()
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second", "output: ran-3", "assistant: The beginning, ",
        "user: third",
    ]


@pytest.mark.parametrize("repeats_call", [False, True])
def test_outputs_by_id_and_then_the_whole_history(
    recorded: Bridge, recording_model: RecordingModel, repeats_call: bool
) -> None:
    """Open WebUI, set to stateful responses, names the response and sends its calls again with their outputs."""
    recording_model.answers = [RUN, [says("I look."), calls("look", "k1", {})], [says("one")], [says("two")]]
    called = ask(recorded, user("first"), tools=[LOOK])
    [call] = [item for item in called["output"] if item["type"] == "function_call"]
    again = {name: call[name] for name in ("type", "call_id", "name", "arguments")}
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a house"}
    brought = [assistant("I look."), again, output] if repeats_call else [output]
    ask(recorded, *brought, previous_response_id=called["id"], tools=[LOOK])
    told = ["user: first", "output: ran-2", "assistant: I look.", "output: a house"]
    assert said(recording_model.requests[-1]) == told
    ask(
        recorded, user("first"), assistant("I look."), again, output, assistant("one"), user("second"), tools=[LOOK]
    )
    assert said(recording_model.requests[-1]) == [*told, "assistant: one", "user: second"]
