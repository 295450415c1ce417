"""OpenWebUI with a connection of the type Responses, which is its experimental switch, and nothing else set: what its person
sees, what its own tools are given, and what a model is told of a chat. Once more with OpenWebUI's setting for stateful responses,
by which it names the response that it goes on from while its tools are called."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from scene import FOLLOW_UP, TITLE, Scene, begin_and_stop, begin_chat, open_scene, told_of_stopped
from test_openwebui import said as said_by_tool
from webui import OpenWebUI, WebPage

from harness import Bridge, Json, eventually
from recording_model import calls, runs, said, says, thinks

RESPONSES = "Responses"
STATEFUL = {"ENABLE_RESPONSES_API_STATEFUL": "true"}


# -- with the stand-in model


@pytest.fixture(scope="module")
def page(page: WebPage, bridge: Bridge) -> Iterator[WebPage]:
    """The administrator has turned the connection's type over, and turns it back."""
    page.set_api_type(bridge.url, RESPONSES)
    yield page
    page.set_api_type(bridge.url, "Chat Completions")


def wait_for_end(page: WebPage) -> None:
    """Until the page waits for the person again."""
    page.wait_for(lambda: not page.all("button[aria-label=Stop]"))


def test_first_message(page: WebPage, bridge: Bridge, model: str) -> None:
    page.new_chat(model)
    page.send("hello")
    answer = page.wait_for_answer("talk to a real model.")
    assert "You said: “hello”" in answer
    # The bridge was really asked for responses.
    [response] = {item["id"] for item in page.kept_answers()[0]["output"]}
    assert response.startswith("msg_")


def test_answer_comes_in_pieces_and_activity_is_folded(page: WebPage, model: str) -> None:
    page.new_chat(model)
    page.send('demo: reasoning=3 run="sleep 0.5; echo from Codex" round tokens=10 delay=100')
    answer = page.wait_for_answer("t9")
    assert answer.startswith("Thought")
    assert "from Codex" not in answer
    seen = page.seen_answers()
    assert [text for text in seen if text.startswith("Thinking")], seen
    assert [text for text in seen if "t0" in text and "t9" not in text], seen
    wait_for_end(page)
    unfolded = page.unfold("Thought")
    assert "thought0 thought1 thought2" in unfolded
    assert "Running sleep 0.5; echo from Codex" in unfolded


def test_built_in_tool_beside_a_command_of_codex(page: WebPage, model: str) -> None:
    """One of OpenWebUI's own, which it offers unasked, with text of the model before it."""
    page.new_chat(model)
    page.send('demo: say="Let me look. " call=calculate_timestamp:{"days_ago":3} run="echo from Codex"')
    answer = page.wait_for_answer("The command printed")
    assert answer.startswith("Let me look.")
    told = said_by_tool(answer, "calculate_timestamp")
    assert told["current_timestamp"] - told["calculated_timestamp"] == 3 * 86400
    assert "from Codex" in answer.partition("The command printed:")[2]


def test_two_calls_at_once_then_another(page: WebPage, webui: OpenWebUI, model: str) -> None:
    title = f"Shopping with {model} and responses"
    note = json.dumps({"title": title, "content": "two apples"})
    page.new_chat(model)
    page.send(
        'demo: call=get_current_timestamp call=calculate_timestamp:{"weeks_ago":1} '
        f"round outputs call=write_note:{note}"
    )
    answer = page.wait_for_answer("write_note said")
    assert said_by_tool(answer, "write_note")["status"] == "success"
    assert "current_iso" in said_by_tool(answer, "get_current_timestamp")
    assert "calculated_iso" in said_by_tool(answer, "calculate_timestamp")
    assert [note["title"] for note in webui.api("/api/v1/notes/")].count(title) == 1
    wait_for_end(page)
    # All calls are sent again with the next message, with their outputs.
    page.send("demo: tokens=3")
    page.wait_for_answer("t2", number=2)
    output = page.kept_answers()[0]["output"]
    names = [item["name"] for item in output if item["type"] == "function_call"]
    assert sorted(names[:2]) == ["calculate_timestamp", "get_current_timestamp"]
    assert names[2:] == ["write_note"]


def test_failure_is_shown(page: WebPage) -> None:
    page.new_chat("GPT-5.5")
    page.send('demo: run="echo from Codex" round fail=insufficient_quota')
    page.wait_for(lambda: "quota" in " ".join(page.answers()).lower())
    wait_for_end(page)
    # Once, and the chat goes on.
    assert page.answers()[0].lower().count("quota") == 1
    page.send("demo: tokens=3")
    page.wait_for_answer("t2", number=2)


