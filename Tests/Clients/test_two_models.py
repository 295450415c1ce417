"""Two models beside each other, of whose answers the person chooses one to go on from. With the real Codex and a model that keeps
what it is asked."""

from __future__ import annotations

import threading
from typing import Any

from conversations import MODEL, NAMED, Chat, StartBridge
from harness import Bridge, Json, eventually
from recording_model import RecordingModel, runs, said, says

OTHER = "gpt-6-luna"


def two_models(bridge: Bridge, recording_model: RecordingModel, **fields: Any) -> tuple[Chat, Chat]:
    """Two chats that begin alike, each on a model of its own, whose agent has run a command."""

    def mind(request: Json) -> list[Json]:
        shown, model = said(request), request["model"]
        count = len([line for line in shown if line.startswith("user:")])
        if count == 1 and not shown[-1].startswith("output:"):
            return [runs(f"echo {model}-$((1+1))", "c1")]
        return [says(f"{model} {count}")]

    recording_model.mind = mind
    chats = Chat(bridge, model=MODEL, **fields), Chat(bridge, model=OTHER, **fields)
    threads = [threading.Thread(target=chat.ask, args=("both",)) for chat in chats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return chats


def last_of(recording_model: RecordingModel, model: str) -> list[str]:
    return said([request for request in recording_model.requests if request["model"] == model][-1])


def test_two_models_follow_one_answer_at_once(start_bridge: StartBridge, recording_model: RecordingModel) -> None:
    """Without a name. The second to come gets a thread of its own, from what is known on its own model."""
    bridge = start_bridge(model=recording_model.base_url)
    first, other = two_models(bridge, recording_model)
    first.messages = list(other.messages)
    other.ask("more")
    first.ask("more")
    other.messages = list(first.messages)
    recording_model.pauses = [1.0]
    thread = threading.Thread(target=first.ask, args=("last",))
    thread.start()
    assert eventually(lambda: said(recording_model.requests[-1])[-1] == "user: last")
    other.ask("last")
    thread.join()
    assert last_of(recording_model, OTHER) == [
        "user: both", f"output: {OTHER}-2", f"assistant: {OTHER} 1", "user: more", f"assistant: {MODEL} 2", "user: last",
    ]


def test_a_person_goes_on_from_what_another_model_has_answered(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    first, other = two_models(bridge, recording_model, **NAMED)
    first.messages = list(other.messages)
    first.ask("more")
    assert first.state == "reverted"
    assert last_of(recording_model, MODEL) == ["user: both", f"assistant: {OTHER} 1", "user: more"]
