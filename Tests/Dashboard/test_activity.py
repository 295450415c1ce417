"""Activity: what runs, what ran, what went wrong, and stopping it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from page import Page
from scenes import HOSTILE, Background, request_id
from selenium.webdriver.common.keys import Keys

from harness import API_KEY, Bridge

StartBridge = Callable[..., Bridge]


def test_a_running_turn_is_shown_and_stopped(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    page.id("filter-running").click()
    page.wait_for(lambda: page.is_shown("turns-empty"))
    with demo.open_stream(
        "demo: tokens=200 delay=50", session_id="a running one"
    ) as stream:
        page.wait_for(lambda: page.rows("turn-rows"))
        page.wait_for(lambda: "Writing the answer" in page.rows("turn-rows")[0])
        row = page.rows("turn-rows")[0]
        assert "a running one" in row
        # The row lives on while it is updated, so the focus stays where it is.
        stop = page.button(f"Stop request {request_id(stream)}", "#turn-rows")
        page.script("arguments[0].focus()", stop)
        page.wait_for(lambda: page.rows("turn-rows")[0] != row)
        assert page.focused() == stop
        page.press(Keys.ENTER)
        stream.read_to_last_chunk()
        assert b'"interrupted"' in stream.received
        assert b"t199" not in stream.received
    page.wait_for(lambda: page.is_shown("turns-empty"))
    assert page.focused().get_attribute("id") == "h-activity"
    page.id("filter-all").click()
    page.wait_for(
        lambda: any(
            "Stopped" in row or "interrupted" in row for row in page.rows("turn-rows")
        )
    )
    page.go("bridge")
    page.wait_for(
        lambda: (
            "1 not completed" in str(page.id("turns-chart").get_attribute("aria-label"))
        )
    )
    # The session goes on.
    assert (
        demo.chat("demo: say=still here", session_id="a running one").text
        == "still here"
    )


def test_a_thinking_turn_says_so(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    page.id("filter-running").click()
    with demo.open_stream("demo: first=20000 tokens=1"):
        page.wait_for(lambda: page.rows("turn-rows"))
        assert "Thinking" in page.rows("turn-rows")[0]
        assert "no session" in page.rows("turn-rows")[0]
    page.wait_for(lambda: page.is_shown("turns-empty"))


def test_a_running_session_says_so(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "sessions")
    with demo.open_stream("demo: tokens=200 delay=50", session_id="busy"):
        page.wait_for(
            lambda: any(
                {"busy", "running"} <= set(row.split("\n"))
                for row in page.rows("session-rows")
            )
        )


def test_turns_of_other_keys_are_counted_as_such(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(
        fake=True, environment={"CODEX_BRIDGE_API_KEY": f"{API_KEY},another-key"}
    )
    page.open(bridge, "activity")
    page.sign_in("another-key")
    page.wait_for(lambda: page.text("turns-empty").startswith("No requests yet."))
    with bridge.open_stream("demo: hang"):
        page.wait_for(
            lambda: page.text("turns-more") == "1 turn of other keys is running"
        )
        assert page.rows("turn-rows") == []
        mine = Background(
            lambda: bridge.request(
                "POST",
                "/v1/chat/completions",
                {"messages": [{"role": "user", "content": "demo: tokens=60 delay=50"}]},
                key="another-key",
            )
        )
        page.wait_for(lambda: len(page.rows("turn-rows")) == 1)
        assert page.text("turns-more") == "1 turn of other keys is running"
        page.go("bridge")
        page.wait_for(lambda: page.text("t-running") == "2")
        assert mine.result().status == 200


def test_a_refused_request_is_there_with_its_error(demo: Bridge, page: Page) -> None:
    page.command(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    answer = demo.chat("hi", model="gpt-nobody-has")
    page.open_signed_in(demo, "activity")
    page.id("filter-failed").click()
    page.wait_for(lambda: "model_not_found" in page.rows("turn-rows")[0])
    page.all("#turn-rows .disclose")[0].click()
    details = page.texts("#turn-rows .details")[0]
    assert "gpt-nobody-has" in details
    number = answer.headers["x-request-id"]
    assert number in details
    page.button("Copy the request id", "#turn-rows").click()
    page.wait_for(
        lambda: page.script("return navigator.clipboard.readText()") == number
    )


def test_filters_by_state_and_by_text(demo: Bridge, page: Page) -> None:
    demo.chat("hi", model="gpt-no-such-one")
    page.open_signed_in(demo, "activity")
    page.wait_for(lambda: page.rows("turn-rows"))
    with demo.open_stream("demo: tokens=400 delay=50", session_id="needle-in-it"):
        page.type("activity-search", "NEEDLE")
        page.wait_for(lambda: len(page.rows("turn-rows")) == 1)
        assert "needle-in-it" in page.rows("turn-rows")[0]
        assert page.text("activity-count").startswith("1 of ")
        page.id("filter-failed").click()
        assert page.text("turns-empty") == "Nothing matches."
        pressed = page.texts("#view-activity [aria-pressed=true]")
        assert pressed == ["Failed"]
        page.type("activity-search", "not_found")
        page.wait_for(lambda: page.rows("turn-rows"))
        assert all("model_not_found" in row for row in page.rows("turn-rows"))
        page.type("activity-search", "needle")
        page.id("filter-running").click()
        page.wait_for(lambda: len(page.rows("turn-rows")) == 1)


def test_a_finished_turn_tells_what_it_did(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    answer = demo.request(
        "POST",
        "/v1/chat/completions",
        {
            "messages": [{"role": "user", "content": "demo: usage=120,20,30,5 say=ok"}],
            "session_id": "told afterwards",
        },
        headers={"User-Agent": "curl/8.5.0"},
    )
    page.type("activity-search", answer.headers["x-request-id"])
    page.wait_for(lambda: "Answered" in page.text("turn-rows"))
    (row,) = page.rows("turn-rows")
    assert row.split("\n")[1] == "Answered"
    assert "150 tokens" in row
    button = page.all("#turn-rows .disclose")[0]
    assert button.get_attribute("aria-expanded") == "false"
    page.script("arguments[0].focus()", button)
    page.press(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    details = page.texts("#turn-rows .details")[0]
    for text in (
        "told afterwards",
        "curl",
        "Chat Completions",
        "First text after",
        "120 in (20 cached), 30 out (5 reasoning)",
        answer.headers["x-request-id"],
    ):
        assert text in details
    page.all("#turn-rows .details a")[0].click()
    page.wait_for(lambda: page.is_shown("view-chat"))
    hash_ = page.script("return decodeURIComponent(location.hash)")
    assert hash_ == "#/chat/told afterwards"


def test_it_tells_what_codex_did(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge()
    bridge.chat('demo: run="echo one" round run="echo two" round say=done')
    page.open_signed_in(bridge, "activity")
    page.wait_for(lambda: page.rows("turn-rows"))
    page.all("#turn-rows .disclose")[0].click()
    steps = page.texts("#turn-rows .did li")
    assert len(steps) == 2
    assert steps[0].startswith("Running echo one")
    assert steps[1].startswith("Running echo two")
    assert page.texts("#turn-rows .did code") == ["echo one", "echo two"]


def test_a_step_says_how_it_ended(demo: Bridge, page: Page) -> None:
    demo.chat("demo: tokens=2", session_id="its steps")
    page.open_signed_in(demo, "activity")
    facts = demo.request("GET", "/api/dashboard").json
    steps = [
        {"text": "Running `ls `x``", "status": "completed", "exit_code": 0},
        {"text": "Running `false`", "status": "failed", "exit_code": 1},
        {"text": "Running `rm x`", "status": "declined", "exit_code": None},
    ]
    turn = facts["activity"][0] | {"steps": steps, "step_count": 3}
    page.script(
        "show(arguments[0]); window.show = () => {}", facts | {"activity": [turn]}
    )
    page.all("#turn-rows .disclose")[0].click()
    assert page.texts("#turn-rows .did li") == [
        "Running ls `x`",
        "Running false exit code 1",
        "Running rm x declined",
    ]


def test_what_waits_for_a_person_leads_to_the_question(
    demo: Bridge, page: Page
) -> None:
    page.open_signed_in(demo, "activity")
    page.id("filter-waiting").click()
    asking = Background(lambda: demo.chat("demo: run=pwd", session_id="needs me"))
    page.wait_for(lambda: page.rows("turn-rows"))
    page.wait_for(lambda: "Waiting for approval" in page.rows("turn-rows")[0])
    page.all("#turn-rows a.button")[0].click()
    page.wait_for(lambda: page.is_shown("view-approvals"))
    assert page.all("#approval-rows .asked.aimed")
    page.answer("Decline")
    asking.result()


def test_what_waits_for_its_place_says_so(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_MAX_CONCURRENT_TURNS": "1"})
    page.open_signed_in(bridge, "activity")
    with bridge.open_stream("demo: hang", session_id="the first"):
        page.wait_for(lambda: len(page.rows("turn-rows")) == 1)
        with bridge.open_stream("demo: hang", session_id="the second"):
            page.wait_for(lambda: len(page.rows("turn-rows")) == 2)
            page.id("filter-waiting").click()
            (row,) = page.rows("turn-rows")
            assert row.split("\n")[1] == "Waiting for its place"
            assert "the second" in row
            page.id("filter-running").click()
            (row,) = page.rows("turn-rows")
            assert "the first" in row
        page.id("filter-done").click()
        page.wait_for(lambda: "Client disconnected" in page.text("turn-rows"))


@pytest.mark.parametrize("view", ["activity", "sessions"])
def test_hostile_names_are_text(demo: Bridge, page: Page, view: str) -> None:
    assert demo.chat("demo: say=ok", session_id=HOSTILE).status == 200
    assert (
        demo.request(
            "PATCH", "/v1/sessions/" + quote(HOSTILE, safe=""), {"title": HOSTILE}
        ).status
        == 200
    )
    assert demo.chat("hi", model=HOSTILE).status == 404
    page.open_signed_in(demo, view)
    with demo.open_stream("demo: tokens=100 delay=50", session_id=HOSTILE):
        if view == "sessions":
            page.wait_for(
                lambda: any(HOSTILE in row for row in page.rows("session-rows"))
            )
            page.button(f"Forget session {HOSTILE}", "#session-rows").click()
            assert page.text("ask-code") == HOSTILE
            page.press(Keys.ESCAPE)
        else:
            page.id("filter-running").click()
            page.wait_for(lambda: any(HOSTILE in row for row in page.rows("turn-rows")))
            page.id("filter-failed").click()
            page.wait_for(lambda: any(HOSTILE in row for row in page.rows("turn-rows")))
            for row in page.all("#turn-rows .disclose"):
                row.click()
            assert HOSTILE in page.text("turn-rows")
    assert page.script("return window.pwned") is None
    assert page.all("#app img, #app script") == []
