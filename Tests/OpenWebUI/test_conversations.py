"""What a model is told of a chat in OpenWebUI: what its person sees, with the agent's own work in the turns that are kept,
and nothing else. With nothing set but the connection, and once more with OpenWebUI's own setting for headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from scene import FOLLOW_UP, QUESTION, TITLE, Scene, begin_and_stop, begin_chat, open_scene, told_of_stopped

from harness import Bridge, eventually
from recording_model import runs, said, says, thinks


@pytest.fixture(scope="module", params=["as installed", "with headers"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene for one way to set OpenWebUI up."""
    has_headers = request.param == "with headers"
    environment = {"ENABLE_FORWARD_USER_INFO_HEADERS": "True"} if has_headers else {}
    with open_scene(tmp_path_factory.mktemp("conversations"), environment) as scene:
        scene.has_headers = has_headers
        yield scene


@pytest.fixture
def scene(opened: Scene) -> Iterator[Scene]:
    opened.begin()
    yield opened
    # Whoever still waits for the rest of an answer may have it.
    opened.gate.set()
    opened.check_nothing_was_crossed()


def rollouts(bridge: Bridge) -> set[Path]:
    return set(bridge.files("rollout-*.jsonl"))


def sessions(scene: Scene) -> list[str]:
    data = scene.bridge.request("GET", "/v1/sessions").json["data"]
    return [session["id"] for session in data]


def test_a_chat_is_edited_regenerated_and_turned_back(scene: Scene, model: str) -> None:
    begun = begin_chat(scene, model)
    told = list(begun)
    for text, answer in [("second", "two"), ("third", "three"), ("fourth", "four"), ("fifth", "five")]:
        scene.ask(text, [says(answer)])
        scene.check(*told, f"user: {text}")
        told += [f"user: {text}", f"assistant: {answer}"]

    # The second message is changed: all behind it goes.
    scene.answers += [[runs("echo ran-$((2+1))", "c2")], [says("changed two")]]
    scene.page.edit(2, "changed")
    scene.wait_for([says("changed two")], 2)
    scene.check(*begun, "user: changed", "output: ran-3")

    # Its answer is given twice more. Each time the model sees the question alone.
    for answer in ("two again", "two once more"):
        scene.answers += [[says(answer)]]
        scene.page.regenerate()
        scene.wait_for([says(answer)], 2)
        scene.check(*begun, "user: changed")
    scene.ask("after that", [says("so it is")])
    scene.check(*begun, "user: changed", "assistant: two once more", "user: after that")

    # Back to the branch of the five turns, and to the first of the three answers in the other one.
    scene.page.turn_to("Previous", 3)
    scene.ask("sixth", [says("six")])
    scene.check(*told, "user: sixth")
    scene.page.turn_to("Next", 3)
    scene.page.turn_to("Previous", 4)
    scene.page.turn_to("Previous", 4)
    scene.ask("in the first", [says("there")])
    scene.check(*begun, "user: changed", "output: ran-3", "assistant: changed two", "user: in the first")

    named = [scene.page.chat["id"]] if scene.has_headers else []
    assert [name for name in sessions(scene) if name == scene.page.chat["id"]] == named


def test_the_first_message_is_answered_again_and_changed(scene: Scene) -> None:
    """There is no answer before it by which the chat could be known."""
    begin_chat(scene, "GPT-5.5")
    for answer in ("one again", "one once more"):
        scene.answers += [[says(answer)]]
        scene.page.regenerate()
        scene.wait_for([says(answer)], 1)
        scene.check(f"user: {scene.first}")
    scene.answers += [[says("other")]]
    scene.page.edit(1, f"other {scene.first}")
    scene.wait_for([says("other")], 1)
    scene.check(f"user: other {scene.first}")
    scene.ask("second", [says("two")])
    scene.check(f"user: other {scene.first}", "assistant: other", "user: second")
    # Back at the first answer of all, with what was done for it.
    scene.page.turn_to("Previous", 1)
    scene.page.turn_to("Previous", 2)
    scene.page.turn_to("Previous", 2)
    scene.ask("third", [says("three")])
    scene.check(f"user: {scene.first}", "output: ran-2", "assistant: one", "user: third")


def test_title_tags_and_follow_ups_are_no_work_for_the_agent(scene: Scene, model: str) -> None:
    begun = begin_chat(scene, model)
    scene.page.wait_for(lambda: scene.page.browser.title.startswith(TITLE))
    scene.page.named(FOLLOW_UP)
    scene.page.wait_for(lambda: scene.page.chat["meta"].get("tags") == ["aside"])
    scene.ask("second", [says("two")])
    scene.check(*begun, "user: second")
    # Title, tags, and what could follow each of the two answers.
    assert eventually(lambda: len(scene.tasks) == 4)
    for task in scene.tasks:
        # Neither Codex's instructions, nor its tools, nor those of OpenWebUI: the prompt and what JSON has around it.
        [message] = task["input"]
        assert not task.get("tools")
        assert not task.get("instructions")
        assert len(json.dumps(task)) - len(json.dumps(message)) < 2048
        assert task["reasoning"]["effort"] == "low"


