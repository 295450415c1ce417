"""A conversation that a client sends whole goes on in the thread that its history leads to: what goes upstream is what the
person sees, with the agent's own work in the turns that are kept. With the real Codex and a model that keeps what it is asked."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from conversations import EITHER, MODEL, NAMED, Chat, StartBridge
from functions import calls_of, post, result, user
from harness import Bridge, Json, RawStream, eventually
from recording_model import RecordingModel, calls, runs, said, says


def test_a_conversation_without_a_name_goes_on_in_its_thread(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")]]
    chat = Chat(bridge)
    assert chat.ask("first") == "one"
    assert chat.state == "new"
    assert chat.ask("second") == "two"
    assert chat.state == "continued"
    # The client has never seen what the command has printed.
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second",
    ]


@EITHER
def test_the_last_answer_again_takes_the_thread_back(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        [runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")], [says("other two")], [says("three")],
    ]
    chat = Chat(bridge, **name)
    chat.ask("first")
    chat.ask("second")
    chat.messages.pop()
    assert chat.again() == "other two"
    assert chat.state == "reverted"
    [before, again] = recording_model.requests[-2:]
    # Ids and all, but for the message that is sent anew.
    assert again["input"][:-1] == before["input"][:-1]
    assert again["prompt_cache_key"] == before["prompt_cache_key"]
    chat.ask("third")
    assert chat.state == "continued"
    assert said(recording_model.requests[-1]) == [
        "user: first", "output: ran-2", "assistant: one", "user: second", "assistant: other two", "user: third",
    ]


@EITHER
def test_an_earlier_message_is_changed_and_the_client_comes_back(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        [says("one")], [runs("echo ran-$((1+1))", "c1")], [says("two")], [says("three")], [says("new two")],
        [says("four")], [says("new three")],
    ]
    chat = Chat(bridge, **name)
    for text in ("first", "second", "third"):
        chat.ask(text)
    edited = chat.branch()
    edited.messages = edited.messages[:2]
    edited.ask("changed")
    assert edited.state == "reverted"
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: one", "user: changed"]
    # Back in the first branch, with what its turns have done.
    chat.ask("fourth")
    assert said(recording_model.requests[-1]) == [
        "user: first", "assistant: one", "user: second", "output: ran-2", "assistant: two", "user: third",
        "assistant: three", "user: fourth",
    ]
    edited.ask("more")
    assert said(recording_model.requests[-1]) == [
        "user: first", "assistant: one", "user: changed", "assistant: new two", "user: more",
    ]


def test_a_front_end_that_keeps_its_history_changes_the_first_message(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    chat = Chat(bridge, **NAMED)
    chat.ask("first")
    chat.ask("second")
    chat.messages = []
    chat.ask("other first")
    assert chat.state == "reverted"
    assert said(recording_model.requests[-1]) == ["user: other first"]


def test_an_empty_parent_changes_the_first_message(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    message = {"role": "user", "content": "first"}
    body = {"model": MODEL, "messages": [message], **NAMED}
    for fields in ({}, {"x-bridge-parent": ""}):
        answer = bridge.request("POST", "/v1/chat/completions", body, headers=fields)
        assert answer.status == 200
    assert said(recording_model.requests[-1]) == ["user: first"]
    # Without it the same words are one more message.
    assert bridge.request("POST", "/v1/chat/completions", body).status == 200
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: ok", "user: first"]


@EITHER
def test_the_beginning_of_an_answer_is_continued(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    """As Open WebUI does it: the history ends with what there is of the answer."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[says("The beginning, ")], [says("and the end.")], [says("two")]]
    chat = Chat(bridge, **name)
    chat.ask("first")
    assert chat.again() == "and the end."
    # The client shows both as one.
    end = chat.messages.pop()
    chat.messages[-1]["content"] += end["content"]
    chat.ask("second")
    assert chat.state == "continued"
    found = said(recording_model.requests[-1])
    assert found[:2] == ["user: first", "assistant: The beginning, "]
    assert found[2].startswith("user: Continue your last answer")
    assert found[3:] == ["assistant: and the end.", "user: second"]


DOCUMENTS = (
    "### Task:\nRespond to the user query using the provided context, incorporating inline citations.\n\n"
    "<context>\n<source id=\"1\">The cat is {}.</source>\n</context>\n"
)


