"""Front ends and libraries that send the whole conversation each time and name it nowhere, each as it writes its history: the
next turn has at the model what the agent has done in those before, which the client never saw. With the real Codex."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_openai import ChatOpenAI

from harness import API_KEY, Answer, Bridge, Json, parse_chat_stream
from recording_model import RecordingModel, runs, said, says, thinks

StartBridge = Callable[..., Bridge]

MODEL = "gpt-5.5"
# What the agent does in the first turn, beside what it says.
FIRST = [
    [thinks("I look."), runs("echo ran-$((1+1))", "c1")],
    [thinks("I see."), says("one")],
]
BEGUN = ["user: first", "output: ran-2", "assistant: one"]


def two(text: str) -> list[Json]:
    return [thinks("On it goes."), says(text)]


class FrontEnd:
    """A front end with a chat that its person sees. The subclasses say how it writes that into a request."""

    # Header fields besides the key.
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        # What the person has said, and the answers with their thoughts.
        self.shown: list[Json] = []
        self.state = ""
        self._requests = 0

    def ask(self, text: str) -> str:
        self.shown.append({"role": "user", "text": text})
        return self.again()

    def again(self) -> str:
        """Has the last message answered."""
        self._requests += 1
        fields = self.fields()
        answer = self.post({"model": MODEL, "messages": self.messages(), "stream": True, **fields})
        assert answer.status == 200, answer.body
        self.state = answer.headers["x-bridge-session-state"]
        stream = parse_chat_stream(answer.body, include_usage="stream_options" in fields)
        assert stream.error is None
        self.shown.append(
            {"role": "assistant", "text": stream.text, "thoughts": "".join(stream.reasoning)}
        )
        return stream.text

    def post(self, body: Json) -> Answer:
        return self.bridge.request("POST", "/v1/chat/completions", body, headers=self.headers)

    def messages(self) -> list[Json]:
        return [{"role": "system", "content": self.prompt()}, *map(self.message, self.shown)]

    def prompt(self) -> str:
        """With the time in it, so that no two requests have the same."""
        return f"You help. It is 2026-11-30 12:00:0{self._requests}."

    def message(self, shown: Json) -> Json:
        return {"role": shown["role"], "content": shown["text"]}

    def fields(self) -> Json:
        return {}

    def name_chat(self) -> None:
        """Asks for a title of the chat, as a request of its own."""

    def copy(self) -> FrontEnd:
        other = type(self)(self.bridge)
        other.shown = list(self.shown)
        return other


class CherryStudio(FrontEnd):
    """Its second version: the AI SDK for servers that are compatible with OpenAI."""

    headers: ClassVar = {"x-api-key": API_KEY}

    def fields(self) -> Json:
        return {"stream_options": {"include_usage": True}, "temperature": 1}

    def message(self, shown: Json) -> Json:
        found = super().message(shown)
        if shown.get("thoughts"):
            found["reasoning_content"] = shown["thoughts"]
        return found

    def name_chat(self) -> None:
        said_so_far = [{"role": each["role"], "mainText": each["text"]} for each in self.shown]
        messages = [
            {"role": "system", "content": "Summarize the conversation into a title in English within 10 characters."},
            {"role": "user", "content": str(said_so_far)},
        ]
        assert self.post({"model": MODEL, "messages": messages}).status == 200


class OlderCherryStudio(CherryStudio):
    """Its first version keeps thoughts to itself."""

    message = FrontEnd.message


class LibreChat(FrontEnd):
    """LangChain for JavaScript: an answer without thoughts goes back as parts. It sends the id of its user."""

    user = "6650f3b1c2"

    def fields(self) -> Json:
        return {"user": self.user, "stream_options": {"include_usage": True}}

    def message(self, shown: Json) -> Json:
        if shown["role"] == "user" or not self.is_in_parts(shown):
            return super().message(shown)
        return {"role": "assistant", "content": [{"type": "text", "text": shown["text"]}]}

    def is_in_parts(self, answer: Json) -> bool:
        return not answer.get("thoughts")

    def name_chat(self) -> None:
        prompt = (
            "Provide a concise, 5-word-or-less title for the conversation, using title case conventions.\n"
            f"User: {self.shown[0]['text']}\nAI: {self.shown[1]['text']}"
        )
        body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "user": self.user}
        assert self.post(body).status == 200


class LibreChatInParts(LibreChat):
    """Where each answer goes back as parts."""

    def is_in_parts(self, answer: Json) -> bool:
        return True


class LobeChat(FrontEnd):
    """In a browser. It leaves thoughts out, and puts the date behind the prompt of the assistant."""

    def prompt(self) -> str:
        return f"You are a helpful assistant.\n\nCurrent date: 2026-11-3{self._requests % 2}"

    def fields(self) -> Json:
        return {"stream_options": {"include_usage": True}, "top_p": 1, "presence_penalty": 0}


class LobeChatServer(LobeChat):
    """On a server, where it names its user, and a cache that all chats of the user have in common."""

    def fields(self) -> Json:
        return {**super().fields(), "user": "user_2x", "prompt_cache_key": "lobehub:user_2x"}


class ThoughtsInTheText(FrontEnd):
    """What shows thoughts as a part of the answer, and sends both back."""

    def message(self, shown: Json) -> Json:
        found = super().message(shown)
        if shown.get("thoughts"):
            found["content"] = f"<think>\n{shown['thoughts']}\n</think>\n\n{shown['text']}"
        return found


CLIENTS = [
    CherryStudio, OlderCherryStudio, LibreChat, LibreChatInParts, LobeChat, LobeChatServer, ThoughtsInTheText,
]
EACH = pytest.mark.parametrize("client", CLIENTS, ids=[client.__name__ for client in CLIENTS])
# Where a person is no session.
MANY_CHATS = {"CODEX_USER_IS_SESSION": "false"}


@pytest.mark.parametrize("environment", [{}, MANY_CHATS], ids=["as-installed", "user-is-no-session"])
@EACH
def test_the_second_turn_has_what_the_agent_did_in_the_first(
    start_bridge: StartBridge,
    recording_model: RecordingModel,
    client: type[FrontEnd],
    environment: dict[str, str],
) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment=environment)
    recording_model.answers = [*FIRST, two("two"), two("three")]
    chat = client(bridge)
    assert chat.ask("first") == "one"
    assert chat.state == "new"
    # The client has never seen this.
    assert "ran-2" not in str([each["text"] for each in chat.shown])
    assert chat.ask("second") == "two"
    assert chat.state == "continued"
    assert said(recording_model.requests[-1]) == [*BEGUN, "user: second"]
    chat.ask("third")
    assert chat.state == "continued"
    assert said(recording_model.requests[-1]) == [
        *BEGUN, "user: second", "assistant: two", "user: third",
    ]


@EACH
def test_a_title_an_edit_and_the_way_back(
    start_bridge: StartBridge, recording_model: RecordingModel, client: type[FrontEnd]
) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment=MANY_CHATS)
    recording_model.answers = list(FIRST)
    chat = client(bridge)
    chat.ask("first")
    chat.name_chat()
    chat.ask("second")
    assert said(recording_model.requests[-1]) == [*BEGUN, "user: second"]
    edited = chat.copy()
    edited.shown = edited.shown[:2]
    edited.ask("changed")
    assert edited.state == "reverted"
    assert said(recording_model.requests[-1]) == [*BEGUN, "user: changed"]
    # The last answer again.
    edited.shown.pop()
    edited.again()
    assert edited.state == "reverted"
    assert said(recording_model.requests[-1]) == [*BEGUN, "user: changed"]
    chat.ask("third")
    assert said(recording_model.requests[-1]) == [
        *BEGUN, "user: second", "assistant: ok", "user: third",
    ]


def without_thoughts(texts: list[str]) -> list[str]:
    """What is said without what a client sends back of the thoughts, as a part of the text."""
    return [re.sub(r"<think>.*?</think>\s*", "", text, flags=re.DOTALL) for text in texts]


@EACH
def test_chats_that_begin_alike_share_nothing_more(
    start_bridge: StartBridge, recording_model: RecordingModel, client: type[FrontEnd]
) -> None:
    bridge = start_bridge(model=recording_model.base_url, environment=MANY_CHATS)
    chats = [client(bridge) for _ in range(3)]
    recording_model.answers = [
        item for number in range(3)
        for item in ([runs(f"echo ran-{number}", f"c{number}")], [says("one")])
    ]
    for chat in chats:
        chat.ask("first")
    for number, chat in enumerate(chats):
        chat.ask(f"mine is {number}")
        # Nobody knows which of them it is, so the model is told what its client tells.
        begun = ["user: first", "assistant: one", f"user: mine is {number}"]
        assert without_thoughts(said(recording_model.requests[-1])) == begun
        assert chat.state == "new"
    for number, chat in enumerate(chats):
        chat.ask("and now?")
        assert without_thoughts(said(recording_model.requests[-1])) == [
            "user: first", "assistant: one", f"user: mine is {number}", "assistant: ok", "user: and now?",
        ]
        assert chat.state == "continued"


def test_a_history_that_was_cut_is_answered_as_it_came(
    start_bridge: StartBridge, recording_model: RecordingModel
) -> None:
    """Cherry Studio and LobeChat send the last messages only, as many as are set."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = list(FIRST)
    chat = LobeChat(bridge)
    for text in ("first", "second"):
        chat.ask(text)
    chat.shown = chat.shown[2:]
    chat.ask("third")
    assert chat.state == "new"
    assert said(recording_model.requests[-1]) == ["user: second", "assistant: ok", "user: third"]


