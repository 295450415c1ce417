"""What happens around a turn that waits for its client: questions to a person, another process, no room on the disk, the
end of the bridge, a key that is taken away. With the real Codex unless the test says otherwise."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions import MODELS, TOOLS, calls_of, message_of, post, result, text_of, user
from harness import Answer, Bridge, Json, eventually, request_text

StartBridge = Callable[..., Bridge]

FAMILIES = pytest.mark.parametrize("model", MODELS)
ASKING = {"CODEX_APPROVAL_POLICY": "on-request"}
CALL = 'demo: call=get_weather:{"city":"Rome"}'
SAID = "get_weather said: sunny"
# What it prints does not stand in it.
COMMAND = "echo ran-$((1+1))"


def metric(bridge: Bridge, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = bridge.request("GET", "/metrics").body.decode().splitlines()
    found = [
        line.split() for line in lines if line.partition("{")[0].split()[0] == name
    ]
    return sum(float(words[-1]) for words in found)


def begin(bridge: Bridge, model: str, text: str = CALL, **fields: Any) -> list[Json]:
    """A conversation whose turn waits, with what its functions have returned at the end."""
    messages = [user(text)]
    calls = calls_of(bridge, model, messages, **fields)
    assert calls
    return [*messages, *(result(call, "sunny") for call in calls)]


# -- questions


def approvals(bridge: Bridge) -> list[Json]:
    return list(bridge.request("GET", "/v1/approvals").json["data"])


def begin_asking(bridge: Bridge, model: str) -> tuple[list[Json], Json]:
    """The answer has ended with calls while Codex asks whether a command of the same response may leave the sandbox."""
    text = f'demo: escalate run="{COMMAND}" {CALL.removeprefix("demo: ")}'
    messages = begin(bridge, model, text, session_id="asks")
    assert eventually(lambda: approvals(bridge))
    [question] = approvals(bridge)
    assert question["command"] == COMMAND
    return messages, question


@FAMILIES
@pytest.mark.parametrize("decision", ["accept", "decline"])
def test_a_question_stands_while_its_turn_waits(
    start_bridge: StartBridge, model: str, decision: str
) -> None:
    # The wait is over long before a person decides, and the turn stays for the sake of the question.
    bridge = start_bridge(environment={**ASKING, "CODEX_TOOL_WAIT": "100ms"})
    messages, question = begin_asking(bridge, model)
    path = f"/v1/approvals/{question['id']}"
    assert bridge.request("POST", path, {"decision": decision}).status == 200
    message = message_of(post(bridge, model, messages, session_id="asks"))
    assert SAID in message["content"]
    assert ("ran-2" in message["content"]) == (decision == "accept")
    # What happened meanwhile is told now.
    reasoning = message["reasoning_content"]
    assert "Codex asks to run a command outside the sandbox" in reasoning
    assert ("Approved." if decision == "accept" else "Declined.") in reasoning
    assert approvals(bridge) == []


@pytest.mark.parametrize("end", ["deleted", "closed", "stopped"])
def test_a_question_goes_with_its_turn(start_bridge: StartBridge, end: str) -> None:
    model = MODELS[0]
    bridge = start_bridge(environment=ASKING)
    messages, _ = begin_asking(bridge, model)
    if end == "deleted":
        assert bridge.request("DELETE", "/v1/sessions/asks").status == 200
    elif end == "closed":
        # Another turn of the session cannot run beside it.
        assert post(bridge, model, [user("hello")], session_id="asks").status == 200
    else:
        # Nobody is waited for.
        assert bridge.stop() == 0
        bridge = start_bridge(again=bridge, environment=ASKING)
        message = message_of(post(bridge, model, messages, session_id="asks"))
        assert SAID in message["content"]
    assert eventually(lambda: not approvals(bridge))


# -- another process


@FAMILIES
def test_turns_wait_on_while_another_process_takes_over(
    start_bridge: StartBridge, model: str
) -> None:
    bridge = start_bridge(environment={"CODEX_ENGINE_MAX_TURNS": "1"})
    text = f"{CALL} round outputs call=add round outputs"
    one_off = begin(bridge, model, text)
    session = begin(bridge, model, text, session_id="s")
    successions = "codexbridge_engine_successions_total"
    assert eventually(lambda: metric(bridge, successions) == 1)
    assert bridge.chat("demo: say=other", model=model).text == "other"
    for messages, fields in ((one_off, {}), (session, {"session_id": "s"})):
        [call] = calls_of(bridge, model, messages, **fields)
        assert messages[-1]["content"] == SAID
        messages.append(result(call, "3"))
        answer = post(bridge, model, messages, **fields)
        assert message_of(answer)["content"] == "add said: 3"
        assert "x-bridge-session-restarted" not in answer.headers
    # The process before has ended with them, and the session goes on in the one that has taken over.
    assert eventually(lambda: metric(bridge, "codexbridge_engine_processes") == 1)
    history = [user("demo: history")]
    assert SAID in text_of(bridge, model, history, session_id="s")


# -- no room


@pytest.fixture
def on_small_disk(
    start_bridge: StartBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StartBridge:
    """Starts a bridge whose state directory is a file system of half a megabyte, which nobody else sees."""
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(tmp_path)],
            check=False,
            capture_output=True,
        ).returncode
    ):
        pytest.skip("no mount namespaces here")
    program = tmp_path / "bridged"
    program.write_text(
        "#!/bin/sh\n"
        'mount -t tmpfs -o size=512k,mode=0700 none "$CODEX_STATE_DIR" && '
        f'exec "{os.environ["BRIDGED_BIN"]}" "$@"\n'
    )
    program.chmod(0o755)
    wrapper = tmp_path / "in-a-namespace"
    wrapper.write_text(f'#!/bin/sh\nexec unshare -m "{program}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("BRIDGED_BIN", str(wrapper))
    return start_bridge


def fill(bridge: Bridge) -> Path:
    """Fills the state directory, as the bridge sees it."""
    filler = Path(f"/proc/{bridge.pid}/root{bridge.state}/filler")
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        while True:
            file.write(bytes(512))
    return filler


@pytest.mark.parametrize("has_kept", [False, True])
def test_without_room_on_the_disk_a_turn_waits_all_the_same(
    on_small_disk: StartBridge, has_kept: bool
) -> None:
    """With the fake engine."""
    bridge = on_small_disk(fake=True)
    model = "gpt-5.5"
    if has_kept:
        begin(bridge, model)
    filler = fill(bridge)
    messages = begin(bridge, model, f'{CALL} say="{"x" * 200_000}" round outputs')
    assert metric(bridge, "codexbridge_turns_not_kept_total") == 1
    assert "an open turn cannot be kept" in bridge.log()
    message = message_of(post(bridge, model, messages))
    assert SAID in message["content"]
    assert "could not be kept on disk" in message["reasoning_content"]
    # Once there is room again, what waits is kept.
    filler.unlink()
    messages = begin(bridge, model)
    assert metric(bridge, "codexbridge_turns_not_kept_total") == 1
    message = message_of(post(bridge, model, messages))
    assert "could not be kept" not in (message.get("reasoning_content") or "")


# -- the end of the bridge


def test_outputs_that_come_while_the_bridge_ends_go_to_its_successor(
    start_bridge: StartBridge,
) -> None:
    """Their request was on its way when the end began: later ones find nobody who listens."""
    bridge = start_bridge(environment={"CODEX_DRAIN_TIMEOUT": "30s"})
    model = MODELS[0]
    messages = begin(bridge, model)
    request = request_text(
        bridge.address, {"model": model, "messages": messages, "tools": TOOLS}
    )
    running: list[Answer] = []
    # Keeps the bridge from ending before it has all of the request.
    long = threading.Thread(
        target=lambda: running.append(bridge.chat("demo: tokens=20 delay=100"))
    )
    long.start()
    assert eventually(lambda: metric(bridge, "codexbridge_turns_running") == 1)
    with socket.create_connection(bridge.address, timeout=30) as late:
        late.sendall(request[:-10])
        stopping = threading.Thread(target=bridge.stop)
        assert bridge.process is not None
        process = bridge.process
        stopping.start()
        assert eventually(lambda: not is_listening(bridge))
        assert process.poll() is None
        late.sendall(request[-10:])
        received = b""
        while piece := late.recv(1 << 16):
            received += piece
    assert received.startswith(b"HTTP/1.1 503 "), received
    assert b'"code":"draining"' in received
    assert b"x-should-retry: true" in received
    long.join()
    stopping.join()
    assert running[0].status == 200
    bridge = start_bridge(again=bridge)
    assert message_of(post(bridge, model, messages))["content"] == SAID


def is_listening(bridge: Bridge) -> bool:
    try:
        socket.create_connection(bridge.address, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


# -- whose it is


def test_a_key_that_is_taken_away_has_no_turn_to_go_on_with(
    start_bridge: StartBridge,
) -> None:
    """It is refused, what it has begun is nobody else's, and goes on once the key is back."""

    def start(keys: str, again: Bridge | None = None) -> Bridge:
        return start_bridge(again=again, environment={"CODEX_BRIDGE_API_KEY": keys})

    def ask(bridge: Bridge, key: str, messages: list[Json]) -> Answer:
        body = {
            "model": MODELS[0],
            "messages": messages,
            "tools": TOOLS,
            "session_id": "s",
        }
        return bridge.request("POST", "/v1/chat/completions", body, key=key)

    bridge = start("one,two")
    messages = [user(f"{CALL} round history")]
    message = message_of(ask(bridge, "one", messages))
    [call] = message["tool_calls"]
    output = result(call, "sunny")
    bridge.stop()
    bridge = start("two", again=bridge)
    assert ask(bridge, "one", [output]).status == 401
    # The output alone means nothing to anybody else.
    other = message_of(ask(bridge, "two", [output]))
    assert CALL not in (other["content"] or "")
    bridge.stop()
    bridge = start("one,two", again=bridge)
    assert CALL in message_of(ask(bridge, "one", [output]))["content"]


