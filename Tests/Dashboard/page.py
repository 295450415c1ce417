"""The page in a browser tab, in the words of its user. No test cases here."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from harness import API_KEY, Bridge, eventually

Found = TypeVar("Found")

# Runs before the page's own script in every document of the tab.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
window.addEventListener("error", (event) => violations.push(`error: ${event.message}`));
window.addEventListener("unhandledrejection", (event) => violations.push(`rejection: ${event.reason}`));
"""


# On a loopback address the page tries the default key once, without a word; the test bridges have another.
DEFAULT_KEY_REFUSED = ("/v1/models", "status of 401")


class Page:
    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser
        # Texts of console messages that the test at hand provokes.
        self.expected: list[str] = []

    def prepare(self) -> None:
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.size(1280)
        self.scheme("light")
        self.languages("en-US,en")
        self.browser.get_log("browser")

    def command(self, name: str, **parameters: Any) -> Any:
        return self.browser.execute_cdp_cmd(name, parameters)

    def size(self, width: int, height: int = 900) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name: str, *, reduced_motion: bool = True) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        if reduced_motion:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.command("Emulation.setEmulatedMedia", media="", features=features)

    def languages(self, names: str) -> None:
        """The languages that the browser prefers, the first one most."""
        agent = self.script("return navigator.userAgent")
        self.command(
            "Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=names
        )

    def open(self, bridge: Bridge, view: str = "", path: str = "/dashboard") -> None:
        """Opens the page until it asks for the key, or shows the view."""
        self.browser.get(bridge.base_url + path + (f"#/{view}" if view else ""))
        self.wait_for(lambda: self.is_shown("gate") or self.is_shown("app"))

    def go(self, view: str) -> None:
        """Follows the link of the rail."""
        self.id(f"nav-{view}").click()
        self.wait_for(lambda: self.is_shown(f"view-{view}"))

    def sign_in(self, key: str = API_KEY) -> None:
        field = self.id("gate-key")
        field.clear()
        field.send_keys(key, Keys.ENTER)

    def open_signed_in(
        self, bridge: Bridge, view: str = "", state: str = "Ready"
    ) -> None:
        self.open(bridge, view)
        self.sign_in()
        self.wait_for(lambda: self.text("state") == state)

    def type(self, name: str, text: str) -> None:
        """Puts a text in the place of what is in a field."""
        field = self.id(name)
        field.clear()
        field.send_keys(text)

    # -- looking

    def id(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, name: str) -> str:
        return self.id(name).text

    def steadily(self, look: Callable[[], Found]) -> Found:
        """What `look` finds, which looks once more when the page has replaced its rows meanwhile."""
        for _ in range(20):
            with contextlib.suppress(StaleElementReferenceException):
                return look()
        return look()

    def texts(self, selector: str) -> list[str]:
        """The texts of the visible ones."""

        def look() -> list[str]:
            return [found.text for found in self.all(selector) if found.is_displayed()]

        return self.steadily(look)

    def script(self, body: str, *arguments: object) -> Any:
        return self.browser.execute_script(body, *arguments)

    def is_shown(self, name: str) -> bool:
        return self.id(name).is_displayed()

    def wait_for(self, condition: Callable[[], object], seconds: float = 20) -> None:
        def holds() -> bool:
            try:
                return bool(condition())
            except StaleElementReferenceException:
                return False

        if not eventually(holds, seconds):
            body = self.browser.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"did not come about; the page says:\n{body}")

    def rows(self, list_id: str) -> list[str]:
        """The texts of the visible rows of a list."""
        return self.texts(f"#{list_id} > li")

    def button(self, name: str, within: str = "body") -> WebElement:
        """The visible button with this accessible name."""

        def look() -> dict[WebElement, str]:
            buttons = self.all(f"{within} button")
            return {b: b.accessible_name for b in buttons if b.is_displayed()}

        names = self.steadily(look)
        found = [button for button, its_name in names.items() if its_name == name]
        assert len(found) == 1, (name, list(names.values()))
        return found[0]

    def answer(self, name: str, within: str = "#approval-rows") -> None:
        """Clicks an answer of the first question once that has stood still for long enough."""

        def found() -> list[WebElement]:
            buttons = self.all(f"{within} .decisions button")
            return [b for b in buttons if b.is_displayed() and b.accessible_name == name]

        def is_armed() -> bool:
            buttons = found()
            if not buttons:
                return False
            self.script("arguments[0].scrollIntoView({ block: 'center' })", buttons[0])
            return buttons[0].get_attribute("aria-disabled") is None

        self.wait_for(is_armed)
        self.steadily(lambda: found()[0].click())

    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def overflow(self) -> list[str]:
        """What sticks out of the page to the right."""
        return list(
            self.script("""
            const width = document.documentElement.clientWidth;
            const found = [...document.querySelectorAll("body *")].filter((node) => {
              const box = node.getBoundingClientRect();
              return box.width > 0 && box.right > width + 0.5 && !node.closest(".unseen, .clip, .command");
            }).map((node) => node.outerHTML.slice(0, 120));
            if (document.documentElement.scrollWidth > width) found.push("the page scrolls sideways");
            return found;
            """)
        )

    def screenshot(self, path: Path) -> None:
        """The whole page, also what is below the fold."""
        height = self.script("return document.documentElement.scrollHeight")
        width = self.script("return document.documentElement.clientWidth")
        self.size(width, max(900, height))
        data = self.command("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    # -- judging

    def check_console(self) -> None:
        violations = self.script("return window.violations || []")
        assert not violations
        messages = [entry["message"] for entry in self.browser.get_log("browser")]
        unexpected = [
            message
            for message in messages
            if not any(text in message for text in self.expected)
            and not all(text in message for text in DEFAULT_KEY_REFUSED)
        ]
        assert not unexpected
