"""What becomes of a turn that waits for its client: late, restarted, killed, with other functions.

With the real Codex and its stand-in model. A turn runs a command of Codex's own beside the calls of
functions, which leaves a line in a file: nothing that ran may run twice.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Answer, Bridge, Json, RawStream

StartBridge = Callable[..., Bridge]

MODELS = ["gpt-5.5", "gpt-6.1-sol"]
SCRIPT = 'demo: say="Let me see. " run="echo ran >> ran.txt" round call=get_weather:{"city":"Rome"} call=get_time:{}'


def function(name: str, description: str = "") -> Json:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TOOLS = [function("get_weather"), function("get_time")]


class Conversation:
    """A client that sends its whole history each time."""

    def __init__(
        self, model: str, session: str | None, text: str = SCRIPT, tools: list[Json] = TOOLS
    ) -> None:
        self.messages: list[Json] = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": text},
        ]
        self.fields: Json = {"model": model, "tools": tools}
        if session is not None:
            self.fields["session_id"] = session

    def ask(self, bridge: Bridge, headers: dict[str, str] | None = None) -> Answer:
        body = {"messages": self.messages, **self.fields}
        return bridge.request("POST", "/v1/chat/completions", body, headers=headers)

    def take_calls(self, answer: Answer) -> list[str]:
        """Takes the answer into the history, and what its functions return. Returns their names."""
        assert answer.status == 200, answer.body
        choice = answer.json["choices"][0]
        assert choice["finish_reason"] == "tool_calls", answer.body
        message = choice["message"]
        self.messages.append(message)
        for call in message["tool_calls"]:
            output = f"{call['function']['name']} is fine"
            self.messages.append(
                {"role": "tool", "tool_call_id": call["id"], "content": output}
            )
        return [call["function"]["name"] for call in message["tool_calls"]]


def text_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    choice = answer.json["choices"][0]
    assert choice["finish_reason"] == "stop", answer.body
    return str(choice["message"]["content"])


def assert_both_returned(answer: Answer) -> None:
    text = text_of(answer)
    assert "get_weather is fine" in text
    assert "get_time is fine" in text


def runs(bridge: Bridge) -> int:
    path = bridge.work / "ran.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def start(far_root: Path) -> Iterator[StartBridge]:
    """Starts a bridge whose commands may write; `again` takes over the directories of another."""
    started: list[Bridge] = []

    def start_one(again: Bridge | None = None, **environment: str) -> Bridge:
        values = again.environment if again else {"CODEX_SANDBOX_MODE": "workspace-write"}
        bridge = Bridge(far_root, environment=values | environment)
        started.append(bridge)
        return bridge.start()

    yield start_one
    for bridge in started:
        bridge.stop()


def engines_of(bridge: Bridge) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(bridge.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def test_a_session_and_none_go_on_live(start: StartBridge) -> None:
    bridge = start()
    for model in MODELS:
        for session in (None, f"live-{model}"):
            before = runs(bridge)
            talk = Conversation(model, session)
            assert talk.take_calls(talk.ask(bridge)) == ["get_weather", "get_time"]
            assert_both_returned(talk.ask(bridge))
            assert runs(bridge) == before + 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("session", [None, "s"])
@pytest.mark.parametrize("end", ["bridge-killed", "bridge-ended", "engine-killed", "late"])
def test_whatever_ends_the_next_round_is_right(
    start: StartBridge, model: str, session: str | None, end: str
) -> None:
    wait = "1" if end == "late" else "600"
    bridge = start(CODEX_TOOL_WAIT=wait)
    talk = Conversation(model, session)
    talk.take_calls(talk.ask(bridge))
    assert runs(bridge) == 1
    if end == "engine-killed":
        for pid in engines_of(bridge):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        bridge.wait_ready()
    elif end == "late":
        time.sleep(3)
    else:
        if end == "bridge-killed":
            bridge.kill()
        else:
            bridge.stop()
        bridge = start(again=bridge)
    answer = talk.ask(bridge)
    assert_both_returned(answer)
    assert "x-bridge-session-restarted" not in answer.headers
    assert runs(bridge) == 1
    # The session goes on as if nothing had been.
    if session is not None:
        talk.messages.append({"role": "assistant", "content": text_of(answer)})
        talk.messages.append({"role": "user", "content": "demo: say=done"})
        assert text_of(talk.ask(bridge)) == "done"


def test_a_turn_that_was_lost_while_it_went_on_is_not_run_by_a_marked_retry(start: StartBridge) -> None:
    bridge = start()
    text = 'demo: call=get_weather:{} round run="echo ran >> ran.txt; sleep 30"'
    talk = Conversation("gpt-5.5", None, text)
    assert talk.take_calls(talk.ask(bridge)) == ["get_weather"]
    waiting = threading.Thread(target=lambda: ignore_errors(lambda: talk.ask(bridge)))
    waiting.start()
    deadline = time.monotonic() + 20
    while runs(bridge) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    bridge.kill()
    waiting.join()
    bridge = start(again=bridge)
    answer = talk.ask(bridge, {"x-stainless-retry-count": "1"})
    assert answer.status == 502
    assert answer.error["code"] == "turn_lost"
    assert answer.headers["x-should-retry"] == "false"
    assert runs(bridge) == 1


def ignore_errors(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001 (the bridge is killed while it answers)
        pass


def test_outputs_of_another_key_go_on_with_nothing(start: StartBridge) -> None:
    bridge = start(CODEX_BRIDGE_API_KEY="one,two")
    talk = Conversation("gpt-5.5", None, "demo: call=get_weather:{} call=get_time:{}")
    first = {"Authorization": "Bearer one"}
    talk.take_calls(talk.ask(bridge, first))
    answer = talk.ask(bridge, {"Authorization": "Bearer two"})
    # It is answered from its own history.
    assert_both_returned(answer)
    # The turn of the first waits still.
    assert_both_returned(talk.ask(bridge, first))


def test_a_missing_output_is_named(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", None, "demo: call=get_weather:{} call=get_time:{}")
    talk.take_calls(talk.ask(demo))
    last = talk.messages.pop()
    answer = talk.ask(demo)
    assert answer.status == 400
    assert answer.error["param"] == "messages[2]"
    # Without the history, too; and the turn goes on once all are there.
    alone = [talk.messages[-1]]
    answer = demo.request(
        "POST", "/v1/chat/completions", {"messages": alone, **talk.fields}
    )
    assert answer.status == 400
    assert last["tool_call_id"] in answer.error["message"]
    talk.messages.append(last)
    assert_both_returned(talk.ask(demo))


def test_text_beside_the_outputs_reaches_the_same_turn(demo: Bridge) -> None:
    for model in MODELS:
        talk = Conversation(model, None, "demo: call=get_weather:{}")
        talk.take_calls(talk.ask(demo))
        talk.messages.append({"role": "user", "content": "demo: outputs say=\"and then\""})
        text = text_of(talk.ask(demo))
        assert "get_weather is fine" in text
        assert "and then" in text


def test_outputs_alone_are_enough(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", None, "demo: call=get_weather:{} call=get_time:{}")
    talk.take_calls(talk.ask(demo))
    outputs = talk.messages[-2:]
    answer = demo.request(
        "POST", "/v1/chat/completions", {"messages": outputs, **talk.fields}
    )
    assert_both_returned(answer)


def test_an_edited_history_is_answered_from_itself(demo: Bridge) -> None:
    for session in (None, "edited"):
        talk = Conversation("gpt-5.5", session, "demo: call=get_weather:{}")
        talk.take_calls(talk.ask(demo))
        talk.messages[1] = {"role": "user", "content": "Something else"}
        answer = talk.ask(demo)
        assert answer.status == 200, answer.body


def test_a_session_that_leaves_its_calls_open_goes_on(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", "left", "demo: call=get_weather:{}")
    talk.take_calls(talk.ask(demo))
    talk.messages = [{"role": "user", "content": "demo: say=never-mind"}]
    assert text_of(talk.ask(demo)) == "never-mind"


@pytest.mark.parametrize("model", MODELS)
def test_other_functions_need_another_thread(demo: Bridge, model: str) -> None:
    talk = Conversation(model, f"tools-{model}", "demo: call=get_weather:{}")
    talk.take_calls(talk.ask(demo))
    # Between the rounds, one comes and one goes.
    talk.fields["tools"] = [TOOLS[0], function("get_news")]
    answer = talk.ask(demo)
    # Each call has one output, and not that of its interrupt beside it.
    assert text_of(answer) == "get_weather said: get_weather is fine"
    assert answer.headers["x-bridge-session-restarted"] == "tools-changed"
    talk.messages.append({"role": "assistant", "content": text_of(answer)})
    # Fewer, none, or another order are no change.
    for tools in ([function("get_news"), TOOLS[0]], [TOOLS[0]], None):
        talk.fields["tools"] = tools
        talk.messages.append({"role": "user", "content": "demo: say=on"})
        answer = talk.ask(demo)
        assert text_of(answer) == "on"
        assert "x-bridge-session-restarted" not in answer.headers
        talk.messages.append({"role": "assistant", "content": "on"})


def test_a_call_that_is_not_offered_gets_an_error(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", "offered", "demo: say=hi")
    assert text_of(talk.ask(demo)) == "hi"
    talk.messages.append({"role": "assistant", "content": "hi"})
    talk.messages.append({"role": "user", "content": "demo: call=get_time:{}"})
    talk.fields["tools"] = [TOOLS[0]]
    assert "cannot be called" in text_of(talk.ask(demo))


def test_many_turns_wait_and_others_are_unaffected(start: StartBridge) -> None:
    bridge = start()
    text = "demo: call=get_weather:{}"
    talks = [Conversation("gpt-5.5", None, text) for _ in range(200)]

    def begin(some: list[Conversation]) -> None:
        for talk in some:
            talk.take_calls(talk.ask(bridge))

    threads = [threading.Thread(target=begin, args=(talks[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bridge.chat("demo: say=hello").text == "hello"
    for talk in (talks[0], talks[99], talks[199]):
        assert "get_weather is fine" in text_of(talk.ask(bridge))


def leave_after(bridge: Bridge, talk: Conversation, seconds: float) -> None:
    """Sends a request and closes the connection while it is answered."""
    body = {"messages": talk.messages, "stream": True, **talk.fields}
    with RawStream(bridge.address, body):
        time.sleep(seconds)


@pytest.mark.parametrize("session", [None, "left-early"])
def test_who_leaves_while_outputs_are_answered_runs_nothing_twice(
    start: StartBridge, session: str | None
) -> None:
    bridge = start()
    text = 'demo: call=get_weather:{} round run="echo ran >> ran.txt" round tokens=100 delay=100'
    talk = Conversation("gpt-5.5", session, text)
    talk.take_calls(talk.ask(bridge))
    waiting = threading.Thread(target=leave_after, args=(bridge, talk, 4))
    waiting.start()
    time.sleep(1.5)
    # Meanwhile the turn is another request's.
    assert talk.ask(bridge).error["code"] == "turn_goes_on"
    waiting.join()
    time.sleep(1)
    assert runs(bridge) == 1
    marked = talk.ask(bridge, {"x-stainless-retry-count": "1"})
    assert marked.error["code"] == "turn_lost"
    answer = talk.ask(bridge)
    assert answer.status == 200, answer.body
    assert runs(bridge) == 1


def test_a_turn_goes_on_only_once_after_a_restart(start: StartBridge) -> None:
    bridge = start()
    text = 'demo: call=get_weather:{} round run="echo ran >> ran.txt" round tokens=100 delay=100'
    talk = Conversation("gpt-5.5", None, text)
    talk.take_calls(talk.ask(bridge))
    bridge.kill()
    bridge = start(again=bridge)
    leave_after(bridge, talk, 4)
    time.sleep(1)
    assert runs(bridge) == 1
    marked = talk.ask(bridge, {"x-stainless-retry-count": "1"})
    assert marked.error["code"] == "turn_lost"
    assert runs(bridge) == 1


def test_equal_call_ids_belong_to_their_conversations(demo: Bridge) -> None:
    talks = [
        Conversation("gpt-5.5", None, f"demo: call-id=call_0 call=get_weather:{{}} round say=done-{n}")
        for n in range(2)
    ]
    for talk in talks:
        talk.take_calls(talk.ask(demo))
    for n, talk in enumerate(talks):
        assert text_of(talk.ask(demo)) == f"done-{n}"


def test_a_form_of_the_last_answer_is_kept(demo: Bridge) -> None:
    for session in (None, "formed"):
        text = 'demo: call=get_weather:{} round say={"a":"b"}'
        talk = Conversation("gpt-5.5", session, text)
        talk.take_calls(talk.ask(demo))
        schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
        talk.fields["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": schema | {"additionalProperties": False}},
        }
        assert set(json.loads(text_of(talk.ask(demo)))) == {"a"}
        del talk.fields["response_format"]


def test_a_call_can_be_asked_for_in_a_later_round(demo: Bridge) -> None:
    text = 'demo: call=get_weather:{} round say={"city":"Rome"}'
    talk = Conversation("gpt-5.5", None, text)
    talk.take_calls(talk.ask(demo))
    talk.fields["tool_choice"] = {"type": "function", "function": {"name": "get_time"}}
    assert talk.take_calls(talk.ask(demo)) == ["get_time"]


def test_a_deleted_session_leaves_nothing(start: StartBridge) -> None:
    bridge = start()
    talk = Conversation("gpt-5.5", "deleted", "demo: call=get_weather:{}")
    talk.take_calls(talk.ask(bridge))
    assert bridge.request("DELETE", "/v1/sessions/deleted").status == 200
    database = sqlite3.connect(f"file:{bridge.state}/state.db?mode=ro", uri=True)
    for table in ("open_turns", "open_calls", "open_items"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    database.close()


def test_what_was_said_in_between_stays(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", "between", "demo: call=get_weather:{}")
    talk.take_calls(talk.ask(demo))
    outputs = talk.messages[-1:]
    talk.messages = [{"role": "user", "content": "remember-this demo: say=ok"}]
    assert talk.ask(demo).status == 200
    talk.messages = outputs
    assert talk.ask(demo).status == 200
    talk.messages = [{"role": "user", "content": "demo: history"}]
    assert "remember-this" in text_of(talk.ask(demo))


def test_the_older_form_goes_on_live(start: StartBridge) -> None:
    bridge = start()
    text = 'demo: run="echo ran >> ran.txt" round call=get_weather:{} round call=get_time:{}'
    messages: list[Json] = [{"role": "user", "content": text}]
    functions = [tool["function"] for tool in TOOLS]
    for name in ("get_weather", "get_time"):
        body = {"model": "gpt-5.5", "messages": messages, "functions": functions}
        choice = bridge.request("POST", "/v1/chat/completions", body).json["choices"][0]
        assert choice["finish_reason"] == "function_call"
        assert choice["message"]["function_call"]["name"] == name
        messages.append(choice["message"])
        messages.append({"role": "function", "name": name, "content": f"{name} is fine"})
    body = {"model": "gpt-5.5", "messages": messages, "functions": functions}
    assert "get_time is fine" in text_of(
        bridge.request("POST", "/v1/chat/completions", body)
    )
    assert runs(bridge) == 1


def test_a_bridge_that_ends_waits_for_no_calls(start: StartBridge) -> None:
    bridge = start(CODEX_DRAIN_TIMEOUT="60")
    talk = Conversation("gpt-5.5", None, "demo: tokens=20 delay=100 call=get_weather:{}")
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(talk.ask(bridge)))
    asking.start()
    time.sleep(1)
    assert bridge.stop(seconds=40) == 0
    asking.join()
    talk.take_calls(answers[0])
    assert "get_weather is fine" in text_of(talk.ask(start(again=bridge)))


def usage_of(answer: Answer) -> Any:
    return answer.json.get("usage")


def test_the_usage_of_a_turn_is_told_once(demo: Bridge) -> None:
    talk = Conversation("gpt-5.5", None, "demo: usage=100,0,7 call=get_weather:{}")
    first = talk.ask(demo)
    talk.take_calls(first)
    second = talk.ask(demo)
    assert usage_of(first)["completion_tokens"] == 7
    assert usage_of(second)["prompt_tokens"] > 0