# -- places


def test_a_turn_that_waits_takes_nobodys_place(start_bridge: StartBridge) -> None:
    """And it goes on although there is none: it was let in before."""
    settings = {"CODEX_MAX_CONCURRENT_TURNS": "1", "CODEX_MAX_QUEUE": "0"}
    bridge = start_bridge(environment=settings)
    model = MODELS[0]
    waiting = begin(bridge, model)
    assert bridge.chat("demo: say=hello").text == "hello"
    with bridge.open_stream("demo: tokens=1000 delay=100") as other:
        other.read_until(b"t1 ")
        assert post(bridge, model, [user("hello")]).status == 429
        assert message_of(post(bridge, model, waiting))["content"] == SAID


# -- usage


def usage(answer: Answer) -> tuple[int, int] | None:
    found = answer.json.get("usage")
    return found and (found["prompt_tokens"], found["completion_tokens"])


@FAMILIES
def test_an_answer_has_the_usage_of_its_own_calls_of_the_model(
    start_bridge: StartBridge, model: str
) -> None:
    """Two calls of the model for each answer, and all of them once in the metric."""
    bridge = start_bridge()
    text = (
        'demo: usage=10,0,1 run="echo a" round usage=20,0,2 call=add'
        ' round usage=40,0,4 run="echo b" round usage=80,0,8 say=done'
    )
    messages = [user(text)]
    first = post(bridge, model, messages)
    [call] = message_of(first)["tool_calls"]
    messages += [message_of(first), result(call, "3")]
    second = post(bridge, model, messages)
    assert message_of(second)["content"] == "done"
    assert usage(first) == (30, 3)
    assert usage(second) == (120, 12)
    assert metric(bridge, "codexbridge_tokens_total") == 165


