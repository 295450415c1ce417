"""The dashboard in a real Chromium, on a bridge with the real Codex and its stand-in model."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from page import Page
from selenium.webdriver.common.keys import Keys

from harness import API_KEY, FAKE_CODEX, Answer, Bridge, RawStream, eventually

StartBridge = Callable[..., Bridge]

HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


class Background:
    """A request that runs while the test goes on."""

    def __init__(self, send: Callable[[], Answer]) -> None:
        self.answer: Answer | None = None
        self.thread = threading.Thread(target=self._run, args=(send,))
        self.thread.start()

    def _run(self, send: Callable[[], Answer]) -> None:
        self.answer = send()

    def result(self) -> Answer:
        self.thread.join(60)
        assert self.answer is not None, "no answer within a minute"
        return self.answer


def rows(page: Page, list_id: str) -> list[str]:
    return page.texts(f"#{list_id} > li")


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
    assert b"@NONCE@" not in first.body
    assert policy != second.headers["content-security-policy"]
    assert b"http://" not in first.body.replace(
        b"http://www.w3.org/2000/svg", b""
    ).replace(b'.replace("http://", "")', b"")


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
    page.wait_for(lambda: page.text("gate-error") == "This key is not right.")
    page.sign_in("schlüssel")
    page.wait_for(lambda: page.text("gate-error") == "This key is not right.")
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


# ---- turns


def test_a_running_turn_is_shown_and_stopped(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    page.wait_for(lambda: page.is_shown("turns-empty"))
    with demo.open_stream(
        "demo: tokens=200 delay=50", session_id="a running one"
    ) as stream:
        page.wait_for(lambda: rows(page, "turn-rows"))
        page.wait_for(lambda: "Writing the answer" in rows(page, "turn-rows")[0])
        row = rows(page, "turn-rows")[0]
        assert "a running one" in row
        assert page.text("t-running") == "1"
        page.wait_for(
            lambda: (
                "running"
                in next(
                    r for r in rows(page, "session-rows") if "a running one" in r
                ).split("\n")
            )
        )
        # The row lives on while it is updated, so the focus stays where it is.
        stop = page.button(f"Stop request {request_id(stream)}", "#turn-rows")
        page.script("arguments[0].focus()", stop)
        age = row
        page.wait_for(lambda: rows(page, "turn-rows")[0] != age)
        assert page.focused() == stop
        page.press(Keys.ENTER)
        stream.read_to_last_chunk()
        assert b'"interrupted"' in stream.received
        assert b"t199" not in stream.received
    page.wait_for(lambda: page.is_shown("turns-empty"))
    assert page.focused().get_attribute("id") == "h-turns"
    page.wait_for(lambda: any("interrupted" in row for row in rows(page, "error-rows")))
    assert "1 not completed" in page.id("turns-chart").get_attribute("aria-label")
    # The session goes on.
    assert (
        demo.chat("demo: say=still here", session_id="a running one").text
        == "still here"
    )


def request_id(stream: RawStream) -> str:
    stream.read_until(b"t1 ")
    found = re.search(rb"x-request-id: (\S+)", stream.received)
    assert found is not None
    return found[1].decode()


def test_a_thinking_turn_says_so(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    with demo.open_stream("demo: first=20000 tokens=1"):
        page.wait_for(lambda: rows(page, "turn-rows"))
        assert "Thinking" in rows(page, "turn-rows")[0]
        assert "one-off" in rows(page, "turn-rows")[0]
    page.wait_for(lambda: page.is_shown("turns-empty"))


def test_an_approval_is_shown_and_accepted(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    assert not page.is_shown("approvals")
    asking = Background(lambda: demo.chat("demo: run=echo approved-$((20+3))"))
    page.wait_for(lambda: page.is_shown("approvals"))
    row = rows(page, "approval-rows")[0]
    assert "echo approved-" in row
    assert page.browser.title == "(1) CodexBridge"
    page.wait_for(lambda: "Waiting for approval" in rows(page, "turn-rows")[0])
    assert "Codex asks for approval" in page.id("live").get_attribute("textContent")
    page.button("Accept", "#approval-rows").click()
    assert "approved-23" in asking.result().text
    page.wait_for(lambda: not page.is_shown("approvals"))


def test_an_approval_is_declined_with_the_keyboard(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    asking = Background(lambda: demo.chat("demo: run=echo declined-$((20+3))"))
    page.wait_for(lambda: page.is_shown("approvals"))
    for _ in range(20):
        page.press(Keys.TAB)
        if page.focused().accessible_name == "Decline":
            break
    else:
        pytest.fail("Decline cannot be reached with the Tab key")
    page.press(Keys.SPACE)
    assert "declined-23" not in asking.result().text
    page.wait_for(lambda: not page.is_shown("approvals"))


def test_files_are_shown_with_their_diffs_on_request(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(
        fake=True, environment={"CODEX_APPROVAL_POLICY": "on-request"}
    )
    page.open_signed_in(bridge)
    asking = Background(lambda: bridge.chat("demo: tokens=0 approval=files"))
    page.wait_for(lambda: page.is_shown("approvals"))
    assert page.texts("#approval-rows h3") == ["Change 3 files"]
    # A line for each file, also for one whose name has a line feed in it.
    assert page.texts("#approval-rows .files li") == [
        r"add /srv/a\n/etc/b",
        "update /srv/c, moved to /srv/d",
        "delete /srv/e",
    ]
    assert "and to write everything below /srv/all" in page.text("approval-rows")
    assert page.texts("#approval-rows pre") == []
    page.script(
        "arguments[0].focus()", page.button("Show the diff", "#approval-rows")
    )
    page.press(Keys.ENTER)
    page.wait_for(lambda: page.texts("#approval-rows pre"))
    assert page.texts("#approval-rows pre") == [
        "+one\n+two",
        "@@ -1 +1 @@\n-x\n+y",
        "-gone",
    ]
    # The focus goes on to what came, and the question can still be answered.
    assert page.focused().tag_name == "pre"
    page.button("Decline", "#approval-rows").click()
    assert "decline" in asking.result().text


def test_nothing_in_an_approval_forges_a_line(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(
        fake=True, environment={"CODEX_APPROVAL_POLICY": "on-request"}
    )
    page.open_signed_in(bridge)
    asking = Background(lambda: bridge.chat("demo: tokens=0 approval=hostile"))
    page.wait_for(lambda: page.is_shown("approvals"))
    assert page.texts("#approval-rows h3") == ["Run a command outside the sandbox"]
    assert page.texts("#approval-rows pre") == [
        "echo \\u{202E}safe\nrm -rf /\\u{1B}[2K"
    ]
    assert r"in /tmp/else\u{200B}where\nin /work" in page.text("approval-rows")
    page.button("Decline", "#approval-rows").click()
    assert "decline" in asking.result().text


# ---- several keys


def test_turns_of_other_keys_are_counted_as_such(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(
        fake=True, environment={"CODEX_BRIDGE_API_KEY": f"{API_KEY},another-key"}
    )
    page.open(bridge)
    page.sign_in("another-key")
    page.wait_for(lambda: page.text("turns-empty") == "No turn is running.")
    with bridge.open_stream("demo: hang"):
        page.wait_for(lambda: page.text("t-running") == "1")
        assert (
            page.text("turns-empty")
            == "You have no running turn; there is 1 turn of other keys."
        )
        assert page.text("turns-more") == ""
        mine = Background(
            lambda: bridge.request(
                "POST",
                "/v1/chat/completions",
                {"messages": [{"role": "user", "content": "demo: tokens=60 delay=50"}]},
                key="another-key",
            )
        )
        page.wait_for(lambda: rows(page, "turn-rows"))
        assert page.text("turns-more") == "1 turn of other keys"
        assert page.text("t-running") == "2"
        assert mine.result().status == 200


# ---- sessions


def test_sessions_are_listed_searched_and_forgotten(demo: Bridge, page: Page) -> None:
    for name in ("Garden plans", "tax/2026 & co", "garden tools"):
        assert demo.chat("demo: say=ok", session_id=name).status == 200
    page.open_signed_in(demo)
    page.wait_for(lambda: len(rows(page, "session-rows")) >= 3)
    search = page.id("search")
    assert search.accessible_name == "Search sessions"
    search.send_keys("GARDEN")
    page.wait_for(lambda: page.text("sessions-count") == "2 matches")
    assert len(rows(page, "session-rows")) == 2
    search.clear()
    search.send_keys("2026 & c")
    page.wait_for(lambda: page.text("sessions-count") == "1 match")
    page.button("Forget session tax/2026 & co", "#session-rows").click()
    page.wait_for(lambda: page.is_shown("forget"))
    assert page.text("forget-id") == "tax/2026 & co"
    # The harmless answer has the focus, and Escape means it too.
    assert page.focused().get_attribute("id") == "forget-no"
    page.press(Keys.ESCAPE)
    page.wait_for(lambda: not page.is_shown("forget"))
    assert len(rows(page, "session-rows")) == 1
    page.button("Forget session tax/2026 & co", "#session-rows").click()
    page.button("Forget", "#forget").click()
    page.wait_for(
        lambda: page.text("sessions-empty") == "No session's id contains this."
    )
    known = [entry["id"] for entry in demo.request("GET", "/v1/sessions").json["data"]]
    assert "tax/2026 & co" not in known
    assert "garden tools" in known


def test_hostile_names_are_text(demo: Bridge, page: Page) -> None:
    assert demo.chat("demo: say=ok", session_id=HOSTILE).status == 200
    assert demo.chat("hi", model=HOSTILE).status == 404
    page.open_signed_in(demo)
    page.wait_for(lambda: any(HOSTILE in row for row in rows(page, "session-rows")))
    page.wait_for(lambda: any(HOSTILE in row for row in rows(page, "error-rows")))
    with demo.open_stream("demo: tokens=100 delay=50", session_id=HOSTILE):
        page.wait_for(
            lambda: (
                HOSTILE in rows(page, "turn-rows")[0]
                if rows(page, "turn-rows")
                else False
            )
        )
    page.button(f"Forget session {HOSTILE}", "#session-rows").click()
    assert page.text("forget-id") == HOSTILE
    assert page.script("return window.pwned") is None
    assert page.all("#app img, #app script") == []
    page.button("Forget", "#forget").click()
    page.wait_for(lambda: not any(HOSTILE in row for row in rows(page, "session-rows")))


# ---- connecting a client

OPENWEBUI_HEADERS = (
    '{"X-Session-Id": "{{CHAT_ID}}", "X-Bridge-Parent": "{{USER_MESSAGE_PARENT_ID}}", '
    '"X-Bridge-Task": "{{TASK}}"}'
)


def test_clients_get_settings_to_paste(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    page.wait_for(lambda: "gpt-5.5" in page.text("model"))
    names = page.texts("#tabs button")
    assert names == [
        "OpenWebUI",
        "Cherry Studio",
        "curl",
        "Python",
        "Node",
        "LangChain",
    ]
    assert OPENWEBUI_HEADERS in page.texts("#panel code")
    assert demo.url in page.texts("#panel code")
    page.script("arguments[0].focus()", page.all("#tabs button")[0])
    for name in names[1:]:
        page.press(Keys.ARROW_RIGHT)
        assert page.focused().text == name
        assert page.focused().get_attribute("aria-selected") == "true"
        panel = page.text("panel")
        assert "YOUR_KEY" in panel
        assert API_KEY not in panel
        assert demo.base_url in panel
        assert page.all("#panel button")
    page.press(Keys.HOME)
    assert page.focused().text == "OpenWebUI"


def test_the_pasted_settings_work(demo: Bridge, page: Page) -> None:
    """What the page offers for curl and Python is run as it is, with the key put in."""
    page.open_signed_in(demo)
    page.wait_for(lambda: page.id("model").get_attribute("value"))
    commands = {}
    for tab, index in (("curl", 0), ("Python", 1)):
        page.button(tab, "#tabs").click()
        commands[tab] = page.texts("#panel code")[index].replace("YOUR_KEY", API_KEY)
    curl = subprocess.run(
        ["sh", "-c", commands["curl"]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "data: [DONE]" in curl.stdout
    python = subprocess.run(
        [sys.executable, "-c", commands["Python"]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert python.returncode == 0, python.stderr
    assert "Who are you?" in python.stdout


def test_copying(demo: Bridge, page: Page) -> None:
    page.command(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    page.open_signed_in(demo)
    page.button("Copy Headers", "#panel").click()
    page.wait_for(lambda: page.button("Copy Headers", "#panel").text == "Copied")
    copied = page.script("return navigator.clipboard.readText()")
    assert copied == OPENWEBUI_HEADERS


# ---- the engine, the connection


CHATGPT = """#!{python}
import sys, time
sys.path.insert(0, {support!r})
import fake_codex

