"""OpenWebUI as installed, with nothing set but the connection: answers, its own tools, its background calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from webui import OpenWebUI, WebPage

from harness import Bridge

HEADERS = (
    '{"X-Session-Id": "{{CHAT_ID}}", "X-Bridge-Parent": "{{USER_MESSAGE_PARENT_ID}}", '
    '"X-Bridge-Task": "{{TASK}}"}'
)
TOOL = '''
class Tools:
    def double(self, number: int) -> str:
        """
        Double a number.
        :param number: The number to double
        """
        return f"{number} doubled is {2 * number}"
'''


def said(answer: str, tool: str) -> Any:
    """What the model says at last that this tool gave it, which is JSON here."""
    found = re.search(rf"^{tool} said: (.*)$", answer, re.MULTILINE)
    assert found, answer
    return json.loads(found.group(1))


# -- nothing set but the connection


def test_first_message(page: WebPage, model: str) -> None:
    page.new_chat(model)
    page.send("hello")
    answer = page.wait_for_answer("talk to a real model.")
    assert "You said: “hello”" in answer


def test_answer_comes_in_pieces(page: WebPage, model: str) -> None:
    page.new_chat(model)
    page.send("demo: reasoning=3 tokens=10 delay=300")
    answer = page.wait_for_answer("t9")
    assert answer.startswith("Thought for")
    seen = page.seen_answers()
    assert [text for text in seen if "t0" in text and "t9" not in text], seen


def test_built_in_tool(page: WebPage, model: str) -> None:
    """One of OpenWebUI's own, which it offers unasked, with text of the model before it."""
    page.new_chat(model)
    page.send('demo: say="Let me look. " call=calculate_timestamp:{"days_ago":3}')
    answer = page.wait_for_answer("calculate_timestamp said")
    told = said(answer, "calculate_timestamp")
    assert told["current_timestamp"] - told["calculated_timestamp"] == 3 * 86400
    text, call, _ = answer.split("\n", 2)
    assert text.strip() == "Let me look."
    assert call == "View Result from calculate_timestamp"
    unfolded = page.unfold("View Result from calculate_timestamp")
    assert re.search(r"INPUT\s+days_ago\s+3\s+OUTPUT", unfolded), unfolded
    assert f'"calculated_timestamp": {told["calculated_timestamp"]}' in unfolded


def test_two_calls_at_once_then_another(
    page: WebPage, webui: OpenWebUI, model: str
) -> None:
    title = f"Shopping with {model}"
    note = json.dumps({"title": title, "content": "two apples"})
    page.new_chat(model)
    page.send(
        'demo: call=get_current_timestamp call=calculate_timestamp:{"weeks_ago":1} '
        f"round outputs call=write_note:{note}"
    )
    answer = page.wait_for_answer("write_note said")
    assert said(answer, "write_note")["status"] == "success"
    assert "current_iso" in said(answer, "get_current_timestamp")
    assert "calculated_iso" in said(answer, "calculate_timestamp")
    notes = [note["title"] for note in webui.api("/api/v1/notes/")]
    assert notes.count(title) == 1
    # All calls are kept with their outputs, and so are sent again with the next message.
    page.send("demo: tokens=3")
    page.wait_for_answer("t2", number=2)
    output = page.kept_answers()[0]["output"]
    names = [item["name"] for item in output if item["type"] == "function_call"]
    assert sorted(names[:2]) == ["calculate_timestamp", "get_current_timestamp"]
    assert names[2:] == ["write_note"]


def test_tools_beside_a_command_of_codex(page: WebPage, model: str) -> None:
    """Codex keeps its own tools: it has run a command meanwhile, and the model gets both outputs."""
    page.new_chat(model)
    page.send(
        'demo: call=get_current_timestamp run="echo from Codex" round outputs call=calculate_timestamp'
    )
    answer = page.wait_for_answer("calculate_timestamp said")
    assert "current_iso" in said(answer, "get_current_timestamp")
    assert "from Codex" in answer.partition("The command printed:")[2]


