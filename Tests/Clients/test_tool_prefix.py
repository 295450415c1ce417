"""What goes upstream between two rounds of functions: it begins with what went before, so that the provider's cache works."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from functions import (
    MODELS,
    TOOLS,
    calls_of,
    message_of,
    post,
    result,
    run_call,
    text_of,
    user,
)
from harness import Bridge, Json, eventually
from recording_model import RecordingModel, calls, says, thinks

StartBridge = Callable[..., Bridge]

pytestmark = pytest.mark.parametrize("model", MODELS)

# The agent and the plain chat.
PATHS = ["/v1", "/chat/v1"]

# What Codex and the backend know an item by, and no part of what the model reads.
NAMES = {"id", "status", "internal_chat_message_metadata_passthrough"}

WEATHER_CALL = calls("get_weather", "call_weather", {"city": "Rome"})
ADD_CALL = calls("add", "call_add", {"a": 1, "b": 2})
LAST_CALL = calls("add", "call_last", {"a": 3, "b": 4})
OUTPUTS = {"call_weather": "sunny in Rome", "call_add": "3", "call_last": "7"}


def three_answers(recording_model: RecordingModel) -> None:
    recording_model.answers = [
        [thinks("Hm."), says("Let me see."), WEATHER_CALL, ADD_CALL],
        [thinks("And on."), LAST_CALL],
        [says("Seven.")],
    ]


def without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_names(v) for k, v in value.items() if k not in NAMES}
    if isinstance(value, list):
        return [without_names(one) for one in value]
    return value


def check_requests(requests: list[Json]) -> None:
    """Each begins, item for item, with the one before, and brings what was called and returned since."""
    assert len(requests) == 3
    for earlier, later in pairwise(requests):
        for name in ("model", "instructions", "tools", "tool_choice", "reasoning"):
            assert later.get(name) == earlier.get(name), name
        before, after = without_names(earlier["input"]), without_names(later["input"])
        assert after[: len(before)] == before
    kinds = [item["type"] for item in requests[2]["input"][len(requests[0]["input"]) :]]
    assert kinds == [
        *("reasoning", "message", "function_call", "function_call"),
        *("function_call_output", "function_call_output"),
        *("reasoning", "function_call", "function_call_output"),
    ]
    found = {
        item["call_id"]: output_text(item["output"])
        for item in requests[2]["input"]
        if item["type"] == "function_call_output"
    }
    assert found == OUTPUTS


def output_text(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "".join(part["text"] for part in output)


def play(
    bridge: Bridge,
    model: str,
    between: Callable[[], Any] = lambda: None,
    **fields: Any,
) -> None:
    """A client's loop; `between` is done before the results of each round are sent."""
    messages = [user("How is the weather?")]
    while found := calls_of(bridge, model, messages, **fields):
        between()
        messages += [result(call, run_call(call)) for call in found]
    assert messages[-1]["content"] == "Seven."


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("waits", [True, False])
def test_round_by_round(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    waits: bool,
    session: bool,
) -> None:
    """In a turn that waits for the results, and where it is closed before they come: the next one has all that it had."""
    three_answers(recording_model)
    bridge = start_bridge(
        model=recording_model.base_url,
        environment={} if waits else {"CODEX_TOOL_WAIT": "300ms"},
    )

    def between() -> None:
        if not waits:
            assert eventually(lambda: "codexbridge_turns_parked 0\n" in metrics(bridge))

    play(bridge, model, between, **({"session_id": "s"} if session else {}))
    check_requests(recording_model.requests)
    if waits:
        keys = {request.get("prompt_cache_key") for request in recording_model.requests}
        assert len(keys) == 1


def metrics(bridge: Bridge) -> str:
    return bridge.request("GET", "/metrics").body.decode()


def test_the_whole_history_of_a_client(
    start_bridge: StartBridge, recording_model: RecordingModel, model: str
) -> None:
    """A bridge that knows nothing of the turn: what the client has is there, in the same places."""
    three_answers(recording_model)
    bridge = start_bridge(model=recording_model.base_url)
    messages = [user("How is the weather?")]
    found = calls_of(bridge, model, messages)
    messages += [result(call, run_call(call)) for call in found]
    bridge.stop()
    other = start_bridge(model=recording_model.base_url)
    [last] = calls_of(other, model, messages)
    messages.append(result(last, run_call(last)))
    assert text_of(other, model, messages) == "Seven."
    first, second, third = (
        without_names(request["input"]) for request in recording_model.requests
    )
    kinds = [item["type"] for item in second[-5:]]
    assert kinds == ["message", *["function_call"] * 2, *["function_call_output"] * 2]
    for item, call in zip(second[-4:-2], (WEATHER_CALL, ADD_CALL), strict=True):
        assert {name: item[name] for name in call} == call
    assert third[: len(second)] == second
    asked = [item for item in first if item.get("role") == "user"][-1]
    assert asked in second


