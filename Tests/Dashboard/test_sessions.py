"""Sessions: found, paged, opened, renamed, forgotten."""

from __future__ import annotations

from collections.abc import Callable

from page import Page
from selenium.webdriver.common.keys import Keys

from harness import Bridge

StartBridge = Callable[..., Bridge]


def test_sessions_are_listed_searched_and_forgotten(demo: Bridge, page: Page) -> None:
    for name in ("Garden plans", "tax/2026 & co", "garden tools"):
        assert demo.chat("demo: say=ok", session_id=name).status == 200
    page.open_signed_in(demo, "sessions")
    page.wait_for(lambda: len(page.rows("session-rows")) >= 3)
    search = page.id("search")
    assert search.accessible_name == "Search sessions"
    search.send_keys("GARDEN")
    page.wait_for(lambda: page.text("sessions-count") == "2 matches")
    assert len(page.rows("session-rows")) == 2
    search.clear()
    search.send_keys("2026 & c")
    page.wait_for(lambda: page.text("sessions-count") == "1 match")
    page.button("Forget session tax/2026 & co", "#session-rows").click()
    page.wait_for(lambda: page.is_shown("ask"))
    assert page.text("ask-title") == "Forget “demo: say=ok”?"
    assert page.text("ask-code") == "tax/2026 & co"
    # The harmless answer has the focus, and Escape means it too.
    assert page.focused().get_attribute("id") == "ask-no"
    page.press(Keys.ESCAPE)
    page.wait_for(lambda: not page.is_shown("ask"))
    assert len(page.rows("session-rows")) == 1
    page.button("Forget session tax/2026 & co", "#session-rows").click()
    page.button("Keep it", "#ask").click()
    page.wait_for(lambda: not page.is_shown("ask"))
    assert len(page.rows("session-rows")) == 1
    page.button("Forget session tax/2026 & co", "#session-rows").click()
    page.button("Forget", "#ask").click()
    page.wait_for(
        lambda: page.text("sessions-empty") == "No title and no id contains this."
    )
    known = [entry["id"] for entry in demo.request("GET", "/v1/sessions").json["data"]]
    assert "tax/2026 & co" not in known
    assert "garden tools" in known


def test_a_session_is_renamed_in_its_row(demo: Bridge, page: Page) -> None:
    demo.chat("demo: say=ok", session_id="to be renamed")
    page.open_signed_in(demo, "sessions")
    page.type("search", "to be renamed")
    page.wait_for(lambda: page.text("sessions-count") == "1 match")
    rename = page.button("Rename session to be renamed", "#session-rows")
    page.script("arguments[0].focus()", rename)
    page.press(Keys.ENTER)
    field = page.focused()
    assert field.accessible_name == "Title of session to be renamed"
    assert field.get_attribute("value") == "demo: say=ok"
    # Escape leaves everything as it was, and the focus where it began.
    field.send_keys("never mind", Keys.ESCAPE)
    assert page.focused() == rename
    assert page.rows("session-rows")[0].startswith("demo: say=ok")
    page.press(Keys.ENTER)
    page.focused().send_keys(Keys.CONTROL, "a")
    page.focused().send_keys("A better <name>", Keys.ENTER)
    page.wait_for(lambda: page.rows("session-rows")[0].startswith("A better <name>"))
    assert (
        demo.request("GET", "/v1/sessions/to%20be%20renamed").json["title"]
        == "A better <name>"
    )
    # It is found by its title.
    page.type("search", "better <NAME>")
    page.wait_for(lambda: page.text("sessions-count") == "1 match")


def test_a_session_opens_in_the_chat(demo: Bridge, page: Page) -> None:
    demo.chat("demo: say=as it was said", session_id="a/b c?#%")
    page.open_signed_in(demo, "sessions")
    page.type("search", "a/b c?#%")
    page.wait_for(lambda: page.text("sessions-count") == "1 match")
    page.all("#session-rows .session-title")[0].click()
    page.wait_for(lambda: "as it was said" in page.text("view-chat"))
    assert page.script("return decodeURIComponent(location.hash)") == "#/chat/a/b c?#%"


def test_many_sessions_come_page_by_page(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge(fake=True)
    bridge.stop()
    sessions = ",".join(f'"s{number:05}":"t{number}"' for number in range(20_000))
    (bridge.state / ".codex_threads.json").write_text('{"sessions":{' + sessions + "}}")
    bridge.start()
    page.open_signed_in(bridge, "sessions")
    page.wait_for(lambda: page.text("sessions-count") == "50 of 20,000")
    assert len(page.rows("session-rows")) == 50
    page.button("Load more").click()
    page.wait_for(lambda: page.text("sessions-count") == "100 of 20,000")
    assert len(set(page.rows("session-rows"))) == 100
    # What has been loaded stays when something changes.
    bridge.chat("demo: tokens=1", session_id="the newest")
    page.wait_for(lambda: "the newest" in page.rows("session-rows")[0])
    assert len(page.rows("session-rows")) == 100
    page.id("search").send_keys("s1999")
    page.wait_for(lambda: page.text("sessions-count") == "10 matches")
    assert not page.is_shown("sessions-more")