def test_person_is_asked_by_a_tool(page: WebPage, model: str) -> None:
    """The turn waits for as long as a person needs."""
    options = [
        {"label": "Tea", "description": "green"},
        {"label": "Coffee", "description": "black"},
    ]
    question = {"id": "drink", "question": "Tea or coffee?", "options": options}
    page.new_chat(model)
    page.send("demo: call=ask_user:" + json.dumps({"questions": [question]}))
    page.named("Submit answers")
    page.click("Coffee\nblack")
    answer = page.wait_for_answer("ask_user said")
    assert said(answer, "ask_user")["answers"]["drink"]["label"] == "Coffee"


def test_title_tags_and_follow_ups(page: WebPage, model: str) -> None:
    """They are asked for around the answer, with the chat's own text in them."""
    told = {
        "title": f"Rivers of {model}",
        "tags": ["Rivers"],
        "follow_ups": ["What is a delta?"],
    }
    page.new_chat(model)
    # The stand-in reads the line wherever it stands, so it answers those calls with the same JSON.
    page.send("Tell me of rivers.\ndemo: say=" + json.dumps(told))
    page.wait_for(lambda: page.browser.title.startswith(told["title"]))
    page.named("What is a delta?")
    page.wait_for(lambda: page.chat["meta"].get("tags") == ["rivers"])
    assert page.answers() == [json.dumps(told)]


def test_failure_is_shown(page: WebPage, model: str) -> None:
    page.new_chat(model)
    page.send("demo: call=get_current_timestamp round fail=insufficient_quota")
    page.wait_for(lambda: "quota" in " ".join(page.answers()).lower())


# -- a tool of one's own


@pytest.fixture(scope="session")
def own_tool(page: WebPage, webui: OpenWebUI) -> str:
    """The name of a tool in Python that the administrator has added."""
    meta = {"description": "Doubles numbers"}
    tool = {"id": "doubler", "name": "Doubler", "content": TOOL, "meta": meta}
    webui.api("/api/v1/tools/create", tool)
    return "Doubler"


def test_own_tool(page: WebPage, own_tool: str, model: str) -> None:
    page.new_chat(model)
    page.choose_tool(own_tool)
    page.send('demo: call=double:{"number":21}')
    answer = page.wait_for_answer("double said: 21 doubled is 42")
    assert answer.startswith("View Result from double")


# -- with the headers of the documents


@pytest.fixture
def with_headers(page: WebPage, bridge: Bridge) -> Iterator[None]:
    page.set_headers(bridge.url, HEADERS)
    yield
    page.set_headers(bridge.url, "")


@pytest.mark.usefixtures("with_headers")
def test_chat_has_a_thread_of_its_own(
    page: WebPage, bridge: Bridge, own_tool: str, model: str
) -> None:
    """One session by the chat's id, without its background calls; a tool that is added in the middle is callable."""
    page.new_chat(model)
    page.send("demo: call=get_current_timestamp")
    page.wait_for_answer("get_current_timestamp said")
    page.choose_tool(own_tool)
    page.send('demo: call=double:{"number":4}')
    page.wait_for_answer("double said: 4 doubled is 8", number=2)
    sessions = bridge.request("GET", "/v1/sessions").json["data"]
    identifier = page.chat["id"]
    assert [s["id"] for s in sessions if s["id"] == identifier] == [identifier]
    page.send("demo: history")
    history = page.wait_for_answer("user: demo: history", number=3)
    assert history.count("user: demo: call=get_current_timestamp") == 1
    assert "### Task" not in history


# -- Function Calling: Legacy


@pytest.fixture
def legacy(page: WebPage) -> Iterator[None]:
    page.set_function_calling("Legacy")
    yield
    page.set_function_calling("Default")


@pytest.mark.usefixtures("legacy")
def test_legacy(page: WebPage, own_tool: str, model: str) -> None:
    """Without functions in the request: OpenWebUI asks the model in words which tool it wants."""
    page.new_chat(model)
    page.send("demo: tokens=4")
    page.wait_for_answer("t3")
    page.choose_tool(own_tool)
    call = {"name": "double", "parameters": {"number": 5}}
    page.send("Double five.\ndemo: say=" + json.dumps({"tool_calls": [call]}))
    page.wait_for_answer('{"tool_calls"', number=2)
    assert "5 doubled is 10" in json.dumps(page.kept_answers()[1]["sources"])