@FAMILIES
def test_usage_after_a_restart_is_that_of_each_answer(
    start_bridge: StartBridge, model: str
) -> None:
    """Of a session whose thread Codex would have to load again."""
    bridge = start_bridge()
    first = bridge.chat("demo: say=hi", model=model, session_id="s", tools=TOOLS)
    assert first.text == "hi"
    bridge.stop()
    bridge = start_bridge(again=bridge)
    text = (
        'demo: usage=10,0,1 call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2}'
        " round usage=20,0,2 outputs"
    )
    messages = [user(text)]
    first = post(bridge, model, messages, session_id="s")
    message = message_of(first)
    messages.append(message)
    for call in message["tool_calls"]:
        messages.append(result(call, f"out of {call['function']['name']}"))
    second = post(bridge, model, messages, session_id="s")
    said = message_of(second)["content"]
    assert said == "get_weather said: out of get_weather\nadd said: out of add"
    assert usage(first) == (10, 1)
    assert usage(second) == (20, 2)
    assert metric(bridge, "codexbridge_tokens_total") == 33


# -- calls that had to be made


def kept_turns(bridge: Bridge) -> int:
    path = bridge.state / "state.db"
    if not path.exists():
        return 0
    with contextlib.closing(
        sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    ) as database:
        # It has no tables yet while it is being made.
        made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'open_turns'").fetchone()
        return int(database.execute("SELECT count(*) FROM open_turns").fetchone()[0]) if made else 0


@FAMILIES
@pytest.mark.parametrize("session", [None, "forced"])
def test_a_call_that_had_to_be_made_leaves_no_turn(
    start_bridge: StartBridge, model: str, session: str | None
) -> None:
    bridge = start_bridge()
    fields: Json = {"session_id": session} if session else {}
    messages = [user('demo: say={"city":"Rome"}')]
    choice = {"type": "function", "function": {"name": "get_weather"}}
    [call] = calls_of(bridge, model, messages, tool_choice=choice, **fields)
    assert metric(bridge, "codexbridge_turns_parked") == 0
    messages.append(result(call, "sunny"))
    messages.append(user("demo: outputs history"))
    text = text_of(bridge, model, messages, **fields)
    assert SAID in text
    # What the model wrote is the call, and no message beside it.
    assert 'assistant: {"city"' not in text
    # In a session it was kept to be taken back to.
    assert eventually(lambda: kept_turns(bridge) == 0)
