"""What Codex asks before it acts, and how a person answers it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from page import Page
from scenes import Background
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from harness import Bridge

StartBridge = Callable[..., Bridge]


@pytest.fixture
def asking_bridge(start_bridge: StartBridge) -> Bridge:
    """A bridge before the fake engine, which asks what it is told to."""
    return start_bridge(fake=True, environment={"CODEX_APPROVAL_POLICY": "on-request"})


def test_an_approval_is_shown_and_accepted(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    assert not page.is_shown("approvals")
    page.id("filter-running").click()
    asking = Background(lambda: demo.chat("demo: run=echo approved-$((20+3))"))
    page.wait_for(lambda: page.is_shown("approvals"))
    row = page.rows("approval-rows")[0]
    assert "echo approved-" in row
    assert page.browser.title.startswith("(1) ")
    assert page.text("bell-count") == "1"
    assert page.id("bell").accessible_name == "1 approval is asked for"
    page.wait_for(lambda: "Waiting for approval" in page.rows("turn-rows")[0])
    assert "Codex asks for approval" in page.id("live").get_attribute("textContent")
    page.answer("Accept")
    assert "approved-23" in asking.result().text
    page.wait_for(lambda: not page.is_shown("approvals"))
    assert not page.is_shown("bell-count")


def test_an_approval_is_declined_with_the_keyboard(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "approvals")
    asking = Background(lambda: demo.chat("demo: run=echo declined-$((20+3))"))
    page.wait_for(lambda: page.is_shown("approvals"))
    for _ in range(30):
        page.press(Keys.TAB)
        # The one that lets nothing out comes before the other.
        assert page.focused().accessible_name != "Accept"
        if page.focused().accessible_name == "Decline":
            break
    else:
        pytest.fail("Decline cannot be reached with the Tab key")
    page.wait_for(
        lambda: page.focused().get_attribute("aria-disabled") is None,
    )
    page.press(Keys.SPACE)
    assert "declined-23" not in asking.result().text
    page.wait_for(lambda: not page.is_shown("approvals"))


def test_the_answers_look_alike_and_are_large(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "approvals")
    asking = Background(lambda: demo.chat("demo: run=echo looked-at"))
    page.wait_for(lambda: page.is_shown("approvals"))
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        for width in (390, 768, 1440):
            page.size(width)
            decline = page.button("Decline", "#approval-rows")
            accept = page.button("Accept", "#approval-rows")
            for answer in (decline, accept, page.all(".for-session > summary")[0]):
                assert answer.size["height"] >= 44
                assert answer.size["width"] >= 44
            assert decline.location["x"] < accept.location["x"]
            for look in ("background-color", "color", "border-color"):
                assert decline.value_of_css_property(
                    look
                ) == accept.value_of_css_property(look)
    page.answer("Decline")
    asking.result()


def test_for_the_session_is_a_second_step_that_says_what_it_covers(
    demo: Bridge, page: Page
) -> None:
    page.open_signed_in(demo, "approvals")
    command = "demo: run=echo for-the-session"
    asking = Background(lambda: demo.chat(command, session_id="asks once"))
    page.wait_for(lambda: page.is_shown("approvals"))
    names = [button.accessible_name for button in page.all("#approval-rows button")]
    assert names[:2] == ["Decline", "Accept"]
    assert "Accept for the whole session" not in page.texts("#approval-rows button")
    summary = page.all(".for-session > summary")[0]
    page.script("arguments[0].focus()", summary)
    page.press(Keys.ENTER)
    assert "the same command in the same directory" in page.text("approval-rows")
    page.answer("Accept for the whole session")
    assert "for-the-session" in asking.result().text
    # The same command is not asked about again.
    assert "for-the-session" in demo.chat(command, session_id="asks once").text


def test_what_was_not_shown_whole_is_not_accepted(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "approvals")
    asking = Background(lambda: demo.chat(f"demo: run=echo {'long ' * 1200}end"))
    page.wait_for(lambda: page.is_shown("approvals"))
    page.wait_for(
        lambda: page.button("Decline", "#approval-rows").get_attribute("aria-disabled") != "true"
    )
    accept = page.button("Accept", "#approval-rows")
    assert accept.get_attribute("aria-disabled") == "true"
    # The first click may only bring it into sight, which moves the question.
    page.wait_for(lambda: (accept.click(), page.text("toast"))[1] == "Show all of it first.")
    assert page.rows("approval-rows")
    page.button("Show all of it", "#approval-rows").click()
    page.wait_for(lambda: "long end" in page.text("approval-rows"))
    page.answer("Accept")
    assert "long end" in asking.result().text


def test_it_says_who_asked_and_how_long_there_is(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "approvals")
    asking = Background(lambda: demo.chat("demo: run=pwd", session_id="who asks"))
    page.wait_for(lambda: page.texts("#approval-rows .asker a"))
    row = page.rows("approval-rows")[0]
    # What the person wanted comes first; the ids are there on request.
    assert row.startswith("demo: run=pwd\n")
    page.all("#approval-rows .asked-details > summary")[0].click()
    assert "Session\nwho asks\nRequest\nreq-" in page.text("approval-rows")
    assert f"Directory\n{demo.work}" in row
    assert "declined automatically in " in row
    left = "return document.querySelector('.time-bar').style.getPropertyValue('--left')"
    before = float(page.script(left))
    assert 0 < before <= 1
    page.wait_for(lambda: float(page.script(left)) < before)
    page.all("#approval-rows .asker a")[0].click()
    page.wait_for(lambda: page.is_shown("view-chat"))
    # The question is on top of this view too.
    page.answer("Decline")
    asking.result()


def test_questions_are_on_top_of_every_view(asking_bridge: Bridge, page: Page) -> None:
    page.open_signed_in(asking_bridge, "connect")
    asking = [
        Background(lambda: asking_bridge.chat("demo: tokens=0 approval=files"))
        for _ in range(2)
    ]
    page.wait_for(lambda: page.text("bell-count") == "2")
    for view in ("activity", "sessions", "connect", "bridge", "chat"):
        page.go(view)
        assert len(page.rows("approval-rows")) == 1
        assert page.text("approvals-more") == "and 1 more"
        assert (
            page.id("approvals").location["y"] < page.id(f"view-{view}").location["y"]
        )
    page.id("approvals-more").click()
    page.wait_for(lambda: len(page.rows("approval-rows")) == 2)
    assert not page.is_shown("approvals-more")
    page.wait_for(lambda: not page.all("#approval-rows .decisions [aria-disabled]"))
    page.script(
        "for (const answers of document.querySelectorAll('#approval-rows .decisions'))"
        " answers.firstElementChild.click()"
    )
    page.wait_for(lambda: not page.is_shown("approvals"))
    for one in asking:
        assert "decline" in one.result().text


def test_files_are_shown_with_their_diffs_on_request(
    asking_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(asking_bridge)
    asking = Background(lambda: asking_bridge.chat("demo: tokens=0 approval=files"))
    page.wait_for(lambda: page.is_shown("approvals"))
    assert page.texts("#approval-rows h3") == ["Change 3 files"]
    # A line for each file, also for one whose name has a line feed in it.
    assert page.texts("#approval-rows .files li") == [
        r"add /srv/a\n/etc/b",
        "update /srv/c, moved to /srv/d",
        "delete /srv/e",
    ]
    assert "to write any file below /srv/all" in page.text("approval-rows")
    assert page.texts("#approval-rows pre") == []
    page.script("arguments[0].focus()", page.button("Show the diff", "#approval-rows"))
    page.press(Keys.ENTER)
    page.wait_for(lambda: page.texts("#approval-rows pre"))
    assert page.texts("#approval-rows pre") == [
        "+one\n+two",
        "@@ -1 +1 @@\n-x\n+y",
        "-gone",
    ]
    # The focus goes on to what came, and the question can still be answered.
    assert page.focused().tag_name == "pre"
    page.answer("Decline")
    assert "decline" in asking.result().text


def test_nothing_in_an_approval_forges_a_line(
    asking_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(asking_bridge)
    asking = Background(lambda: asking_bridge.chat("demo: tokens=0 approval=hostile"))
    page.wait_for(lambda: page.is_shown("approvals"))
    assert page.texts("#approval-rows h3") == ["Run a command outside the sandbox"]
    assert len(page.all("#approval-rows h3.leaves")) == 1
    assert page.texts("#approval-rows pre") == [
        "echo \\u{202E}safe\nrm -rf /\\u{1B}[2K"
    ]
    facts = page.texts("#approval-rows dd")
    assert r"/tmp/else\u{200B}where\nin /work" in facts
    page.answer("Decline")
    assert "decline" in asking.result().text


def test_a_second_click_does_not_answer_the_next_question(
    asking_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(asking_bridge, "connect")
    asking = [
        Background(lambda: asking_bridge.chat("demo: tokens=0 approval"))
        for _ in range(2)
    ]
    page.wait_for(lambda: page.text("bell-count") == "2")
    page.wait_for(lambda: page.all("#approval-rows > li"))
    page.wait_for(
        lambda: not page.all("#approval-rows > li:first-child [aria-disabled]")
    )
    accept = page.button("Accept", "#approval-rows")
    webdriver.ActionChains(page.browser).double_click(accept).perform()
    # What was answered stays for a moment, so that the next question does not come under the pointer.
    page.wait_for(lambda: page.texts("#approval-rows .answered") == ["Accepted."])
    assert len(page.rows("approval-rows")) == 1
    page.wait_for(lambda: page.texts("#approval-rows .decisions"))
    assert page.text("bell-count") == "1"
    page.answer("Decline")
    page.wait_for(lambda: not page.is_shown("approvals"))
    assert sorted("decline" in one.result().text for one in asking) == [False, True]


def test_a_question_that_has_moved_takes_no_click(
    asking_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(asking_bridge, "connect")
    asking = Background(lambda: asking_bridge.chat("demo: tokens=0 approval"))
    page.wait_for(lambda: page.is_shown("approvals"))
    page.wait_for(lambda: not page.all("#approval-rows .decisions [aria-disabled]"))
    page.script(
        "document.getElementById('approvals').style.marginTop = '60px';"
        "const accept = [...document.querySelectorAll('#approval-rows button')].find((b) => b.textContent === 'Accept');"
        "accept.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));"
    )
    assert page.all("#approval-rows .decisions [aria-disabled]")
    assert page.text("bell-count") == "1"
    page.answer("Decline")
    assert "decline" in asking.result().text


def test_nothing_of_a_command_is_out_of_sight(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "approvals")
    facts = demo.request("GET", "/api/dashboard").json
    text = "\n".join(["echo first", *[" "] * 12, *(f"echo {n}" for n in range(60))])
    approval = {
        "id": "approval-1",
        "kind": "command",
        "request": "run a command",
        "text": text,
        "files": [],
        "hidden_files": 0,
        "is_whole": True,
        "facts": [],
        "session_scope": None,
        "request_id": "req-1",
        "created": facts["now"],
        "expires": facts["now"] + 60,
    }
    page.script(
        "show(arguments[0]); window.show = () => {}",
        facts | {"approvals": [approval], "approval_count": 1},
    )
    (command,) = page.all("#approval-rows pre")
    assert command.text.startswith("echo first\n(12 blank lines)\necho 0\n")
    assert command.text.endswith("echo 59")
    assert page.script(
        "return arguments[0].scrollHeight <= arguments[0].clientHeight", command
    )


def test_a_question_calls_from_below_the_fold(
    asking_bridge: Bridge, page: Page
) -> None:
    for width in (390, 1280):
        page.size(width, 500)
        page.open_signed_in(asking_bridge, "connect")
        asking = Background(lambda: asking_bridge.chat("demo: tokens=0 approval"))
        page.wait_for(lambda: page.is_shown("approvals"))
        assert not page.is_shown("bar")
        page.script("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for(lambda: page.text("bar") == "1 question waits for you")
        page.id("bar").click()
        page.wait_for(lambda: page.is_shown("view-approvals"))
        assert not page.is_shown("bar")
        page.answer("Decline")
        asking.result()
        page.button("Sign out").click()


# Stands in for the browser's notifications, and for a person who looks elsewhere.
NOTICES = """
window.told = [];
window.Notification = class {
  static permission = "default";
  static requestPermission() {
    Notification.permission = "granted";
    return Promise.resolve("granted");
  }
  constructor(title, options) { told.push(`${title}: ${options.body}`); }
  close() { told.push("closed"); }
};
document.hasFocus = () => false;
"""


def test_notifications_after_a_person_has_switched_them_on(
    asking_bridge: Bridge, page: Page
) -> None:
    page.command("Page.addScriptToEvaluateOnNewDocument", source=NOTICES)
    page.open_signed_in(asking_bridge, "approvals")

    def ask_and_decline() -> None:
        asking = Background(lambda: asking_bridge.chat("demo: tokens=0 approval=files"))
        page.wait_for(lambda: page.is_shown("approvals"))
        page.answer("Decline")
        asking.result()
        page.wait_for(lambda: not page.is_shown("approvals"))

    ask_and_decline()
    assert page.script("return told") == []
    page.button("Notify me").click()
    page.wait_for(lambda: page.text("notify") == "Turn off")
    ask_and_decline()
    page.wait_for(lambda: len(page.script("return told")) == 2)
    told, closed = page.script("return told")
    assert told.startswith("Codex asks for approval: change 3 files\nadd /srv/a\\n")
    assert closed == "closed"
    page.button("Turn off").click()
    ask_and_decline()
    assert len(page.script("return told")) == 2