def limits(self):
    now = int(time.time())
    return {{"rateLimits": {{"limitId": "codex", "planType": "plus", "credits": None,
        "primary": {{"usedPercent": 82, "windowDurationMins": 300, "resetsAt": now + 5000}},
        "secondary": {{"usedPercent": 37, "windowDurationMins": 10080, "resetsAt": now + 300000}}}}}}

def account(self, params):
    return {{"account": {{"type": "chatgpt", "email": "someone@example.com", "planType": "plus"}},
        "requiresOpenaiAuth": True}}

kind = next(value for value in vars(fake_codex).values() if hasattr(value, "rate_limits"))
kind.rate_limits = limits
kind.account_read = account
kind.account_rate_limits_read = lambda self, params: self.rate_limits()
sys.argv[0] = "codex"
sys.exit(fake_codex.main())
"""


@pytest.fixture
def plan_bridge(tmp_path: Path, start_bridge: StartBridge) -> Bridge:
    """A bridge whose (fake) engine is logged in with a ChatGPT plan."""
    program = tmp_path / "codex"
    program.write_text(
        CHATGPT.format(python=sys.executable, support=str(FAKE_CODEX.parent))
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return start_bridge(
        fake=True,
        environment={
            "CODEX_BIN": str(program),
            "CODEX_APPROVAL_POLICY": "on-request",
            "CODEX_APPROVAL_WAIT": "60s",
        },
    )


def test_plan_and_limits_are_shown_and_the_address_is_not(
    plan_bridge: Bridge, page: Page
) -> None:
    page.open_signed_in(plan_bridge)
    page.wait_for(lambda: len(page.texts("#limit-rows > li")) == 2)
    assert page.text("e-login") == "ChatGPT"
    assert page.text("e-plan") == "Plus"
    first, second = page.texts("#limit-rows > li")
    assert first.startswith("5-hour limit\n82 % used\nresets in 1 h 2")
    assert second.startswith("Weekly limit\n37 % used\nresets in 3 d 11 h")
    meter = page.all("#limit-rows [role=meter]")[0]
    assert meter.get_attribute("aria-valuenow") == "82"
    assert b"example.com" not in plan_bridge.request("GET", "/api/dashboard").body


def test_an_engine_without_login_says_what_to_do(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge)
    bridge.set_fake_options("not-logged-in")
    bridge.chat("demo: kill tokens=2")
    page.wait_for(lambda: page.text("state") == "Not logged in")
    assert "fake_codex.py login" in page.text("trouble-text")
    assert page.text("e-restarts") == "1"
    assert any("codex_crashed" in row for row in rows(page, "error-rows"))


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


def test_many_sessions_stay_bounded(start_bridge: StartBridge, page: Page) -> None:
    bridge = start_bridge(fake=True)
    bridge.stop()
    sessions = ",".join(f'"s{number:05}":"t{number}"' for number in range(20_000))
    (bridge.state / ".codex_threads.json").write_text('{"sessions":{' + sessions + "}}")
    bridge.start()
    page.open_signed_in(bridge)
    page.wait_for(lambda: page.text("sessions-count") == "50 of 20,000")
    assert len(page.all("#session-rows > li")) == 50
    page.id("search").send_keys("s1999")
    page.wait_for(lambda: page.text("sessions-count") == "10 matches")


# ---- looks


def fill(bridge: Bridge) -> None:
    """Something to look at."""
    names = [
        "research notes 2026",
        "0192f7c4-8d1b-7e55-9a53-5d0c9a2a7f10",
        "kitchen renovation",
        "a-very-long-conversation-id-" + "x" * 90,
    ]
    for index, name in enumerate(names):
        for _ in range(index + 1):
            bridge.chat(
                "demo: tokens=30 delay=0 usage=1200,300,450,60", session_id=name
            )
    bridge.chat("hi", model="gpt-unknown")
    bridge.chat("demo: fail=usageLimitExceeded message=You_have_reached_your_limit.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks(plan_bridge: Bridge, page: Page, screenshots: Path, scheme: str) -> None:
    fill(plan_bridge)
    page.scheme(scheme)
    page.open(plan_bridge)
    for width in (1280, 390):
        page.size(width)
        page.screenshot(screenshots / f"gate-{scheme}-{width}.png")
        assert page.overflow() == []
    page.size(1280)
    page.sign_in()
    page.wait_for(lambda: page.text("state") == "Ready")
    asking = Background(
        lambda: plan_bridge.chat("demo: approval", session_id="kitchen renovation")
    )
    with (
        plan_bridge.open_stream(
            "demo: tokens=4000 delay=50", session_id="research notes 2026"
        ),
        plan_bridge.open_stream("demo: hang"),
    ):
        page.wait_for(
            lambda: len(rows(page, "turn-rows")) == 3 and page.is_shown("approvals")
        )
        page.wait_for(lambda: page.id("model").get_attribute("value"))
        for width in (1280, 390):
            page.size(width)
            assert page.script("return innerWidth") == width
            assert page.overflow() == []
            page.screenshot(screenshots / f"dashboard-{scheme}-{width}.png")
            page.size(width)
            for tab in page.all("#tabs button"):
                tab.click()
                assert page.overflow() == [], tab.text
            page.all("#tabs button")[0].click()
        ground = page.script("return getComputedStyle(document.body).backgroundColor")
        assert (
            ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 18, 23)"}[scheme]
        )
        assert low_contrast(page) == []
        page.button("Decline", "#approval-rows").click()
    asking.result()


@pytest.mark.parametrize("width", [320, 560, 768, 1000])
def test_no_overflow_in_between(plan_bridge: Bridge, page: Page, width: int) -> None:
    fill(plan_bridge)
    page.open_signed_in(plan_bridge)
    page.size(width)
    page.wait_for(lambda: rows(page, "session-rows"))
    assert page.overflow() == []


def low_contrast(page: Page) -> list[str]:
    """Texts whose contrast with their ground is below 4.5 (WCAG 2.2, 1.4.3)."""
    return list(
        page.script("""
        const parse = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (c) => [0, 1, 2].map((i) => c[i] / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (node) => {
          for (let n = node; n; n = n.parentElement) {
            const c = parse(getComputedStyle(n).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c;
          }
          return [255, 255, 255];
        };
        const found = [];
        for (const node of document.querySelectorAll("#app *")) {
          const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
          if (!own || !node.checkVisibility() || node.closest(":disabled, .unseen")) continue;
          const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
          const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.textContent.slice(0, 40)}`);
        }
        return found;
        """)
    )


def test_everything_is_reached_with_the_keyboard(
    plan_bridge: Bridge, page: Page
) -> None:
    fill(plan_bridge)
    page.open_signed_in(plan_bridge)
    page.wait_for(lambda: page.id("model").get_attribute("value"))
    page.script("document.activeElement.blur()")
    reached = []
    for _ in range(60):
        page.press(Keys.TAB)
        focused = page.focused()
        if focused.tag_name == "body":
            break
        name = focused.accessible_name
        assert name, focused.get_attribute("outerHTML")
        outline = focused.value_of_css_property("outline-style")
        assert outline == "solid", f"the focus on {name} is not visible"
        reached.append(name)
    for wanted in (
        "Sign out",
        "Search sessions",
        "Model",
        "OpenWebUI",
        "Copy URL",
        "Copy Headers",
    ):
        assert wanted in reached
    forget = [name for name in reached if name.startswith("Forget session")]
    assert len(forget) == 4
    unnamed = page.script(
        "return [...document.querySelectorAll('button, input:not([hidden]), select')]"
        ".filter((n) => !n.textContent.trim() && !n.labels?.length && !n.getAttribute('aria-label')).length"
    )
    assert unnamed == 0


def test_reduced_motion_is_respected(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo)
    for reduced, names in ((True, {"none"}), (False, {"pulse"})):
        page.scheme("light", reduced_motion=reduced)
        with demo.open_stream("demo: first=20000 tokens=1"):
            page.wait_for(lambda: rows(page, "turn-rows"))
            found = page.script(
                "return getComputedStyle(document.querySelector('.doing .dot')).animationName"
            )
            assert {found} == names
        page.wait_for(lambda: page.is_shown("turns-empty"))
