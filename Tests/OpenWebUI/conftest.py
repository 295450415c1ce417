"""Fixtures: a bridge with the real Codex and the stand-in model, and an OpenWebUI that knows nothing but its
base URL and key, used in Chromium.

Needs OPENWEBUI_BIN (the program `open-webui`, see requirements.txt), CODEX_BIN, BRIDGED_BIN (default: the debug build),
and `chromium` and `chromedriver` on PATH; without one of them the run fails and says so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "Clients"), str(TESTS / "Dashboard")]

from chromium import require_chromium, start_chromium
from webui import OpenWebUI, WebPage

from harness import API_KEY, Bridge
from programs import require_programs


def pytest_configure(config: pytest.Config) -> None:
    require_programs()
    require_chromium()
    if not os.access(os.environ.get("OPENWEBUI_BIN", ""), os.X_OK):
        raise pytest.UsageError(
            "OPENWEBUI_BIN must name the program open-webui (Tests/run.sh --full sets it)"
        )


@pytest.fixture(scope="session")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    bridge = Bridge(tmp_path_factory.mktemp("demo")).start()
    yield bridge
    bridge.stop()


@pytest.fixture(scope="session")
def webui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWebUI]:
    webui = OpenWebUI(tmp_path_factory.mktemp("openwebui"))
    try:
        yield webui.start()
    finally:
        webui.stop()


@pytest.fixture(scope="session")
def page(bridge: Bridge, webui: OpenWebUI) -> Iterator[WebPage]:
    """Its administrator has signed up and added the connection in the page, and done nothing else."""
    driver = start_chromium()
    try:
        page = WebPage(driver, webui)
        page.sign_up()
        page.add_connection(bridge.url, API_KEY)
        yield page
    finally:
        driver.quit()


@pytest.fixture(params=["GPT-5.5", "GPT-6.1-Sol"])
def model(request: pytest.FixtureRequest) -> str:
    """One of each family: the second calls tools out of a script (code mode)."""
    return str(request.param)
