"""The chat view of the page in the words of its user. No test cases here."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from page import Page
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from harness import API_KEY, Bridge

OWN_ID = re.compile(r"#/chat/(chat-[a-z0-9]{20})$")


def png(
    width: int = 2,
    height: int = 2,
    pixels: Callable[[int], bytes] = lambda count: b"\xff\0\0" * (count // 3),
) -> bytes:
    """An image, red unless `pixels` gives other bytes for each row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    rows = b"".join(b"\0" + pixels(3 * width) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Chat:
    def __init__(self, page: Page, bridge: Bridge) -> None:
        self.page = page
        self.bridge = bridge

    def open(self, session: str = "") -> Chat:
        """Opens the chat, or the conversation of a session, in a tab that knows the key."""
        self.page.open(self.bridge, "chat/" + quote(session, safe=""))
        if self.page.is_shown("gate"):
            self.page.sign_in(API_KEY)
        self.wait_idle()
        return self

    @property
    def id(self) -> str:
        """The id of the conversation that the page has begun."""
        found = OWN_ID.search(self.page.script("return location.hash"))
        assert found
        return found[1]

    def wait_idle(self) -> None:
        """Until nothing is loaded and no turn of this page runs."""
        self.page.wait_for(
            lambda: (
                self.page.all("#chat-form")
                and self.page.id("chat-form").is_displayed()
                and not self.page.is_shown("chat-stop")
                and not self.page.all(".chat-state[role=status]")
            ),
            60,
        )

    def write(self, text: str) -> WebElement:
        field = self.page.id("chat-text")
        self.page.script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
            field,
            text,
        )
        return field

    def send(self, text: str) -> None:
        self.write(text).send_keys(Keys.ENTER)

    def ask(self, text: str) -> str:
        """Sends a message, and gives what stands in its answer when that has ended."""
        count = len(self.answers())
        self.send(text)
        self.page.wait_for(lambda: len(self.answers()) == count + 1)
        self.wait_idle()
        return self.answers()[-1]

    def answers(self) -> list[str]:
        return self.page.texts(".entry.answer .entry-body")

    def questions(self) -> list[str]:
        return self.page.texts(".entry.question .entry-body")

    def press(self, name: str, selector: str, index: int = -1) -> None:
        """Clicks the button with this accessible name in one of the entries that match."""

        def look() -> WebElement:
            entry = self.page.all(selector)[index]
            for button in entry.find_elements("tag name", "button"):
                if button.accessible_name == name:
                    return button
            raise AssertionError(f"no button {name} in {entry.text}")

        # Buttons below a message are seen when the pointer is over it.
        self.page.steadily(lambda: self.page.script("arguments[0].click()", look()))

    def edit(self, index: int, text: str) -> None:
        """Sends another text in the place of a message."""
        self.press("Edit", ".entry.question", index)
        field = self.page.all(".edit-text")[0]
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text, Keys.ENTER)

    def stop(self) -> None:
        self.page.button("Stop", "#chat-form").click()
        self.wait_idle()

    def decide(self, name: str) -> None:
        """Answers what Codex asks, once the card has stood for long enough to be read."""

        def is_answered() -> bool:
            for button in self.page.all(".chat-asked .decisions button"):
                if button.accessible_name == name:
                    button.click()
            return "4242" in self.page.text("view-chat") and not self.page.all(
                ".chat-asked .decisions"
            )

        self.page.wait_for(is_answered)

    def written(self) -> str:
        return str(self.page.id("chat-text").get_attribute("value"))

    def sees_nothing_of_others(self) -> None:
        """From here on the feed tells the chat nothing, as if what others do came just before a click."""
        self.page.script("views.chat.update = () => {}")

    def paste(self, data: bytes, kind: str, name: str, *, drop: bool = False) -> None:
        """Pastes a file into the message, or drops it there."""
        self.page.script(
            """
            const [text, type, name, isDropped] = arguments;
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type }));
            const about = { clipboardData: carried, dataTransfer: carried, bubbles: true, cancelable: true };
            document.getElementById("chat-text").dispatchEvent(
              isDropped ? new DragEvent("drop", about) : new ClipboardEvent("paste", about));
            """,
            base64.b64encode(data).decode(),
            kind,
            name,
            drop,
        )

    def recorded(self, session: str) -> list[dict[str, Any]]:
        """What the bridge tells of a session."""
        answer = self.bridge.request(
            "GET", f"/v1/sessions/{quote(session, safe='')}/messages"
        )
        return list(answer.json["data"])

    def overflow(self) -> list[str]:
        """What sticks out to the right, but for what scrolls in a box of its own."""
        return list(
            self.page.script(
                """
                const width = document.documentElement.clientWidth;
                const found = [...document.querySelectorAll("#view-chat *")].filter((node) => {
                  const box = node.getBoundingClientRect();
                  return box.width > 0 && box.right > width + 0.5
                    && !node.closest(".clip, .command, .md-code pre, .md-table, .chat-list, .unseen");
                }).map((node) => node.outerHTML.slice(0, 120));
                if (document.documentElement.scrollWidth > width) found.push("the page scrolls sideways");
                return found;
                """
            )
        )


def says(text: str) -> str:
    """A message to the stand-in model that is answered with `text`."""
    return "demo: say=" + json.dumps(text)
