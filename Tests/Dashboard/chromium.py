"""Starts Chromium for the suites that look at a page. No test cases here."""

from __future__ import annotations

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def require_chromium() -> None:
    """Fails the run at once if there is no browser to test with."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            raise pytest.UsageError(
                f"{program} is missing: apt-get install chromium chromium-driver"
            )


def start_chromium() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    # Tests run as root in containers, where Chromium's own sandbox and a small /dev/shm do not work.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--lang=en-US",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, Service(str(shutil.which("chromedriver"))))