@EITHER
def test_documents_of_earlier_questions_are_taken_out(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        [runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")], [says("three")], [says("other three")],
    ]
    chat = Chat(bridge, **name)
    for number, text in enumerate(["first", "second", "third"]):
        chat.ask(DOCUMENTS.format(number) + "\n" + text)
        # The next request has the question as it was asked.
        chat.messages[-2]["content"] = text
        assert chat.state == ("new" if number == 0 else "continued")
    last = said(recording_model.requests[-1])
    assert last[:-1] == [
        "user: first", "output: ran-2", "assistant: one", "user: second", "assistant: two",
    ]
    assert last[-1].endswith("third")
    assert "The cat is 2." in last[-1]
    chat.messages.pop()
    chat.again()
    assert said(recording_model.requests[-1]) == [*last[:-1], "user: third"]


def test_two_chats_with_the_same_beginning_share_nothing_more(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    chats = [Chat(bridge), Chat(bridge)]
    for chat in chats:
        chat.ask("hi")
    for number, chat in enumerate(chats):
        chat.ask(f"mine is {number}")
        chat.ask("and now?")
        assert said(recording_model.requests[-1]) == [
            "user: hi", "assistant: ok", f"user: mine is {number}", "assistant: ok", "user: and now?",
        ]


def test_a_cache_key_tells_chats_apart_that_look_alike(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    """It is no name: many programs send the same for all."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        item for number in range(3) for item in ([runs(f"echo ran-{number}", f"c{number}")], [says("one")])
    ]
    chats = [Chat(bridge, prompt_cache_key=key) for key in ("a", "b", "b")]
    for chat in chats:
        chat.ask("first")
    for number, chat in enumerate(chats):
        chat.ask(f"mine is {number}")
        work = ["output: ran-0"] if number == 0 else []
        assert said(recording_model.requests[-1]) == [
            "user: first", *work, "assistant: one", f"user: mine is {number}",
        ]


def test_one_beginning_with_two_followers(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")]]
    chat = Chat(bridge)
    chat.ask("first")
    begun = ["user: first", "output: ran-2", "assistant: one"]
    chats = [chat.branch(), chat.branch()]
    for turn in range(3):
        for number, other in enumerate(chats):
            other.ask(f"{number} {turn}")
            expected = [line for past in range(turn) for line in (f"user: {number} {past}", "assistant: ok")]
            assert said(recording_model.requests[-1]) == [*begun, *expected, f"user: {number} {turn}"]


def test_two_that_follow_one_answer_at_once(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    """The first goes on in the thread, the second in a fork of it, and neither waits for the other."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")]]
    chat = Chat(bridge)
    chat.ask("first")
    begun = ["user: first", "output: ran-2", "assistant: one"]
    first, second = chat.branch(), chat.branch()
    recording_model.pause = 2.0
    running = threading.Thread(target=first.ask, args=("mine",))
    running.start()
    assert eventually(lambda: len(recording_model.requests) == 3)
    recording_model.pause = 0.0
    second.ask("yours")
    assert running.is_alive()
    assert second.state == "forked"
    assert said(recording_model.requests[-1]) == [*begun, "user: yours"]
    running.join()
    for other, word in ((second, "yours"), (first, "mine")):
        other.ask("more")
        assert other.state == "continued"
        assert said(recording_model.requests[-1]) == [*begun, f"user: {word}", "assistant: ok", "user: more"]


@pytest.mark.parametrize("kept", ["memory", "disk"])
@EITHER
def test_chats_of_two_keys_that_look_alike(
    start_bridge: StartBridge, recording_model: RecordingModel, name: Json, kept: str
) -> None:
    """The same questions and answers, and work of the agent's that is not the same; nothing of it is known to a third key."""
    keys = [f"{name}-key-0123456789" for name in ("first", "other", "third")]
    environment = {"CODEX_BRIDGE_API_KEY": ",".join(keys), "CODEX_CONTINUE": kept}
    bridge = start_bridge(model=recording_model.base_url, environment=environment)
    recording_model.answers = [
        item for number in range(2) for item in ([runs(f"echo ran-{number}", f"c{number}")], [says("one")])
    ]
    chats = [Chat(bridge, **name) for _ in keys]
    for chat, key in zip(chats, keys):
        chat.key = key
    for chat in chats[:2]:
        chat.ask("first")
    chats[2].messages = list(chats[0].messages)
    for number, chat in enumerate(chats):
        chat.ask("second")
        work = [f"output: ran-{number}"] if number < 2 else []
        assert chat.state == ("continued" if number < 2 else "new")
        assert said(recording_model.requests[-1]) == ["user: first", *work, "assistant: one", "user: second"]