# -- LangChain


def langchain(bridge: Bridge, streaming: bool) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=bridge.url, api_key=API_KEY, streaming=streaming)


BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])


@BOTH
def test_langchain_with_a_list_of_messages(
    start_bridge: StartBridge, recording_model: RecordingModel, streaming: bool
) -> None:
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [*FIRST, two("two")]
    model = langchain(bridge, streaming)
    messages: list[BaseMessage] = []
    for number, text in enumerate(["first", "second", "third"]):
        messages.append(HumanMessage(text))
        found = model.invoke([SystemMessage(f"It is day {number}."), *messages])
        assert isinstance(found, AIMessage)
        messages.append(found)
    assert said(recording_model.requests[-2]) == [*BEGUN, "user: second"]
    assert said(recording_model.requests[-1]) == [
        *BEGUN, "user: second", "assistant: two", "user: third",
    ]


@BOTH
def test_langchain_with_a_history(
    start_bridge: StartBridge, recording_model: RecordingModel, streaming: bool
) -> None:
    """Two chats of one program."""
    bridge = start_bridge(model=recording_model.base_url)
    recording_model.answers = [
        *FIRST, [runs("echo other-$((1+1))", "c2")], [says("another one")], two("two"), two("other two"),
    ]
    prompt = ChatPromptTemplate.from_messages(
        [("system", "It is {now}."), MessagesPlaceholder("history"), ("human", "{question}")]
    )
    histories: dict[str, InMemoryChatMessageHistory] = {}
    chain = RunnableWithMessageHistory(
        prompt | langchain(bridge, streaming),
        lambda session_id: histories.setdefault(session_id, InMemoryChatMessageHistory()),
        input_messages_key="question",
        history_messages_key="history",
    )

    def ask(chat: str, question: str) -> str:
        values: Any = {"question": question, "now": len(recording_model.requests)}
        options: Any = {"configurable": {"session_id": chat}}
        if streaming:
            return "".join(str(part.content) for part in chain.stream(values, options))
        return str(chain.invoke(values, options).content)

    assert ask("a", "first") == "one"
    assert ask("b", "other first") == "another one"
    assert ask("a", "second") == "two"
    assert said(recording_model.requests[-1]) == [*BEGUN, "user: second"]
    assert ask("b", "other second") == "other two"
    assert said(recording_model.requests[-1]) == [
        "user: other first", "output: other-2", "assistant: another one", "user: other second",
    ]
    ask("a", "third")
    assert said(recording_model.requests[-1]) == [
        *BEGUN, "user: second", "assistant: two", "user: third",
    ]
