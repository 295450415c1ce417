"""A turn of which a part stays: what it has done before it was stopped, or before a function that its client offers has returned
something else. With the real Codex and a model that keeps what it is asked."""

from __future__ import annotations

import pytest

from conversations import EITHER, MODEL, Chat, StartBridge
from functions import WEATHER, result
from harness import Json, RawStream, eventually
from recording_model import RecordingModel, calls, runs, said, says

STEPS = [[says("one")], [says("Let me look. "), runs("echo ran-$((1+1))", "c1")]]
DONE = ["user: first", "assistant: one", "user: second", "output: ran-2", "assistant: Let me look. "]


def stop(chat: Chat, recording_model: RecordingModel, text: str) -> None:
    """Asks, and leaves while the model is asked for the second time; the person keeps what there is."""
    body = {"model": MODEL, **chat.fields, "stream": True}
    chat.messages.append({"role": "user", "content": text})
    count = len(recording_model.requests)
    recording_model.pauses = [0.0, 5.0]
    with RawStream(chat.bridge.address, {**body, "messages": chat.messages}) as stream:
        stream.read_until(b"Let me look. ")
        assert eventually(lambda: len(recording_model.requests) == count + 2)
    chat.messages.append({"role": "assistant", "content": "Let me look. "})


def stopped(start_bridge: StartBridge, recording_model: RecordingModel, name: Json) -> Chat:
    """A chat whose second answer is stopped."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = list(STEPS)
    chat = Chat(bridge, **name)
    chat.ask("first")
    stop(chat, recording_model, "second")
    return chat


@EITHER
def test_what_a_stopped_turn_has_done_stays(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    chat = stopped(start_bridge, recording_model, name)
    chat.ask("third")
    assert chat.state == "reverted"
    assert said(recording_model.requests[-1]) == [*DONE, "user: third"]
    chat.ask("fourth")
    assert chat.state == "continued"
    assert said(recording_model.requests[-1]) == [*DONE, "user: third", "assistant: ok", "user: fourth"]


@pytest.mark.parametrize("kept", ["memory", "disk"])
@EITHER
def test_the_first_turn_is_stopped(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json, kept: str
) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment={"CODEX_CONTINUE": kept})
    recording_model.answers = STEPS[1:]
    chat = Chat(bridge, **name)
    stop(chat, recording_model, "first")
    chat.ask("second")
    assert chat.state == "reverted"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: Let me look. ", "user: second",
    ]


@EITHER
def test_a_stopped_answer_is_continued(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    chat = stopped(start_bridge, recording_model, name)
    recording_model.answers = [[says("There it is.")]]
    assert chat.again() == "There it is."
    end = chat.messages.pop()
    chat.messages[-1]["content"] += end["content"]
    chat.ask("third")
    assert chat.state == "continued"
    found = said(recording_model.requests[-1])
    assert found[: len(DONE)] == DONE
    assert found[len(DONE)].startswith("user: Continue your last answer")
    assert found[len(DONE) + 1 :] == ["assistant: There it is.", "user: third"]


@EITHER
def test_a_stopped_question_is_changed(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    """Nothing of the turn stays where the person asks something else."""
    chat = stopped(start_bridge, recording_model, name)
    chat.messages = chat.messages[:2]
    chat.ask("other")
    assert chat.state == "reverted"
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: one", "user: other"]


@EITHER
def test_a_function_returns_something_else(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    """As where somebody goes back to a call: what the agent has done before it is not done again."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        [runs("echo ran-$((1+1))", "c1")],
        [calls("get_weather", "call_1", {"city": "Rome"})],
        [says("sunny")],
    ]
    chat = Chat(bridge, **name, tools=[WEATHER])
    chat.messages.append({"role": "user", "content": "first"})
    asked = chat.post().json["choices"][0]["message"]
    call, = asked["tool_calls"]
    chat.messages.append(asked)
    for number, weather in enumerate(["sun", "rain", "snow"]):
        branch = chat.branch()
        branch.messages.append(result(call, weather))
        branch.again()
        assert branch.state == ("continued" if number == 0 else "reverted")
        assert said(recording_model.requests[-1]) == ["user: first", "output: ran-2", f"output: {weather}"]
    branch.ask("second")
    assert branch.state == "continued"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "output: snow", "assistant: ok", "user: second",
    ]
