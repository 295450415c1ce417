"""OpenWebUI: its process, and its page in the words of its user. No test cases here."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from harness import eventually

# The first start makes the database and compiles some thousand files.
START_SECONDS = 300.0
# Generous: the page, OpenWebUI, the bridge and Codex share the machine's few cores.
PAGE_SECONDS = 60.0

# Typed text gets typographic quotation marks in the page's editor, pasted text does not.
PASTE = """
const data = new DataTransfer();
data.setData("text/plain", arguments[1]);
arguments[0].dispatchEvent(
  new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
"""
# In one call: the settings have hundreds of buttons.
VISIBLE = "return [...document.querySelectorAll(arguments[0])].filter((found) => found.checkVisibility())"
THOUGHT = re.compile(r"^(Thought|Thinking)[^\n]*\n")
MODELS = "#model-selector-model-button"
# Those of the chat, in their order.
MESSAGES = "[id^=message-]:has(.chat-user, .chat-assistant)"
# What can be opened in answers: calls, and thoughts.
FOLDED = ".chat-assistant [role=button], .chat-assistant button[aria-expanded]"
CENTER = "arguments[0].scrollIntoView({block: 'center'})"
# Keeps what is shown of the last answer, each time it has changed.
WATCH_ANSWERS = """
window.seenAnswers = [];
new MutationObserver(() => {
  const answers = document.querySelectorAll(".chat-assistant");
  const text = answers.length ? answers[answers.length - 1].innerText : "";
  if (text !== seenAnswers[seenAnswers.length - 1]) seenAnswers.push(text);
}).observe(document.body, {childList: true, subtree: true, characterData: true});
"""


class OpenWebUI:
    """One running OpenWebUI with a data directory of its own."""

    def __init__(self, root: Path, environment: dict[str, str] | None = None) -> None:
        self.root = root
        self.environment = environment or {}
        self.base_url = ""
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> OpenWebUI:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        data = self.root / "data"
        data.mkdir(parents=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "DATA_DIR": str(data),
            # The one setting: otherwise it fetches an embedding model before it listens.
            "OFFLINE_MODE": "true",
            **self.environment,
        }
        command = [os.environ["OPENWEBUI_BIN"], "serve"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self.process.poll() is None, f"OpenWebUI ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"OpenWebUI is late:\n{self.log()}"
            time.sleep(0.2)
        return self

    def _listens(self) -> bool:
        try:
            with urllib.request.urlopen(self.base_url + "/health", timeout=5):
                return True
        except OSError:
            return False

    @property
    def log_file(self) -> Path:
        return self.root / "openwebui.log"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")[-8000:]

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def api(self, path: str, body: Any = None) -> Any:
        """What its own page would ask for."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


class WebPage:
    """A tab of Chromium with OpenWebUI in it."""

    def __init__(self, browser: webdriver.Chrome, webui: OpenWebUI) -> None:
        self.browser = browser
        self.webui = webui
        browser.set_window_size(1280, 1000)

    # -- looking

    def all(self, selector: str) -> list[WebElement]:
        """The visible ones."""
        return list(self.browser.execute_script(VISIBLE, selector))

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """The first value of `condition()` that counts as true."""
        found: list[Any] = []

        def holds() -> bool:
            # The page replaces its elements while it is looked at.
            try:
                found[:] = [condition()]
            except (StaleElementReferenceException, IndexError):
                return False
            return bool(found[0])

        if not eventually(holds, PAGE_SECONDS):
            body = self.browser.find_element(By.TAG_NAME, "body").text
            raise AssertionError(
                f"did not come about; the page says:\n{body[:4000]}\n{self.webui.log()}"
            )
        return found[0]

    def one(self, selector: str) -> WebElement:
        return self.wait_for(lambda: self.all(selector)[0])

    def named(self, name: str, selector: str = "button") -> WebElement:
        """The last visible element with this name: a dialog comes after what it covers."""
        return self.wait_for(
            lambda: next(
                (
                    element
                    for element in reversed(self.all(selector))
                    if name == element.text or name == element.accessible_name
                ),
                None,
            )
        )

    def click(self, name: str, selector: str = "button") -> None:
        def clicked() -> bool:
            self.named(name, selector).click()
            return True

        self.wait_for(clicked)

    # -- settings

    def sign_up(self) -> None:
        self.browser.get(self.webui.base_url)
        self.click("Get started")
        self.one("#name").send_keys("Ada")
        self.one("#email").send_keys("ada@example.com")
        self.one("#password").send_keys("a secret of Ada's", Keys.ENTER)
        self.click("Okay, Let's Go!")
        self.webui.token = self.browser.execute_script("return localStorage.token")

    def add_connection(self, url: str, key: str, api_type: str = "") -> None:
        """`api_type` is one of the names in `set_api_type`, or empty for what OpenWebUI takes."""
        self.open("/admin/settings/connections")
        # The first of the two: that of OpenAI's API stands above Ollama's.
        self.one("button[aria-label='Add Connection']").click()
        self.one("#url-input").send_keys(url)
        self.one("input[placeholder='API Key']").send_keys(key)
        if api_type:
            self.choose_api_type(api_type)
        self.save("OpenAI API settings updated")

    def configure(self, url: str) -> None:
        """Opens the dialog of the connection to `url`."""
        self.open("/admin/settings/connections")
        fields = self.wait_for(lambda: self.all("input[placeholder='API Base URL']"))
        place = [field.get_attribute("value") for field in fields].index(url)
        self.wait_for(lambda: self.all("button[aria-label='Configure']")[place]).click()

    def set_headers(self, url: str, headers: str) -> None:
        """Of the connection to `url`."""
        self.configure(url)
        self.click("Advanced")
        field = self.one("textarea[placeholder^='Enter additional headers']")
        field.clear()
        field.send_keys(headers)
        self.save("OpenAI API settings updated")

    def set_api_type(self, url: str, api_type: str) -> None:
        """Of the connection to `url`: `Chat Completions`, as it is at first, or `Responses`, which is experimental."""
        self.configure(url)
        self.choose_api_type(api_type)
        self.save("OpenAI API settings updated")

    def choose_api_type(self, api_type: str) -> None:
        """In the open dialog of a connection. Each click turns to the other one."""
        while (button := self.named("API Type")).text != api_type:
            button.click()

    def set_function_calling(self, value: str) -> None:
        """For all models: `Default`, `Native` or `Legacy`."""
        self.open("/admin/settings/models")
        self.click("Model Defaults")
        self.click("Model Parameters")
        while (button := self.function_calling()).text != value:
            button.click()
        self.save("Models configuration saved successfully")

    def function_calling(self) -> WebElement:
        return self.wait_for(
            lambda: next(
                (
                    button
                    for button in self.all("button")
                    if button.text in ("Default", "Native", "Legacy")
                    and button.accessible_name.startswith("Function Calling")
                ),
                None,
            )
        )

    def save(self, told: str) -> None:
        self.click("Save")
        self.wait_for(lambda: told in self.texts("[data-sonner-toast]"))

    # -- chats

    def open(self, path: str) -> None:
        self.browser.get(self.webui.base_url + path)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def new_chat(self, model: str, *, temporary: bool = False) -> None:
        """An empty chat with the model of that name, of a user who has never seen another page of it."""
        self.open("/?temporary-chat=true" if temporary else "/")
        self.one(MODELS).click()
        # The models of the last chat are offered again.
        if self.compares():
            self.click("Compare")
        self.click(model, "[role=option]")
        self.wait_for(lambda: self.one(MODELS).accessible_name.endswith(": " + model))
        self.browser.execute_script(WATCH_ANSWERS)

    def add_model(self, model: str) -> None:
        """Has each message of the chat answered by this model too."""
        self.one(MODELS).click()
        if not self.compares():
            self.click("Compare")
        self.click(model, "[role=option]")
        self.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.wait_for(lambda: "+" in self.one(MODELS).accessible_name)

    def compares(self) -> bool:
        """Of the open list of models: whether several can be chosen."""
        return self.named("Compare").get_attribute("aria-pressed") == "true"

    def choose_tool(self, name: str) -> None:
        """Ticks a tool in the menu below the message."""
        self.one("#integration-menu-button").click()
        self.wait_for(
            lambda: next(
                (
                    item
                    for item in self.all("[role=menuitem]")
                    if item.text.startswith("Tools")
                ),
                None,
            )
        ).click()
        self.click(name, "[role=menuitemcheckbox]")
        self.browser.switch_to.active_element.send_keys(Keys.ESCAPE)

    def send(self, text: str) -> None:
        field = self.one("#chat-input")
        field.click()
        self.browser.execute_script(PASTE, field, text)
        self.wait_for(lambda: field.text.strip())
        field.send_keys(Keys.ENTER)

    def attach(self, file: Path) -> None:
        """Adds a file to the next message, and waits until OpenWebUI has read it."""
        field = self.browser.find_element(By.CSS_SELECTOR, "input[type=file][multiple]")
        field.send_keys(str(file))
        # The name has the size behind it from then on.
        told = re.compile(rf"{re.escape(file.name)}\n[\d.]+ ")
        self.wait_for(
            lambda: any(map(told.match, self.texts("#message-input-container button")))
        )

    def attach_image(self, file: Path) -> None:
        """Adds an image to the next message, and waits until it is shown there."""
        field = self.browser.find_element(By.CSS_SELECTOR, "input[type=file][multiple]")
        field.send_keys(str(file))
        self.one("#message-input-container img")

    def edit(self, number: int, text: str) -> None:
        """Changes the person's message of this number, and has it answered."""
        button = self.all(".edit-user-message-button")[number - 1]
        # It can be clicked only once the pointer is on the message.
        message = self.all(".user-message")[number - 1]
        pointer = ActionChains(self.browser).move_to_element(message)
        pointer.move_to_element(button).click().perform()
        field = self.one("textarea[id^=message-edit-]")
        field.clear()
        field.send_keys(text)
        self.one("#confirm-edit-message-button").click()

    def regenerate(self) -> None:
        """Has the last message answered once more."""
        self.wait_for(lambda: self.all("button[aria-label=Regenerate]"))[-1].click()
        self.click("Try Again")

    def turn_to(self, which: str, number: int) -> None:
        """Shows the `Previous` or `Next` version of the message of this number, with the answers counted."""

        def turned() -> bool:
            message = self.all(MESSAGES)[number - 1]
            button = message.find_element(
                By.CSS_SELECTOR, f"button[aria-label='{which} message']"
            )
            # The page's head may cover it.
            self.browser.execute_script(CENTER, button)
            button.click()
            return True

        before = self.conversation()
        self.wait_for(turned)
        self.wait_for(lambda: self.conversation() != before)

    def stop(self) -> None:
        """Stops the answer that comes."""
        self.click("Stop")
        self.wait_for(lambda: not self.all("button[aria-label=Stop]"))

    def continue_answer(self) -> None:
        self.one("#continue-response-button").click()

    def conversation(self) -> list[str]:
        """What is shown of the chat, as `user: …` and `assistant: …`, without what stands around answers and the line that
        the agent's thoughts are folded to."""
        shown = self.all(".chat-user .markdown-prose, #response-content-container")
        who = {"": "user", "response-content-container": "assistant"}
        return [f"{who[text.get_attribute('id') or '']}: {THOUGHT.sub('', text.text)}" for text in shown]

    def answers(self) -> list[str]:
        """What is shown of each answer of the chat, calls of tools included."""
        return self.texts(".chat-assistant")

    def wait_for_answer(self, end: str, number: int = 1) -> str:
        """The answer of this number, once `end` is shown in it."""
        self.wait_for(
            lambda: len(self.answers()) == number and end in self.answers()[-1]
        )
        return self.answers()[-1]

    def seen_answers(self) -> list[str]:
        """All that was shown of the last answer since the chat was opened, in order."""
        return list(self.browser.execute_script("return window.seenAnswers"))

    def unfold(self, name: str) -> str:
        """Opens the call, the group of calls, or the thoughts with this name; returns the answer as it is then."""

        def folded() -> list[WebElement]:
            return [
                found
                for found in self.all(FOLDED)
                if found.text.startswith(name)
            ]

        before = self.answers()[-1]
        self.wait_for(folded)[-1].click()
        self.wait_for(lambda: self.answers()[-1] != before)
        return self.answers()[-1]

    @property
    def chat(self) -> Any:
        """The chat of the page as OpenWebUI keeps it."""
        identifier = self.wait_for(lambda: self.browser.current_url.partition("/c/")[2])
        return self.webui.api(f"/api/v1/chats/{identifier}")

    def kept_answers(self) -> list[Any]:
        """The messages that OpenWebUI keeps of the model, in the order in which they came."""
        messages = self.chat["chat"]["history"]["messages"].values()
        return [message for message in messages if message["role"] == "assistant"]