def test_refusal_is_shown(page: WebPage) -> None:
    """The model's provider refuses the request before anything was said."""
    page.new_chat("GPT-5.5")
    page.send("demo: status=400 code=invalid_prompt")
    page.wait_for(lambda: "was told to refuse with 400" in " ".join(page.answers()))


# -- what a model is told


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with open_scene(tmp_path_factory.mktemp("responses"), {}, api_type=RESPONSES) as scene:
        yield scene


@pytest.fixture(scope="module")
def opened_stateful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with open_scene(tmp_path_factory.mktemp("stateful"), STATEFUL, api_type=RESPONSES) as scene:
        yield scene


def acted(scene: Scene) -> Iterator[Scene]:
    scene.begin()
    yield scene
    # Whoever still waits for the rest of an answer may have it.
    scene.gate.set()
    scene.check_nothing_was_crossed()


@pytest.fixture
def scene(opened: Scene) -> Iterator[Scene]:
    yield from acted(opened)


@pytest.fixture(params=["as installed", "stateful"])
def either_scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    name = {"as installed": "opened", "stateful": "opened_stateful"}[request.param]
    yield from acted(request.getfixturevalue(name))


def threads(scene: Scene) -> set[Path]:
    return set(scene.bridge.files("rollout-*.jsonl"))


def test_a_chat_goes_on_in_its_thread(scene: Scene, model: str) -> None:
    """Neither further messages, nor its title, tags and follow-ups begin another."""
    before = threads(scene)
    told = begin_chat(scene, model)
    scene.page.wait_for(lambda: scene.page.browser.title.startswith(TITLE))
    scene.page.named(FOLLOW_UP)
    scene.page.wait_for(lambda: scene.page.chat["meta"].get("tags") == ["aside"])
    for text, answer in [("second", "two"), ("third", "three")]:
        scene.ask(text, [says(answer)])
        scene.check(*told, f"user: {text}")
        told += [f"user: {text}", f"assistant: {answer}"]
    # Title, tags, and what could follow each of the three answers.
    assert eventually(lambda: len(scene.tasks) == 5)
    for task in scene.tasks:
        # Neither Codex's instructions, nor its tools, nor those of OpenWebUI.
        assert len(task["input"]) == 1
        assert not task.get("tools")
        assert not task.get("instructions")
        assert task["reasoning"]["effort"] == "low"
    assert len(threads(scene) - before) == 1


def test_a_message_is_changed_and_turned_back(scene: Scene) -> None:
    begun = begin_chat(scene, "GPT-5.5")
    scene.ask("second", [says("two")])
    scene.ask("third", [says("three")])
    # All behind it goes.
    scene.answers += [[runs("echo ran-$((2+1))", "c2")], [says("changed two")]]
    scene.page.edit(2, "changed")
    scene.wait_for([says("changed two")], 2)
    scene.check(*begun, "user: changed", "output: ran-3")
    changed = [*begun, "user: changed", "output: ran-3", "assistant: changed two"]
    scene.ask("after that", [says("so it is")])
    scene.check(*changed, "user: after that")
    scene.page.turn_to("Previous", 3)
    scene.ask("fourth", [says("four")])
    told = ["user: second", "assistant: two", "user: third", "assistant: three", "user: fourth"]
    scene.check(*begun, *told)


def test_an_answer_is_given_again(scene: Scene) -> None:
    """The model sees the question alone."""
    told = [*begin_chat(scene, "GPT-5.5"), "user: second"]
    scene.ask("second", [says("two")])
    scene.answers += [[says("two again")]]
    scene.page.regenerate()
    scene.wait_for([says("two again")], 2)
    scene.check(*told)
    scene.ask("third", [says("three")])
    scene.check(*told, "assistant: two again", "user: third")


def test_the_first_message_is_answered_again_and_changed(scene: Scene) -> None:
    """There is no answer before it by which the chat could be known."""
    begin_chat(scene, "GPT-5.5")
    scene.answers += [[says("one again")]]
    scene.page.regenerate()
    scene.wait_for([says("one again")], 1)
    scene.check(f"user: {scene.first}")
    scene.answers += [[says("other")]]
    scene.page.edit(1, f"other {scene.first}")
    scene.wait_for([says("other")], 1)
    scene.ask("second", [says("two")])
    scene.check(f"user: other {scene.first}", "assistant: other", "user: second")