def test_two_models_side_by_side(scene: Scene) -> None:
    """Each has an agent of its own, and both are told of the answer that the person has chosen to go on from."""
    first, second = "gpt-5.5", "gpt-6-luna"
    scene.answers_of = {
        name: [[runs(f"echo {name}-$((1+1))", "c1")], [says(f"{name} one")], [says(f"{name} two")], [says(f"{name} three")]]
        for name in (first, second)
    }
    page = scene.page
    page.new_chat("GPT-5.5")
    page.add_model("GPT-6-Luna")

    def ask(text: str, number: str) -> dict[str, list[str]]:
        """What each of them was told."""
        count = len(scene.turns)
        page.send(text)
        for name in (first, second):
            page.wait_for(lambda name=name: [text for text in page.answers() if text.endswith(f"{name} {number}")])
        page.wait_for(lambda: not page.all("button[aria-label=Stop]"))
        return {request["model"]: said(request) for request in scene.turns[count:]}

    both = [f"user: {scene.first}"]

    def work(name: str) -> list[str]:
        return [f"output: {name}-2"]

    assert ask(scene.first, "one") == {name: [*both, *work(name)] for name in (first, second)}
    # The last answer is the one that OpenWebUI has chosen.
    assert ask("more", "two") == {
        first: [*both, f"assistant: {second} one", "user: more"],
        second: [*both, *work(second), f"assistant: {second} one", "user: more"],
    }
    page.wait_for(lambda: [shown for shown in page.all(".chat-assistant") if shown.text.endswith(f"{first} two")])[0].click()
    begun = [f"assistant: {second} one", "user: more", f"assistant: {first} two", "user: last"]
    assert ask("last", "three") == {
        first: [*both, *begun],
        second: [*both, *work(second), *begun],
    }


def test_a_file_is_not_told_twice(scene: Scene, tmp_path: Path) -> None:
    """The documents that are found for a question stand before it, and are gone with the next."""
    file = tmp_path / "cats.txt"
    file.write_text("The cat of the mayor is called Minka.")
    page = scene.page
    page.new_chat("GPT-5.5")
    page.attach(file)
    scene.ask(scene.first, [runs("echo ran-$((1+1))", "c1")], [says("one")])
    scene.ask("second", [says("two")])
    scene.ask("third", [says("three")])
    first, *told, last = said(scene.turns[-1])
    # OpenWebUI names the file in each request where it was added.
    assert first.startswith("user: <attached_files>")
    assert first.endswith(scene.first)
    assert told == ["output: ran-2", "assistant: one", "user: second", "assistant: two"]
    assert last.startswith(QUESTION)
    assert last.endswith("third")
    for request in scene.turns:
        assert json.dumps(request["input"]).count("called Minka") == 1


def test_a_temporary_chat(scene: Scene) -> None:
    """It has its history, and with the headers, by which it can be told from others, leaves nothing behind."""
    before = rollouts(scene.bridge)
    scene.page.new_chat("GPT-5.5", temporary=True)
    scene.ask(scene.first, [says("one")])
    scene.ask("second", [says("two")])
    scene.check(f"user: {scene.first}", "assistant: one", "user: second")
    scene.page.named(FOLLOW_UP)
    if scene.has_headers:
        assert rollouts(scene.bridge) == before
    assert not [name for name in sessions(scene) if name.startswith(("temporary:", "local:"))]


def test_a_stopped_answer_is_what_was_seen_of_it(scene: Scene) -> None:
    told = begin_and_stop(scene)
    scene.ask("third", [says("three")])
    assert told_of_stopped(scene) == [*told, "assistant: The beginning,", "user: third"]
    assert "nobody has seen" not in json.dumps(scene.turns[-1])


def test_what_was_done_before_a_stop_is_not_forgotten(scene: Scene) -> None:
    told = begin_and_stop(scene, [thinks("I look first."), runs("echo ran-$((2+1))", "c2")])
    scene.ask("third", [says("three")])
    assert told_of_stopped(scene) == [*told, "output: ran-3", "assistant: The beginning,", "user: third"]
    assert "I look first." in json.dumps(scene.turns[-1])


def test_a_stopped_answer_is_continued(scene: Scene) -> None:
    told = begin_and_stop(scene)
    scene.answers += [[says("and the end.")]]
    scene.page.continue_answer()
    scene.wait_for([says("The beginning, and the end.")], 2)
    *known, order = told_of_stopped(scene)
    assert known == [*told, "assistant: The beginning,"]
    assert order.startswith("user: Continue your last answer")
    # The person sees one answer, the model its two halves.
    scene.ask("third", [says("three")])
    assert told_of_stopped(scene) == [*known, order, "assistant: and the end.", "user: third"]


def test_a_stopped_answer_is_given_again(scene: Scene) -> None:
    told = begin_and_stop(scene)
    scene.answers += [[says("another")]]
    scene.page.regenerate()
    scene.wait_for([says("another")], 2)
    scene.check(*told)
    scene.ask("third", [says("three")])
    scene.check(*told, "assistant: another", "user: third")
