"""Settings to paste into clients: they work as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from page import Page
from selenium.webdriver.common.keys import Keys

from harness import API_KEY, Bridge

StartBridge = Callable[..., Bridge]

OPENWEBUI_HEADERS = (
    '{"X-Session-Id": "{{CHAT_ID}}", "X-Bridge-Parent": "{{USER_MESSAGE_PARENT_ID}}", '
    '"X-Bridge-Task": "{{TASK}}"}'
)


CLIENTS = [
    "OpenWebUI",
    "Cherry Studio",
    "LobeChat",
    "Cline",
    "curl",
    "Python",
    "Node",
    "LangChain",
    "llm",
    "Codex",
]


def test_clients_get_settings_to_paste(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "connect")
    page.wait_for(lambda: "gpt-5.5" in page.text("model"))
    assert page.texts("#tabs button") == CLIENTS
    assert OPENWEBUI_HEADERS in page.texts("#panel code")
    assert demo.url in page.texts("#panel code")
    page.script("arguments[0].focus()", page.all("#tabs button")[0])
    for name in CLIENTS[1:]:
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


def test_the_key_is_filled_in_on_a_click(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "connect")
    page.button("Show my key").click()
    for name in CLIENTS:
        page.button(name, "#tabs").click()
        assert API_KEY in page.text("panel")
        assert "YOUR_KEY" not in page.text("panel")
    page.button("Hide my key").click()
    assert API_KEY not in page.text("panel")
    # Who comes back finds it hidden.
    page.button("Show my key").click()
    page.go("bridge")
    page.go("connect")
    assert API_KEY not in page.text("panel")


def test_the_pasted_settings_work(demo: Bridge, page: Page) -> None:
    """What the page offers for curl and Python is run as it is, with the key filled in."""
    page.open_signed_in(demo, "connect")
    page.wait_for(lambda: page.id("model").get_attribute("value"))
    page.button("Show my key").click()
    commands = {}
    for tab, index in (("curl", 0), ("Python", 1)):
        page.button(tab, "#tabs").click()
        commands[tab] = page.texts("#panel code")[index]
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


def test_the_default_model_is_preset(demo: Bridge, page: Page) -> None:
    default = demo.chat("demo: say=ok").json["model"]
    page.open_signed_in(demo, "connect")
    page.wait_for(lambda: page.id("model").get_attribute("value") == default)
    page.button("curl", "#tabs").click()
    assert f'"model":"{default}"' in page.text("panel")
    other = next(
        option.text for option in page.all("#model option") if option.text != default
    )
    page.id("model").send_keys(other)
    page.wait_for(lambda: f'"model":"{other}"' in page.text("panel"))


def test_copying(demo: Bridge, page: Page) -> None:
    page.command(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    page.open_signed_in(demo, "connect")
    page.button("Copy Headers", "#panel").click()
    page.wait_for(lambda: page.button("Copy Headers", "#panel").text == "Copied")
    copied = page.script("return navigator.clipboard.readText()")
    assert copied == OPENWEBUI_HEADERS
    # The key is copied as it is, and stays masked.
    page.button("Copy Key", "#panel").click()
    page.wait_for(
        lambda: page.button("Copy Key", "#panel").text == "Copied with your key"
    )
    assert page.script("return navigator.clipboard.readText()") == API_KEY
    assert API_KEY not in page.text("panel")


def test_it_says_what_was_last_seen_from_a_client(
    start_bridge: StartBridge, page: Page
) -> None:
    bridge = start_bridge(fake=True)
    page.open_signed_in(bridge, "connect")
    page.button("curl", "#tabs").click()
    page.wait_for(lambda: "No request of curl has come" in page.text("client-seen"))
    agent = {"User-Agent": "curl/8.5.0"}
    bridge.chat("demo: tokens=1", headers=agent)
    page.wait_for(
        lambda: (
            page.text("client-seen").startswith("Last seen: ")
            and "Sends no session id" in page.text("client-seen")
        )
    )
    assert page.all(".seen.advice")
    bridge.chat("demo: tokens=1", headers=agent | {"X-Session-Id": "one"})
    page.wait_for(lambda: "Names its conversations in" in page.text("client-seen"))
    assert not page.all(".seen.advice")
    assert len(page.rows("client-rows")) == 1
