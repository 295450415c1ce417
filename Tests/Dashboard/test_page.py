"""What the bridge sends, the key, the frame, the language, the first day, and the connection, in a real Chromium."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest
from page import Page
from selenium.webdriver.common.keys import Keys

from harness import API_KEY, REPO, Bridge, eventually

StartBridge = Callable[..., Bridge]
PIECES = REPO / "Sources" / "Bridge" / "Dashboard" / "Page"
VIEWS = ("chat", "activity", "approvals", "sessions", "connect", "bridge")


# ---- what the server sends


def test_the_page_needs_no_key_and_has_a_strict_policy(demo: Bridge) -> None:
    first, second = (demo.request("GET", "/dashboard", key=None) for _ in range(2))
    assert first.status == 200
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["referrer-policy"] == "no-referrer"
    assert first.headers["cache-control"] == "no-store"
    policy = first.headers["content-security-policy"]
    for rule in (
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy.split("; ")
    assert "unsafe" not in policy
    nonce = re.search(r"script-src 'nonce-(\w{32})'", policy)
    assert nonce is not None
    assert first.body.count(nonce[1].encode()) == 2
    # The pieces are joined, and none of them ends the script or the style before its end.
    assert re.search(rb"@[A-Z]+@", first.body) is None
    assert first.body.lower().count(b"</script") == 1
    assert first.body.lower().count(b"</style") == 1
    assert b"<!--" not in first.body
    assert policy != second.headers["content-security-policy"]
    assert b"http://" not in first.body.replace(b"http://www.w3.org/2000/svg", b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/dashboard"),
        ("GET", "/api/events"),
        ("POST", "/api/turns/x/stop"),
    ],
)
def test_data_needs_a_key(demo: Bridge, method: str, path: str) -> None:
    for key in (None, "wrong"):
        answer = demo.request(method, path, key=key)
        assert answer.status == 401
        assert answer.error["code"] == "invalid_api_key"


def test_the_snapshot_holds_no_secret(demo: Bridge) -> None:
    answer = demo.request("GET", "/api/dashboard")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert API_KEY.encode() not in answer.body
    facts = answer.json
    assert facts["engine"]["ready"] is True
    assert facts["bridge"]["listening"] == [demo.base_url]
    assert facts["account"] == {"kind": "own_provider", "plan": None, "limits": []}
    assert len(facts["minutes"]) == 60


def test_a_turn_that_does_not_run_cannot_be_stopped(demo: Bridge) -> None:
    answer = demo.request("POST", "/api/turns/nobody/stop")
    assert answer.status == 404
    assert answer.error["code"] == "turn_not_found"


def test_head_of_the_feed_ends(demo: Bridge) -> None:
    answer = demo.request("HEAD", "/api/events", timeout=5)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def connections(bridge: Bridge) -> int:
    return int(bridge.request("GET", "/api/dashboard").json["bridge"]["connections"])


class Viewer:
    """Somebody who watches the feed on a bare socket."""

    def __init__(self, bridge: Bridge) -> None:
        self.socket = socket.create_connection(bridge.address, timeout=20)
        head = f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
        self.socket.sendall(head.encode())
        received = b""
        # An event and an error both hold a JSON object.
        while b"{" not in received:
            received += self.socket.recv(1 << 16)
        self.status = int(received.split(b" ", 2)[1])
        if self.status != 200:
            self.close()

    def close(self) -> None:
        self.socket.close()


def test_viewers_are_bounded_and_leave(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    viewers = [Viewer(bridge) for _ in range(32)]
    assert {viewer.status for viewer in viewers} == {200}
    refused = bridge.request("GET", "/api/events")
    assert refused.status == 503
    assert refused.error["code"] == "too_many_viewers"
    assert "retry-after" in refused.headers
    for viewer in viewers:
        viewer.close()
    # Nothing of them is left but the connection that asks.
    assert eventually(lambda: connections(bridge) == 1)
    assert Viewer(bridge).status == 200
    # A viewer must not hold up the end of the service.
    assert bridge.stop(15) == 0


# ---- the key


def test_the_key_is_asked_for_and_kept_for_the_tab(demo: Bridge, page: Page) -> None:
    page.expected = ["status of 401"]
    page.open(demo)
    assert page.is_shown("gate")
    assert not page.is_shown("app")
    assert page.focused().get_attribute("id") == "gate-key"
    assert page.focused().accessible_name == "API key"
    page.sign_in("wrong")
    page.wait_for(lambda: page.text("gate-error") == "Wrong key.")
    page.sign_in("schlüssel")
    page.wait_for(lambda: page.text("gate-error") == "Wrong key.")
    page.sign_in()
    page.wait_for(lambda: page.text("state") == "Ready")
    assert not page.is_shown("gate")
    page.browser.refresh()
    page.wait_for(lambda: page.text("state") == "Ready")
    # The key is nowhere in what a person or a screenshot sees.
    assert API_KEY not in page.script("return document.documentElement.outerHTML")
    page.button("Sign out").click()
    assert page.is_shown("gate")
    assert page.script("return sessionStorage.length") == 0
    assert API_KEY not in page.script("return JSON.stringify(localStorage)")


def test_the_default_key_needs_no_gate(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge(fake=True)
    bridge.stop()
    # As somebody starts it who has set nothing.
    del (environment := bridge.environ())["CODEX_BRIDGE_API_KEY"]
    bridge.environ = lambda: environment  # type: ignore[method-assign]
    bridge.start()
    page.open(bridge)
    page.wait_for(lambda: page.text("state") == "Ready")
    assert not page.is_shown("gate")
    # Who signs out wants another key, and is asked.
    page.button("Sign out").click()
    page.wait_for(lambda: page.is_shown("gate"))


def test_a_key_that_is_no_longer_right_brings_the_gate(
    start_bridge: StartBridge, page: Page
) -> None:
    page.expected = [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "status of 401",
    ]
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge)
    port = bridge.address[1]
    bridge.stop()
    bridge.environment |= {"PORT": str(port), "CODEX_BRIDGE_API_KEY": "another"}
    bridge.start(wait_ready=False)
    page.wait_for(lambda: page.is_shown("gate"), 40)
    assert page.text("gate-error") == "The key is no longer accepted."


# ---- the frame


def test_each_view_has_an_address(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "bridge")
    assert page.is_shown("view-bridge")
    for view in VIEWS:
        page.go(view)
        assert page.script("return location.hash").startswith(f"#/{view}")
        assert page.texts("#rail [aria-current]") == [page.text(f"nav-{view}")]
        assert page.texts("main > .view:not([hidden])")
        shown = [other for other in VIEWS if page.is_shown(f"view-{other}")]
        assert shown == [view]
        assert page.browser.title.endswith("CodexBridge")
    page.browser.back()
    page.wait_for(lambda: page.is_shown("view-connect"))
    page.browser.refresh()
    page.wait_for(lambda: page.is_shown("view-connect"))
    # An address of no view is home.
    page.script("location.hash = '#/nowhere/at/all'")
    page.wait_for(lambda: page.is_shown("view-chat") or page.is_shown("view-start"))


def test_the_heading_has_the_focus_after_a_link(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    page.script("arguments[0].focus()", page.id("nav-sessions"))
    page.press(Keys.ENTER)
    page.wait_for(lambda: page.focused().get_attribute("id") == "h-sessions")


def test_the_bar_says_where_it_works_and_what_it_may(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(
        fake=True,
        environment={
            "CODEX_WEB_SEARCH": "true",
            "CODEX_APPROVAL_POLICY": "on-request",
        },
    )
    page.open_signed_in(bridge, "bridge")
    page.wait_for(lambda: page.text("place-path") == str(bridge.work))
    rights = page.text("place-rights")
    assert rights == (
        "reads files, changes none, no network, web search, asks before it leaves the sandbox"
    )
    assert page.text("b-rights") == rights
    assert page.text("b-directory") == str(bridge.work)


# ---- the language


def test_chinese_by_the_browser_and_by_the_switch(demo: Bridge, page: Page) -> None:
    page.languages("zh-CN,zh,en")
    page.open(demo, "activity")
    assert page.script("return document.documentElement.lang") == "zh-CN"
    assert page.focused().accessible_name == "API 密钥"
    page.sign_in()
    page.wait_for(lambda: page.text("state") == "就绪")
    assert page.text("h-activity") == "活动"
    names = ["对话", "活动", "审批", "会话", "接入", "状态"]
    assert [page.text(f"nav-{view}") for view in VIEWS] == names
    page.go("bridge")
    page.wait_for(lambda: "60 分钟前" in page.text("view-bridge"))
    page.id("language").click()
    assert page.script("return document.documentElement.lang") == "en"
    assert page.text("state") == "Ready"
    assert page.text("nav-activity") == "Activity"
    assert "60 min ago" in page.text("view-bridge")
    # It is remembered.
    page.browser.refresh()
    page.wait_for(lambda: page.text("state") == "Ready")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_view_has_an_unlabelled_text(
    demo: Bridge, page: Page, language: str
) -> None:
    """A row that is missing shows as its name, such as `turn.stop`."""
    page.languages({"en": "en-US,en", "zh": "zh-CN,zh"}[language])
    page.open_signed_in(demo, "bridge", state={"en": "Ready", "zh": "就绪"}[language])
    for view in VIEWS:
        page.go(view)
        words = page.id("app").text
        assert not re.search(
            r"\b(nav|turn|state|sessions|connect|bridge|page)\.[a-z]+", words
        )
        if language == "zh":
            assert re.search(r"[\u4e00-\u9fff]", page.text(f"view-{view}"))


def test_every_text_is_in_the_table_in_both_languages(demo: Bridge, page: Page) -> None:
    page.open(demo)
    rows: dict[str, list[str | dict[str, str]]] = page.script("return texts")
    used = set()
    for piece in [*PIECES.glob("*.js"), PIECES / "page.html"]:
        found = re.findall(
            r"""\bt\("([\w.]+)"|data-t(?:-[a-z-]+)?"?[:=] ?"([\w.]+)\"""",
            piece.read_text(),
        )
        used |= {first or second for first, second in found}
    assert used - set(rows) == set()
    assert len(used) > 100

    def values(text: str | dict[str, str]) -> set[str]:
        return set(
            re.findall(r"{(\w+)}", text if isinstance(text, str) else text["other"])
        )

    for name, (english, chinese) in rows.items():
        assert english, name
        assert chinese, name
        assert values(english) == values(chinese), name


def test_nothing_of_a_key_is_left_after_it_has_gone(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(fake=True)
    bridge.chat("demo: tokens=2", session_id="secret plans")
    page.open_signed_in(bridge, "bridge")
    for view in ("activity", "sessions", "connect", "bridge"):
        page.go(view)
    page.wait_for(lambda: page.text("b-directory") == str(bridge.work))
    page.script("announce('something secret'); toast('something secret')")
    page.button("Sign out").click()
    left = page.script("return document.body.textContent")
    left += page.script("return document.body.innerHTML")
    for text in ("secret", str(bridge.work), bridge.base_url):
        assert text not in left


@pytest.mark.parametrize(
    "path", ["/", "/dashboard/", "/v1", "/v1/", "/chat/v1", "/agent/v1/"]
)
def test_it_works_at_the_base_urls_of_the_api(
    demo: Bridge, page: Page, path: str
) -> None:
    page.open(demo, "connect", path=path)
    page.sign_in()
    page.wait_for(lambda: page.text("state") == "Ready")
    assert demo.url in page.texts("#panel code")


# ---- the first day


def test_the_first_day_has_steps(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge)
    page.wait_for(lambda: page.is_shown("view-start"))
    steps = page.texts("#view-start h2")
    assert [step.split("\n")[0] for step in steps] == [
        "Codex is installed",
        "Log in",
        "Try it",
        "Connect your client",
    ]
    page.wait_for(lambda: len(page.texts("#view-start .step.done")) == 2)
    page.script("arguments[0].focus()", page.id("start-message"))
    page.id("start-message").send_keys("demo: say=first words", Keys.ENTER)
    page.wait_for(lambda: page.is_shown("view-chat"))
    page.wait_for(lambda: page.script("return location.hash").startswith("#/chat/"))
    page.wait_for(lambda: "first words" in page.text("view-chat"))
    # From then on the chat is home, and the steps are gone.
    page.wait_for(lambda: bridge.request("GET", "/v1/sessions").json["total"] == 1)
    page.open(bridge)
    page.wait_for(lambda: page.is_shown("view-chat"))
    assert not page.is_shown("nav-start")


def test_a_login_turns_up_by_itself(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge(fake=True, options="not-logged-in", wait_ready=False)
    page.open_signed_in(bridge, state="Not logged in")
    page.wait_for(lambda: page.is_shown("view-start"))
    assert "Log in (to do)" in page.script(
        "return document.getElementById('view-start').textContent"
    )
    assert not page.button("Send", "#view-start").is_enabled()
    # As `codex login` does.
    bridge.set_fake_options("")
    (bridge.codex_home / "auth.json").write_text("{}")
    page.wait_for(lambda: page.text("state") == "Ready", 60)
    page.wait_for(lambda: len(page.texts("#view-start .step.done")) == 2)
    assert page.button("Send", "#view-start").is_enabled()


def test_the_login_command_can_be_copied(start_bridge: StartBridge, page: Page) -> None:
    page.command(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    bridge = start_bridge(fake=True, options="not-logged-in", wait_ready=False)
    page.open_signed_in(bridge, state="Not logged in")
    page.wait_for(lambda: "login" in page.texts("#view-start pre")[0])
    page.button("Copy the command", "#view-start").click()
    page.wait_for(lambda: page.texts("#view-start .copy") == ["Copied"])
    copied = page.script("return navigator.clipboard.readText()")
    assert copied == page.texts("#view-start pre")[0]
    # What to do is said once.
    assert not page.is_shown("trouble")


# ---- the engine, the connection


def test_plan_and_limits_are_shown_and_the_address_is_not(
    plan_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(plan_bridge, "bridge")
    page.wait_for(lambda: len(page.rows("limit-rows")) == 2)
    assert page.text("e-login") == "ChatGPT"
    assert page.text("e-plan") == "Plus"
    first, second = page.rows("limit-rows")
    assert first.startswith("5-hour limit\n82% used\nresets in 1 hr 2")
    assert second.startswith("Weekly limit\n37% used\nresets in 3 days 11 hr")
    meter = page.all("#limit-rows [role=meter]")[0]
    assert meter.get_attribute("aria-valuenow") == "82"
    assert b"example.com" not in plan_bridge.request("GET", "/api/dashboard").body


def test_an_engine_without_login_says_what_to_do(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge, "bridge")
    bridge.set_fake_options("not-logged-in")
    bridge.chat("demo: kill tokens=2")
    page.wait_for(lambda: page.text("state") == "Not logged in")
    assert "fake_codex.py login" in page.text("trouble-text")
    assert page.text("e-restarts") == "1"
    page.go("activity")
    page.wait_for(lambda: any("codex_crashed" in row for row in page.rows("turn-rows")))


def test_a_bridge_that_shuts_down_says_so(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "bridge")
    facts = demo.request("GET", "/api/dashboard").json
    engine = facts["engine"] | {"ready": False, "reason": "draining"}
    page.script(
        "show(arguments[0]); window.show = () => {}; isEnding = true; waitToReturn('Lost.', 60, visit)",
        facts | {"engine": engine},
    )
    assert page.text("state") == "Shutting down"
    assert "The bridge is shutting down." in page.text("offline-text")


def test_a_demo_says_so(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "start")
    facts = demo.request("GET", "/api/dashboard").json
    bridge = facts["bridge"] | {"demo": True}
    page.script(
        "show(arguments[0]); window.show = () => {}", facts | {"bridge": bridge}
    )
    assert page.text("demo") == "Demo: a stand-in model answers"
    assert "Demo: a stand-in model answers." in page.text("view-start")


def test_a_missing_codex_is_told_once(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "start")
    facts = demo.request("GET", "/api/dashboard").json
    engine = facts["engine"] | {
        "ready": False,
        "reason": "codex_missing",
        "message": "The Codex CLI was not found (codex).",
        "version": None,
    }
    page.script(
        "show(arguments[0]); window.show = () => {}",
        facts | {"engine": engine, "account": None},
    )
    assert page.texts("#view-start .step.failed h2")[0].startswith("Install Codex")
    assert page.texts("#view-start pre") == ["npm install -g @openai/codex"]
    assert page.button("Copy the command", "#view-start")
    assert not page.is_shown("trouble")
    # Enter sends nothing while Send would not.
    page.id("start-message").send_keys("hello", Keys.ENTER)
    assert page.is_shown("view-start")


def test_a_lost_connection_is_told_and_comes_back(
    start_bridge: StartBridge, page: Page
) -> None:
    page.expected = [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_CONNECTION_RESET",
    ]
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge)
    port = bridge.address[1]
    bridge.kill()
    page.wait_for(lambda: page.is_shown("offline"))
    assert page.text("state") == "Disconnected"
    bridge.environment["PORT"] = str(port)
    bridge.start()
    page.wait_for(
        lambda: page.text("state") == "Ready" and not page.is_shown("offline")
    )
