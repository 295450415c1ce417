"""Fixtures: one Chromium for all tests, a fresh tab and a watchful eye on its console for each.

Needs CODEX_BIN (the real Codex CLI), BRIDGED_BIN (default: the debug build), and `chromium` and
`chromedriver` on PATH; without one of them the run fails and says so. The screenshots go to the
directory DASHBOARD_SCREENSHOTS, or to a temporary one that is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "Clients"), str(TESTS / "Dashboard")]

# The assertions of these two shall say what they found.
pytest.register_assert_rewrite("harness", "page", "scenes")

from chromium import require_chromium, start_chromium
from page import Page
from scenes import plan_program

from harness import Bridge
from programs import require_programs

StartBridge = Callable[..., Bridge]


def pytest_configure(config: pytest.Config) -> None:
    require_programs()
    require_chromium()


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    driver = start_chromium()
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The real Codex with the stand-in model, asking before each command."""
    bridge = Bridge(
        tmp_path_factory.mktemp("demo"),
        environment={"CODEX_APPROVAL_POLICY": "untrusted"},
    ).start()
    yield bridge
    bridge.stop()


@pytest.fixture
def demo(shared_demo: Bridge) -> Bridge:
    shared_demo.revive()
    return shared_demo


@pytest.fixture
def start_bridge(tmp_path: Path) -> Iterator[StartBridge]:
    """Starts bridges of the test's own."""
    started: list[Bridge] = []

    def start(*, wait_ready: bool = True, **options: object) -> Bridge:
        bridge = Bridge(tmp_path / f"bridge-{len(started)}", **options)  # type: ignore[arg-type]
        started.append(bridge)
        return bridge.start(wait_ready=wait_ready)

    yield start
    for bridge in started:
        bridge.stop()


@pytest.fixture
def plan_bridge(tmp_path: Path, start_bridge: StartBridge) -> Bridge:
    """A bridge whose (fake) engine is logged in with a ChatGPT plan, and asks."""
    return start_bridge(
        fake=True,
        environment={
            "CODEX_BIN": str(plan_program(tmp_path)),
            "CODEX_APPROVAL_POLICY": "on-request",
            "CODEX_APPROVAL_WAIT": "60s",
        },
    )


@pytest.fixture
def page(browser: webdriver.Chrome) -> Iterator[Page]:
    """A new tab. Afterwards: nothing on its console, no rule of the policy broken."""
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    tab = Page(browser)
    tab.prepare()
    try:
        yield tab
        tab.check_console()
    finally:
        # What the page keeps in the browser must not decide the next test.
        tab.script("try { localStorage.clear(); } catch {}")
        browser.close()
        browser.switch_to.window(first)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("DASHBOARD_SCREENSHOTS")
    directory = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    print(f"\nscreenshots: {directory}")
    return directory