@pytest.mark.parametrize("session", [False, True])
def test_after_a_power_cut(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    session: bool,
) -> None:
    three_answers(recording_model)
    bridge = start_bridge(model=recording_model.base_url)
    extra = {"session_id": "s"} if session else {}
    messages = [user("How is the weather?")]
    found = calls_of(bridge, model, messages, **extra)
    messages += [result(call, run_call(call)) for call in found]
    bridge.kill()
    bridge = start_bridge(model=recording_model.base_url, again=bridge)
    [last] = calls_of(bridge, model, messages, **extra)
    messages.append(result(last, run_call(last)))
    assert text_of(bridge, model, messages, **extra) == "Seven."
    check_requests(recording_model.requests)
    assert post(bridge, model, [user("hello")]).status == 200
    assert json.dumps(recording_model.requests[2]).count("Let me see.") == 1


def test_other_functions_in_a_session(
    start_bridge: StartBridge, recording_model: RecordingModel, model: str
) -> None:
    """What Codex has thought and run in the session moves to the thread that has the new functions."""
    recording_model.answers = [
        [thinks("Hm."), says("Let me see."), WEATHER_CALL],
        [says("Sunny.")],
        [says("Three.")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    messages = [user("How is the weather?")]
    before: Json = {"tools": TOOLS[:1], "session_id": "moves"}
    while found := calls_of(bridge, model, messages, **before):
        messages += [result(call, run_call(call)) for call in found]
    answer = post(
        bridge, model, [*messages, user("And the sum?")], session_id="moves"
    )
    assert answer.text == "Three."
    assert answer.headers["x-bridge-session-restarted"] == "tools-changed"
    _, second, third = (
        without_names(request["input"]) for request in recording_model.requests
    )
    kinds = [item["type"] for item in third]
    start = kinds.index("reasoning")
    assert third[start : start + 4] == second[-4:]
    assert kinds[start + 4 :] == ["message", "message"]


@pytest.mark.parametrize("with_history", [False, True])
def test_results_that_come_after_another_turn(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    with_history: bool,
) -> None:
    """The user speaks before the functions have returned, which closes the turn. Each call has one output: the client's."""
    recording_model.answers = [
        [thinks("Hm."), says("Let me see."), WEATHER_CALL, ADD_CALL],
        [says("Wait then.")],
        [says("Done.")],
        [says("On.")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    messages = [user("How is the weather?")]
    found = calls_of(bridge, model, messages, session_id="late")
    said = post(bridge, model, [user("I wait")], session_id="late")
    assert said.text == "Wait then."
    results = [result(call, run_call(call)) for call in found]
    sent = [*messages, *results] if with_history else results
    answer = post(bridge, model, sent, session_id="late")
    assert answer.text == "Done."
    assert "x-bridge-session-restarted" not in answer.headers
    _, second, third = (request["input"] for request in recording_model.requests)
    assert one_output_each(third) == {"call_weather": "sunny in Rome", "call_add": "3"}
    # All else stands as it stood.
    assert_begins(without_outputs(third), without_outputs(second))
    assert post(bridge, model, [user("more")], session_id="late").text == "On."
    fourth = recording_model.requests[3]["input"]
    assert_begins(without_names(fourth), without_names(third))


def one_output_each(items: list[Json]) -> dict[str, str]:
    """The outputs by their calls, each of which is there once."""
    called = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = [item for item in items if item["type"] == "function_call_output"]
    found = {item["call_id"]: output_text(item["output"]) for item in outputs}
    assert (
        sorted(called) == sorted(item["call_id"] for item in outputs) == sorted(found)
    )
    return found


def assert_begins(later: list[Json], earlier: list[Json]) -> None:
    assert later[: len(earlier)] == earlier


def without_outputs(items: list[Json]) -> list[Json]:
    found: list[Json] = without_names(items)
    return [item for item in found if item["type"] != "function_call_output"]


@pytest.mark.parametrize("path", PATHS)
def test_a_session_after_a_restart(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    path: str,
) -> None:
    """Calls of one response come in one answer, with its usage, and the request begins as the one before."""
    recording_model.answers = [
        [thinks("Hm."), says("Hello.")],
        [says("Let me see."), WEATHER_CALL, ADD_CALL],
        [says("Done.")],
        [says("Other.")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    extra = {"session_id": "s", "path": path}
    # Codex puts these into each thread by itself; the new one has them once.
    (bridge.work / "AGENTS.md").write_text("Say please.")
    system: Json = {"role": "system", "content": "Be brief."}
    first = [system, user("My name is Ada")]
    assert post(bridge, model, first, **extra).text == "Hello."
    before = thread_of(bridge, path)
    bridge.stop()
    bridge = restart(start_bridge, bridge)
    asked = [system, user("How is the weather?")]
    answer = post(bridge, model, asked, **extra)
    assert "x-bridge-session-restarted" not in answer.headers
    message = message_of(answer)
    assert ids_of(message["tool_calls"]) == ["call_weather", "call_add"]
    assert answer.json["usage"]["completion_tokens"] == 5
    results = [result(call, run_call(call)) for call in message["tool_calls"]]
    assert post(bridge, model, results, **extra).text == "Done."
    check_prefixes(recording_model.requests)
    # The copy took the place of the thread.
    assert thread_of(bridge, path) != before
    assert eventually(lambda: not files_of(bridge, before))
    # Nothing of what was said has gone with it.
    other = next(name for name in MODELS if name != model)
    assert post(bridge, other, [user("Who am I?")], **extra).text == "Other."
    said = json.dumps(recording_model.requests[-1]["input"])
    for text in ("My name is Ada", "Hello.", "How is the weather?", "Done."):
        assert said.count(text) == 1, text


def ids_of(calls: list[Json]) -> list[str]:
    return [call["id"] for call in calls]


def check_prefixes(requests: list[Json]) -> None:
    """Each begins, item for item, with the one before."""
    for earlier, later in pairwise(requests):
        for name in ("model", "instructions", "tools", "tool_choice", "reasoning"):
            assert later.get(name) == earlier.get(name), name
        assert_begins(without_names(later["input"]), without_names(earlier["input"]))


def restart(start_bridge: StartBridge, bridge: Bridge) -> Bridge:
    return start_bridge(
        model=bridge.model, environment=bridge.environment, again=bridge
    )


def thread_of(bridge: Bridge, path: str) -> str:
    """The thread that the session uses."""
    found = bridge.request("GET", f"{path}/sessions/s")
    assert found.status == 200, found.body
    return str(found.json["thread_id"])


def files_of(bridge: Bridge, thread: str) -> list[Path]:
    return list(bridge.root.glob(f"codex-home/sessions/*/*/*/*{thread}*"))


@pytest.mark.parametrize("path", PATHS)
def test_a_prompt_that_changes_while_a_turn_waits(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    model: str,
    path: str,
) -> None:
    """It reaches the model when the turn goes on from its record; in a chat it takes the place of the first."""
    recording_model.answers = [
        [WEATHER_CALL, ADD_CALL],
        [LAST_CALL],
        [says("Seven.")],
    ]
    bridge = start_bridge(
        model=recording_model.base_url,
        environment={"CODEX_TOOL_WAIT": "300ms"},
    )
    extra = {"session_id": "s", "path": path}
    messages: list[Json] = [
        {"role": "system", "content": "Be brief."},
        user("Weather?"),
    ]
    found = calls_of(bridge, model, messages, **extra)
    messages += [result(call, run_call(call)) for call in found]
    messages[0] = {"role": "system", "content": "Be kind."}
    # Longer than the wait and the pause between two looks at it.
    time.sleep(2.5)
    [last] = calls_of(bridge, model, messages, **extra)
    items = recording_model.requests[1]["input"]
    assert one_output_each(items) == {"call_weather": "sunny in Rome", "call_add": "3"}
    said = json.dumps(items)
    assert "Be kind." in said
    assert ("Be brief." in said) == (path == "/v1")
    messages.append(result(last, run_call(last)))
    assert text_of(bridge, model, messages, **extra) == "Seven."


def test_a_chat_whose_prompt_changes_with_each_request(
    start_bridge: StartBridge, recording_model: RecordingModel, model: str
) -> None:
    """As where the time stands in it. Calls come in one answer all the same."""
    recording_model.answers = [
        [says("Hello.")],
        [WEATHER_CALL, ADD_CALL],
        [says("Done.")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    extra = {"session_id": "s", "path": "/chat/v1"}
    first = [{"role": "system", "content": "It is noon."}, user("Hi")]
    assert post(bridge, model, first, **extra).text == "Hello."
    messages: list[Json] = [
        {"role": "system", "content": "It is one."},
        user("Weather?"),
    ]
    found = calls_of(bridge, model, messages, **extra)
    assert ids_of(found) == ["call_weather", "call_add"]
    said = json.dumps(recording_model.requests[1]["input"])
    assert "It is one." in said
    assert "It is noon." not in said
    assert "Hello." in said
    # And each copy takes the place of the one before.
    assert eventually(lambda: len(files_of(bridge, "")) == 1)