def picture(width: int) -> bytes:
    """A PNG of one color (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xc0\x40\x20" * width) * width
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def images(request: Json) -> list[str]:
    return [
        part["image_url"]
        for item in request["input"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "input_image"
    ]


def test_an_image_is_shown_to_the_model(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "square.png"
    file.write_bytes(picture(24))
    before = threads(scene)
    scene.page.new_chat("GPT-5.5")
    scene.page.attach_image(file)
    scene.ask(scene.first, [runs("echo ran-$((1+1))", "c1")], [says("one")])
    scene.ask("second", [says("two")])
    told = said(scene.turns[-1])
    assert told[-3:] == ["output: ran-2", "assistant: one", "user: second"]
    assert scene.first in told[0]
    for request in scene.turns:
        [image] = images(request)
        assert image.startswith("data:image/")
    assert len(threads(scene) - before) == 1


def test_a_stopped_answer_is_what_was_seen_of_it(scene: Scene) -> None:
    begin_and_stop(scene)
    scene.ask("third", [says("three")])
    assert told_of_stopped(scene)[-3:] == ["user: second", "assistant: The beginning,", "user: third"]
    assert "nobody has seen" not in json.dumps(scene.turns[-1])


def test_tools_are_called_between_commands(either_scene: Scene) -> None:
    """Of each call the model is told once, with its output, and of what Codex has run meanwhile."""
    scene = either_scene
    before = threads(scene)
    told = call_tools(scene)
    assert len([text for text in told if text == "output: ran-2"]) == 1
    assert len([text for text in told if "current_iso" in text and "calculated" not in text]) == 1
    assert len([text for text in told if "calculated_iso" in text]) == 1
    assert told[:2] == [f"user: {scene.first}", "assistant: I look."]
    called = [item["name"] for item in scene.turns[-1]["input"] if item["type"] == "function_call"]
    assert called == ["exec_command", "get_current_timestamp", "calculate_timestamp"]
    assert len(threads(scene) - before) == 1


def call_tools(scene: Scene) -> list[str]:
    """A chat whose answer takes two of OpenWebUI's tools and a command; returns what the model was told before its last words."""
    scene.page.new_chat("GPT-5.5")
    scene.ask(
        scene.first,
        [says("I look."), runs("echo ran-$((1+1))", "c1"), calls("get_current_timestamp", "c2", {})],
        [calls("calculate_timestamp", "c3", {"days_ago": 3})],
        [says("one")],
    )
    return said(scene.turns[-1])


# -- what the agent has done is not forgotten


def test_text_before_and_after_a_command(scene: Scene) -> None:
    """An answer of two messages, which OpenWebUI sends back as one."""
    scene.page.new_chat("GPT-5.5")
    scene.ask(scene.first, [says("First this."), runs("echo ran-$((1+1))", "c1")], [says("Then that.")])
    scene.ask("second", [says("two")])
    told = [f"user: {scene.first}", "assistant: First this.", "output: ran-2", "assistant: Then that."]
    assert said(scene.turns[-1]) == [*told, "user: second"]


def test_an_answer_is_given_again_and_again(scene: Scene) -> None:
    told = [*begin_chat(scene, "GPT-5.5"), "user: second"]
    scene.ask("second", [says("two")])
    for answer in ("two again", "two once more"):
        scene.answers += [[says(answer)]]
        scene.page.regenerate()
        scene.wait_for([says(answer)], 2)
        scene.check(*told)


def test_a_changed_message_is_answered_again(scene: Scene) -> None:
    begun = begin_chat(scene, "GPT-5.5")
    scene.ask("second", [says("two")])
    scene.answers += [[says("changed two")]]
    scene.page.edit(2, "changed")
    scene.wait_for([says("changed two")], 2)
    scene.answers += [[says("two again")]]
    scene.page.regenerate()
    scene.wait_for([says("two again")], 2)
    scene.check(*begun, "user: changed")


def test_what_was_done_before_a_stop_is_not_forgotten(scene: Scene) -> None:
    told = begin_and_stop(scene, [thinks("I look first."), runs("echo ran-$((2+1))", "c2")])
    scene.ask("third", [says("three")])
    assert told_of_stopped(scene) == [*told, "output: ran-3", "assistant: The beginning,", "user: third"]
    assert "I look first." in json.dumps(scene.turns[-1])


def test_a_stopped_answer_is_continued(scene: Scene) -> None:
    told = begin_and_stop(scene)
    scene.answers += [[says("and the end.")]]
    scene.page.continue_answer()
    scene.wait_for([says("and the end.")], 2)
    assert told_of_stopped(scene)[: len(told) + 1] == [*told, "assistant: The beginning,"]


def test_what_tools_and_commands_gave_is_not_forgotten(either_scene: Scene) -> None:
    told = call_tools(either_scene)
    either_scene.ask("second", [says("two")])
    assert said(either_scene.turns[-1]) == [*told, "assistant: one", "user: second"]
