"""Responses and the threads behind them: what the model is shown when others go on from a response."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conversations import StartBridge
from harness import Bridge, Json, eventually
from recording_model import RecordingModel, calls, runs, said, says
from responses import MODEL, post, text_of

KEYS = {"CODEX_BRIDGE_API_KEY": "first-key-of-the-test,second-key-of-the-test"}
ADD: Json = {
    "type": "function",
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    },
}


class Chain:
    """A client that goes on by the ids of responses."""

    def __init__(self, bridge: Bridge, **fields: Any) -> None:
        self.bridge = bridge
        self.fields = fields
        self.ids: list[str] = []
        self.state = ""

    def ask(self, content: Any, after: str | None = None, **fields: Any) -> Json:
        """Asks behind `after`, or else behind the last response."""
        previous = after or (self.ids[-1] if self.ids else None)
        body = {"input": content, "previous_response_id": previous, **self.fields, **fields}
        answer = post(self.bridge, body)
        assert answer.status == 200, answer.body
        headers = {key.lower(): value for key, value in answer.headers.items()}
        self.state = headers.get("x-bridge-session-state", "")
        self.restart = headers.get("x-bridge-session-restarted", "")
        response: Json = answer.json
        self.ids.append(response["id"])
        return response


@pytest.fixture
def recorded(start_bridge: StartBridge, recording_model: RecordingModel) -> Bridge:
    return start_bridge(model=recording_model.base_url)


def output(call_id: str, text: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_the_head_goes_on_on_its_thread(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")]]
    chain = Chain(recorded)
    chain.ask("first")
    assert chain.state == "new"
    chain.ask("second")
    assert chain.state == "continued"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second",
    ]


def test_an_older_response_is_forked(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [
        [runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")], [says("other two")], [says("three")],
        [says("other three")],
    ]
    chain = Chain(recorded)
    chain.ask("first")
    chain.ask("second")
    other = Chain(recorded)
    other.ask("other second", after=chain.ids[0])
    assert other.state == "forked"
    first = ["user: first", "output: ran-2", "assistant: one"]
    assert said(recording_model.requests[-1]) == [*first, "user: other second"]
    # Both go on where they are.
    chain.ask("third")
    assert chain.state == "continued"
    assert said(recording_model.requests[-1]) == [*first, "user: second", "assistant: two", "user: third"]
    other.ask("other third")
    assert other.state == "continued"
    assert said(recording_model.requests[-1]) == [
        *first, "user: other second", "assistant: other two", "user: other third",
    ]


def test_two_clients_go_on_from_one_response_at_once(
    recorded: Bridge, recording_model: RecordingModel
) -> None:
    recording_model.answers = [[says("one")]]
    recording_model.mind = lambda _: [says("more")]
    first = Chain(recorded).ask("first")
    recording_model.pause = 0.5
    chains = [Chain(recorded) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda chain: chain.ask("second", after=first["id"]), chains))
    assert sorted(chain.state for chain in chains) == ["continued", "forked"]
    for request in recording_model.requests[1:]:
        assert said(request) == ["user: first", "assistant: one", "user: second"]


def test_a_response_is_gone_on_from_after_a_crash(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")]]
    bridge = start_bridge(model=recording_model.base_url)
    chain = Chain(bridge)
    response = chain.ask("first", instructions="Be brief.")
    bridge.kill()
    chain.bridge = start_bridge(model=recording_model.base_url, again=bridge)
    again = chain.bridge.request("GET", f"/v1/responses/{chain.ids[0]}")
    assert again.status == 200
    assert again.json == response
    chain.ask("second", instructions="Be brief.")
    assert chain.state == "continued"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second",
    ]
    assert json.dumps(recording_model.requests[-1]["input"]).count("Be brief.") == 1


def test_a_chain_of_fifty(recorded: Bridge, recording_model: RecordingModel) -> None:
    chain = Chain(recorded)
    for number in range(50):
        chain.ask(f"question {number}")
        assert chain.state == ("continued" if number else "new")
    found = said(recording_model.requests[-1])
    assert len(found) == 99
    assert found[-1] == "user: question 49"


def test_a_response_whose_parent_was_deleted(recorded: Bridge, recording_model: RecordingModel) -> None:
    chain = Chain(recorded)
    chain.ask("first")
    chain.ask("second")
    assert recorded.request("DELETE", f"/v1/responses/{chain.ids[0]}").status == 200
    chain.ask("third")
    assert chain.state == "continued"
    assert len(said(recording_model.requests[-1])) == 5
    answer = post(recorded, {"input": "again", "previous_response_id": chain.ids[0]})
    assert answer.status == 400
    assert answer.json["error"]["code"] == "previous_response_not_found"


def test_a_response_of_another_key(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment=KEYS)
    first, second = KEYS["CODEX_BRIDGE_API_KEY"].split(",")
    mine = post(bridge, {"input": "first"}, key=first).json
    assert bridge.request("GET", f"/v1/responses/{mine['id']}", key=second).status == 404
    assert bridge.request("DELETE", f"/v1/responses/{mine['id']}", key=second).status == 404
    answer = post(bridge, {"input": "again", "previous_response_id": mine["id"]}, key=second)
    assert answer.json["error"]["code"] == "previous_response_not_found"
    item = mine["output"][0]["id"]
    answer = post(bridge, {"input": [{"type": "item_reference", "id": item}]}, key=second)
    assert answer.status == 404
    assert bridge.request("GET", f"/v1/responses/{mine['id']}", key=first).status == 200


# -- Instructions


def test_instructions_are_not_inherited(recorded: Bridge, recording_model: RecordingModel) -> None:
    chain = Chain(recorded)
    chain.ask("first", instructions="Speak like a pirate.")
    chain.ask("second", instructions="Speak like a pirate.")
    shown = json.dumps(recording_model.requests[-1]["input"])
    assert shown.count("Speak like a pirate.") == 1
    chain.ask("third", instructions="Speak like a poet.")
    shown = json.dumps(recording_model.requests[-1]["input"])
    assert shown.index("Speak like a pirate.") < shown.index("Speak like a poet.")
    chain.ask("fourth")
    shown = json.dumps(recording_model.requests[-1]["input"])
    assert "do not apply any more" in shown[shown.index("Speak like a poet.") :]
    chain.ask("fifth")
    shown = json.dumps(recording_model.requests[-1]["input"])
    assert shown.count("do not apply any more") == 1


# -- Functions


def test_outputs_are_brought_to_the_live_turn(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[calls("add", "c1", {"a": 1}), calls("add", "c2", {"a": 2})], [says("three")]]
    chain = Chain(recorded, tools=[ADD])
    response = chain.ask("first")
    assert [item["call_id"] for item in response["output"]] == ["c1", "c2"]
    missing = post(recorded, {"input": [output("c1", "one")], "previous_response_id": chain.ids[-1], "tools": [ADD]})
    assert missing.status == 400
    assert missing.json["error"]["message"] == "No tool output found for function call c2."
    nothing = post(recorded, {"input": "Well?", "previous_response_id": chain.ids[-1], "tools": [ADD]})
    assert nothing.status == 400
    response = chain.ask([output("c1", "one"), output("c2", "two")])
    assert chain.state == "continued"
    assert text_of(response) == "three"
    assert said(recording_model.requests[-1]) == ["user: first", "output: one", "output: two"]


def test_outputs_come_after_a_crash(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [
        [runs("echo ran-$((1+1))", "x1")], [calls("add", "c1", {"a": 1})], [says("two")], [says("three")],
    ]
    bridge = start_bridge(model=recording_model.base_url)
    chain = Chain(bridge, tools=[ADD])
    chain.ask("first")
    bridge.kill()
    chain.bridge = start_bridge(model=recording_model.base_url, again=bridge)
    assert text_of(chain.ask([output("c1", "one")])) == "two"
    assert said(recording_model.requests[-1]) == ["user: first", "output: ran-2", "output: one"]
    chain.ask("second")
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "output: one", "assistant: two", "user: second",
    ]


def test_an_earlier_round_is_gone_on_from(recorded: Bridge, recording_model: RecordingModel) -> None:
    """Its turn has gone on since, so that the conversation goes on in a new thread with what was said."""
    recording_model.answers = [[calls("add", "c1", {"a": 1})], [says("two")], [says("other two")]]
    chain = Chain(recorded, tools=[ADD])
    chain.ask("first")
    chain.ask([output("c1", "one")])
    other = Chain(recorded, tools=[ADD])
    other.ask([output("c1", "other one")], after=chain.ids[0])
    assert said(recording_model.requests[-1]) == ["user: first", "output: other one"]
    chain.ask("second")
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: one", "assistant: two", "user: second",
    ]


def test_other_functions_take_all_items_along(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[runs("echo ran-$((1+1))", "x1")], [says("one")], [says("two")], [says("three")]]
    chain = Chain(recorded)
    chain.ask("first")
    chain.ask("second", tools=[ADD])
    assert (chain.state, chain.restart) == ("restarted", "tools-changed")
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second",
    ]
    # From the first response the thread without functions goes on.
    chain.ask("other second", after=chain.ids[0])
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: other second",
    ]


def test_another_model_takes_all_items_along(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[says("one")], [says("two")], [says("three")], [says("four")]]
    chain = Chain(recorded)
    chain.ask("first")
    chain.ask("second", model="gpt-6.1-sol")
    assert (chain.state, chain.restart) == ("restarted", "model-changed")
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: one", "user: second"]
    chain.ask("third", model=MODEL)
    assert said(recording_model.requests[-1]) == [
        "user: first", "assistant: one", "user: second", "assistant: two", "user: third",
    ]
    # The older one, for another model: what was said there comes along, and no more.
    chain.ask("other", after=chain.ids[0], model="gpt-6.1-sol")
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: one", "user: other"]


# -- Whole histories


def test_a_whole_history_goes_on_on_its_thread(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[runs("echo ran-$((1+1))", "x1")], [says("one")], [says("two")], [says("three")]]
    asked: list[Json] = [{"role": "user", "content": "first"}]
    first = post(recorded, {"input": asked})
    asked += [*first.json["output"], {"role": "user", "content": "second"}]
    second = post(recorded, {"input": asked})
    headers = {key.lower(): value for key, value in second.headers.items()}
    assert headers["x-bridge-session-state"] == "continued"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second",
    ]
    # Who changes the history gets a thread of its own: others may go on from what is there.
    asked[-1] = {"role": "user", "content": "changed"}
    changed = post(recorded, {"input": asked})
    headers = {key.lower(): value for key, value in changed.headers.items()}
    assert headers["x-bridge-session-state"] == "forked"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: changed",
    ]
    chain = Chain(recorded)
    chain.ask("third", after=second.json["id"])
    assert chain.state == "continued"


def test_nothing_is_kept_of_what_is_not_stored(recorded: Bridge, recording_model: RecordingModel) -> None:
    asked: list[Json] = [{"role": "user", "content": "first"}]
    first = post(recorded, {"input": asked, "store": False})
    asked += [*first.json["output"], {"role": "user", "content": "second"}]
    second = post(recorded, {"input": asked, "store": False})
    headers = {key.lower(): value for key, value in second.headers.items()}
    assert headers["x-bridge-session-state"] == "new"
    assert not list((recorded.root / "home" / "sessions").rglob("*.jsonl"))


# -- Conversations


def test_items_posted_by_hand_reach_the_model(recorded: Bridge, recording_model: RecordingModel) -> None:
    recording_model.answers = [[says("one")], [says("two")], [says("three")]]
    made = recorded.request(
        "POST", "/v1/conversations", {"items": [{"role": "user", "content": "before"}]}
    ).json
    ask: Callable[[str], Json] = lambda text: post(recorded, {"input": text, "conversation": made["id"]}).json
    ask("first")
    assert said(recording_model.requests[-1]) == ["user: before", "user: first"]
    items = f"/v1/conversations/{made['id']}/items"
    added = [{"role": "assistant", "content": "I said so."}, {"role": "user", "content": "between"}]
    assert recorded.request("POST", items, {"items": added}).status == 200
    ask("second")
    told = ["user: before", "user: first", "assistant: one", "assistant: I said so.", "user: between", "user: second"]
    assert said(recording_model.requests[-1]) == told
    # What is taken out is not told any more.
    listed = recorded.request("GET", f"{items}?order=asc&limit=100").json["data"]
    assert recorded.request("DELETE", f"{items}/{listed[3]['id']}").status == 200
    ask("third")
    assert said(recording_model.requests[-1]) == [*told[:3], *told[4:], "assistant: two", "user: third"]


def test_a_conversation_after_a_crash(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    made = bridge.request("POST", "/v1/conversations", {}).json["id"]
    post(bridge, {"input": "first", "conversation": made})
    bridge.kill()
    bridge = start_bridge(model=recording_model.base_url, again=bridge)
    answer = post(bridge, {"input": "second", "conversation": made})
    assert answer.status == 200, answer.body
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: ok", "user: second"]
    unknown = post(bridge, {"input": "x", "conversation": "conv_unknown"})
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "conversation_not_found")


def test_a_response_in_the_background_does_not_outlive_a_crash(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    gate = threading.Event()
    recording_model.answers = [[{**says("never"), "first": "n", "gate": gate}]]
    bridge = start_bridge(model=recording_model.base_url)
    made = post(bridge, {"input": "first", "background": True}).json
    assert made["status"] == "queued"
    bridge.kill()
    gate.set()
    bridge = start_bridge(model=recording_model.base_url, again=bridge)
    found = bridge.request("GET", f"/v1/responses/{made['id']}").json
    assert found["status"] == "failed"
    assert found["error"]["code"] == "server_error"


def test_a_response_in_the_background_is_ended_before_the_stop(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    gate = threading.Event()
    recording_model.answers = [[{**says("one"), "first": "o", "gate": gate}]]
    bridge = start_bridge(model=recording_model.base_url)
    made = post(bridge, {"input": "first", "background": True}).json
    assert eventually(lambda: len(recording_model.requests) == 1)
    stopping = threading.Thread(target=bridge.stop)
    stopping.start()
    gate.set()
    stopping.join()
    bridge = start_bridge(model=recording_model.base_url, again=bridge)
    found = bridge.request("GET", f"/v1/responses/{made['id']}").json
    assert (found["status"], text_of(found)) == ("completed", "one")


def test_a_failed_turn_is_not_run_again(start_bridge: StartBridge) -> None:
    """The AI SDK repeats what has failed without a mark: the failure answers, and the agent does not run a second time."""
    bridge = start_bridge(fake=True)
    body = {"input": "demo: tokens=4 kill"}
    first = post(bridge, body)
    assert first.status == 502
    assert first.headers.get("x-should-retry") == "false"
    again = post(bridge, body)
    assert (again.status, again.json) == (first.status, first.json)
    assert again.headers.get("x-bridge-repeated-failure") == "1"