@pytest.mark.parametrize("kept", ["memory", "disk"])
def test_after_a_restart(start_bridge: StartBridge, recording_model: RecordingModel, kept: str) -> None:
    environment = {"CODEX_CONTINUE": kept}
    bridge = start_bridge(model=recording_model.base_url, environment=environment)
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")], [says("two")]]
    chat = Chat(bridge)
    chat.ask("first")
    bridge.kill()
    chat.bridge = start_bridge(model=recording_model.base_url, environment=environment, again=bridge)
    chat.ask("second")
    found = said(recording_model.requests[-1])
    output = ["output: ran-2"] if kept == "disk" else []
    assert found == ["user: first", *output, "assistant: one", "user: second"]
    assert chat.state == ("continued" if kept == "disk" else "new")


def test_a_turn_that_was_begun_and_not_noted(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    """Killed just after Codex has begun with it: the thread has it, and the bridge knows nothing of it."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[runs("echo ran-$((1+1))", "c1")], [says("one")]]
    chat = Chat(bridge, **NAMED)
    chat.ask("first")
    recording_model.pause = 2.0
    body = {"model": MODEL, **NAMED, "stream": True}
    body["messages"] = [*chat.messages, {"role": "user", "content": "second"}]
    with RawStream(bridge.address, body):
        assert eventually(lambda: len(recording_model.requests) == 3)
        bridge.kill()
    recording_model.pause = 0.0
    state, = bridge.files("state.db")
    with closing(sqlite3.connect(state)) as database, database:
        deleted = database.execute("DELETE FROM points WHERE answered IS NULL").rowcount
    assert deleted == 1
    chat.bridge = start_bridge(model=recording_model.base_url, again=bridge)
    chat.ask("second")
    assert said(recording_model.requests[-1]) == ["user: first", "output: ran-2", "assistant: one", "user: second"]
    chat.ask("third")
    assert said(recording_model.requests[-1])[-3:] == ["user: second", "assistant: ok", "user: third"]


def rollouts(bridge: Bridge) -> int:
    return len(bridge.files("rollout-*.jsonl"))


def test_threads_of_forgotten_conversations_are_deleted(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    Chat(bridge).ask("first")
    assert rollouts(bridge) == 1
    bridge.kill()
    bridge = start_bridge(model=recording_model.base_url, again=bridge)
    assert eventually(lambda: rollouts(bridge) == 0)


def test_a_temporary_chat_leaves_nothing_behind(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    chat = Chat(bridge, session_id="temporary:1")
    chat.ask("first")
    chat.ask("second")
    assert rollouts(bridge) == 0
    assert said(recording_model.requests[-1]) == ["user: first", "assistant: ok", "user: second"]


def test_nothing_is_remembered_where_it_is_turned_off(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment={"CODEX_CONTINUE": "off"})
    Chat(bridge).ask("first")
    assert rollouts(bridge) == 0


def test_whoever_sends_what_is_new_sends_the_calls_of_a_turn_all_the_same(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    """A message after them is one more, and not the first one changed."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [[calls("add", "call_add", {"a": 1, "b": 2})], [says("three")], [says("four")]]
    messages = [user("add")]
    found = calls_of(bridge, MODEL, messages, **NAMED)
    messages += [result(call, "3") for call in found]
    assert post(bridge, MODEL, messages, **NAMED).text == "three"
    assert post(bridge, MODEL, [user("more")], **NAMED).text == "four"
    assert said(recording_model.requests[-1]) == [
        "user: add", "output: 3", "assistant: three", "user: more",
    ]


BY_OPENWEBUI = {"X-OpenWebUI-Chat-Id": "c1", "X-OpenWebUI-User-Id": "u1"}


@pytest.mark.parametrize("headers", [BY_OPENWEBUI, {"X-Session-Id": "c1"}], ids=["openwebui", "anybody"])
def test_the_first_message_again(
    start_bridge: StartBridge, recording_model: RecordingModel, headers: dict[str, str]
) -> None:
    """Open WebUI sends the whole chat each time. Of others nobody knows."""
    bridge = start_bridge(model=recording_model.base_url)
    for text in ["first", "first", "other"]:
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
        bridge.request("POST", "/v1/chat/completions", body, headers=headers)
        shown = said(recording_model.requests[-1])
        assert (shown == [f"user: {text}"]) == (headers is BY_OPENWEBUI or len(recording_model.requests) == 1)
