"""A client that sends its whole conversation each time. No test cases here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import API_KEY, Answer, Bridge, Json

StartBridge = Callable[..., Bridge]

MODEL = "gpt-5.5"
NAMED = {"session_id": "s1"}
# Whether the client names its conversation.
EITHER = pytest.mark.parametrize("name", [NAMED, {}], ids=["named", "unnamed"])


class Chat:
    """A client that sends the whole conversation each time, as its person sees it."""

    def __init__(self, bridge: Bridge, **fields: Any) -> None:
        self.bridge = bridge
        self.fields = fields
        self.messages: list[Json] = []
        self.state = ""
        self.session = ""
        self.key = API_KEY

    def ask(self, text: str, **fields: Any) -> str:
        self.messages.append({"role": "user", "content": text})
        return self.again(**fields)

    def again(self, **fields: Any) -> str:
        """Has the end of the conversation answered."""
        answer = self.post(**fields)
        assert answer.status == 200, answer.body
        headers = {key.lower(): value for key, value in answer.headers.items()}
        self.state = headers.get("x-bridge-session-state", "")
        self.session = headers.get("x-bridge-session", "")
        message = answer.json["choices"][0]["message"]
        self.messages.append({"role": "assistant", "content": message["content"]})
        return str(message["content"])

    def post(self, **fields: Any) -> Answer:
        body = {"model": MODEL, "messages": self.messages, **self.fields, **fields}
        return self.bridge.request("POST", "/v1/chat/completions", body, key=self.key)

    def branch(self) -> Chat:
        other = Chat(self.bridge, **self.fields)
        other.key = self.key
        other.messages = list(self.messages)
        return other
