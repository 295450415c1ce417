"""A conversation that a client sends whole goes on in the thread that its history leads to: what goes upstream is what the
person sees, with the agent's own work in the turns that are kept. With the real Codex and a model that keeps what it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness import Answer, Bridge, Json
from recording_model import RecordingModel, says

StartBridge = Callable[..., Bridge]

MODEL = "gpt-5.5"
NAMED = {"session_id": "s1"}
# Whether the client names its conversation.
EITHER = pytest.mark.parametrize("name", [NAMED, {}], ids=["named", "unnamed"])


def runs(command: str, call_id: str) -> Json:
    """A command that Codex runs itself."""
    return {
        "type": "function_call",
        "name": "exec_command",
        "call_id": call_id,
        "arguments": json.dumps({"cmd": command}),
    }


class Chat:
    """A client that sends the whole conversation each time, as its person sees it."""

    def __init__(self, bridge: Bridge, **fields: Any) -> None:
        self.bridge = bridge
        self.fields = fields
        self.messages: list[Json] = []
        self.state = ""
        self.session = ""

    def ask(self, text: str, **fields: Any) -> str:
        self.messages.append({"role": "user", "content": text})
        return self.again(**fields)

    def again(self, **fields: Any) -> str:
        """Has the end of the conversation answered."""
        answer = self.post(**fields)
        assert answer.status == 200, answer.body
        headers = {key.lower(): value for key, value in answer.headers.items()}
        self.state = headers.get("x-bridge-session-state", "")
        self.session = headers.get("x-bridge-session", "")
        message = answer.json["choices"][0]["message"]
        self.messages.append({"role": "assistant", "content": message["content"]})
        return str(message["content"])

    def post(self, **fields: Any) -> Answer:
        body = {"model": MODEL, "messages": self.messages, **self.fields, **fields}
        return self.bridge.request("POST", "/v1/chat/completions", body)

    def branch(self) -> Chat:
        other = Chat(self.bridge, **self.fields)
        other.messages = list(self.messages)
        return other


def said(request: Json) -> list[str]:
    """What the model is shown of a conversation: its texts and what commands have printed, without what Codex adds itself."""
    found = []
    for item in request["input"]:
        if item["type"] == "message" and item["role"] in ("user", "assistant"):
            text = "".join(part.get("text", "") for part in item["content"])
            if not text.startswith(("<environment_context>", "# AGENTS.md", "<user_instructions>")):
                found.append(f"{item['role']}: {text}")
        elif item["type"] == "function_call_output":
            found.append("output: " + str(item["output"]).strip().splitlines()[-1])
    return found


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
