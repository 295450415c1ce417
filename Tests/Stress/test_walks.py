"""Conversations that wander: messages that are changed, answers that are asked for again, branches, requests that are sent
again, clients that leave, kill -9. The model is shown what the person sees: nothing doubled, lost or crossed. With the real
Codex."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from conftest import Report
from harness import Answer, Bridge, Json, RawStream
from recording_model import RecordingModel, runs, said, says

StartBridge = Callable[..., Bridge]

MODEL = "gpt-5.5"
KEYS = ["first-key-0123456789", "other-key-0123456789"]
AT_ONCE = 6
STEPS = 7
# Chats that begin with it look alike.
GREETING = "hi"
KILL_SHARE = 0.01


class Mind:
    """The model: a number in each answer, so that no two are alike but those to a greeting."""

    def __init__(self) -> None:
        self.numbers = itertools.count()

    def __call__(self, request: Json) -> list[Json]:
        shown = said(request)
        last = shown[-1]
        if last.startswith("user: run "):
            return [runs("echo ran", f"call-{next(self.numbers)}")]
        if last == f"user: {GREETING}":
            return [says("Hello!")]
        return [says(f"answer {next(self.numbers)}")]


@dataclass
class Chat:
    """A person at a front end, which sends what it shows."""

    number: int
    name: str | None
    key: str
    messages: list[Json] = field(default_factory=list)
    branches: list[list[Json]] = field(default_factory=list)
    written: int = 0

    def write(self, random: random.Random) -> None:
        self.written += 1
        text = f"{self.number}.{self.written}"
        if not self.messages and random.random() < 0.3:
            text = GREETING
        elif random.random() < 0.15:
            text = f"run {text}"
        self.messages.append({"role": "user", "content": text})

    def change(self, random: random.Random) -> None:
        """An earlier message, and what followed it is another branch."""
        self.keep()
        asked = [i for i, one in enumerate(self.messages) if one["role"] == "user"]
        del self.messages[random.choice(asked) :]
        self.write(random)

    def keep(self) -> None:
        self.branches.append(list(self.messages))

    def body(self, **fields: object) -> Json:
        body: Json = {"model": MODEL, "messages": self.messages, **fields}
        return body if self.name is None else {**body, "session_id": self.name}

    def shown(self) -> list[str]:
        return [f"{one['role']}: {one['content']}" for one in self.messages]


class World:
    def __init__(
        self, start_bridge: StartBridge, model: RecordingModel, seed: int, walks: int
    ) -> None:
        self.random = random.Random(seed)
        # So that clients leave while it thinks, too.
        model.pause = 0.05
        self.model = model
        self.start_bridge = start_bridge
        self.bridge = self.start()
        self.left = walks
        self.chats: list[Chat] = []
        self.kills = 0
        self.joined = 0
        self.outputs = 0
        self.lost = 0

    def start(self, again: Bridge | None = None) -> Bridge:
        return self.start_bridge(
            model=self.model.base_url,
            environment={"CODEX_BRIDGE_API_KEY": ",".join(KEYS)},
            again=again,
        )

    def kill(self) -> None:
        self.kills += 1
        self.bridge.kill()
        self.bridge = self.start(self.bridge)

    def post(self, chat: Chat, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {chat.key}", **headers}
        if len(chat.messages) == 1:
            # A session cannot tell its first message sent again from one more.
            sent["x-bridge-parent"] = ""
        return self.bridge.request(
            "POST", "/v1/chat/completions", chat.body(), headers=sent
        )

    def run(self) -> None:
        while self.left or self.chats:
            while self.left and len(self.chats) < AT_ONCE:
                self.left -= 1
                number = self.left
                name = f"chat-{number}" if self.random.random() < 0.5 else None
                self.chats.append(Chat(number, name, self.random.choice(KEYS)))
            chat = self.random.choice(self.chats)
            self.step(chat)
            if chat.written >= STEPS:
                self.chats.remove(chat)

    def step(self, chat: Chat) -> None:
        """What a person does, and what the model is shown of it."""
        choice = self.random.random()
        if not chat.messages or choice < 0.4:
            chat.write(self.random)
        elif choice < 0.6:
            chat.keep()
            chat.messages.pop()
            chat.written += 1
        elif choice < 0.75:
            chat.change(self.random)
        elif choice < 0.85 and chat.branches:
            chat.keep()
            chat.messages = list(self.random.choice(chat.branches))
            chat.write(self.random)
        else:
            chat.write(self.random)
            self.leave(chat)
        self.ask(chat)

    def leave(self, chat: Chat) -> None:
        """Its client closes the connection at some time, or the bridge is killed meanwhile."""
        body = chat.body(stream=True)
        with suppress(OSError), RawStream(self.bridge.address, body, key=chat.key):
            time.sleep(self.random.uniform(0, 0.3))
        if self.random.random() < KILL_SHARE * 10:
            self.kill()

    def ask(self, chat: Chat) -> None:
        if self.random.random() < KILL_SHARE:
            asked = threading.Thread(target=self.ask_in_vain, args=(chat,))
            asked.start()
            time.sleep(self.random.uniform(0, 0.3))
            self.kill()
            asked.join()
        seen = len(self.model.requests)
        answer = self.post(chat, **{"x-stainless-retry-count": "0"})
        assert answer.status == 200, answer.body
        self.check(chat, seen, answer)
        if self.random.random() < 0.1:
            self.repeat(chat, answer)
        content = answer.json["choices"][0]["message"]["content"]
        chat.messages.append({"role": "assistant", "content": content})

    def ask_in_vain(self, chat: Chat) -> None:
        with suppress(OSError):
            self.post(chat)

    def check(self, chat: Chat, seen: int, answer: Answer) -> None:
        requests = self.model.requests[seen:]
        assert requests, "the model was not asked"
        given = said(requests[-1])
        shown = [one for one in given if not one.startswith("output: ")]
        headers = {name.lower(): value for name, value in answer.headers.items()}
        assert shown == chat.shown(), (chat, headers)
        # What the agent has run stands once behind the message that had it run.
        for before, one in itertools.pairwise(given):
            if one.startswith("output: "):
                assert before.startswith("user: run "), (given, headers)
                self.outputs += 1
            elif before.startswith("user: run "):
                # A conversation without a name is not remembered over a kill.
                assert chat.name is None and self.kills, (given, headers)
                self.lost += 1

    def repeat(self, chat: Chat, answer: Answer) -> None:
        """What an SDK sends again has been answered already."""
        self.joined += 1
        seen = len(self.model.requests)
        again = self.post(chat, **{"x-stainless-retry-count": "1"})
        assert again.json["choices"] == answer.json["choices"]
        assert len(self.model.requests) == seen


@pytest.mark.timeout(7200)
def test_conversations_that_wander(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    full: bool,
    report: Report,
) -> None:
    walks = 1_000 if full else 10
    recording_model.mind = Mind()
    seed = random.randrange(1 << 30)
    world = World(start_bridge, recording_model, seed, walks)
    try:
        world.run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}") from error
    report(
        f"{walks} walks, {len(recording_model.requests)} requests at the model, {world.kills} kills, "
        f"{world.joined} sent again, {world.outputs} outputs of commands kept, {world.lost} lost"
    )
