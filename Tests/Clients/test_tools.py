"""Functions of the client, as people's programs use them: openai-python, LangChain and the Agents SDK, each with its own
defaults, on the real Codex."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    set_tracing_disabled,
)
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import BaseModel

from framework_tools import AGENT_TOOLS, LANGCHAIN_TOOLS
from functions import (
    CALLED,
    FIRST_TEXT,
    FUNCTIONS,
    LAST_TEXT,
    MODELS,
    SECOND_TEXT,
    TOOLS,
    TWO_ROUNDS,
    add,
    get_weather,
)
from harness import API_KEY, Bridge, async_client_of, client_of

pytestmark = pytest.mark.parametrize("model", MODELS)

# The answers of TWO_ROUNDS, and how each ends.
TEXTS = [FIRST_TEXT, SECOND_TEXT, LAST_TEXT]
REASONS = ["tool_calls", "tool_calls", "stop"]


class Loop:
    """What an agent loop of one's own keeps."""

    def __init__(self) -> None:
        self.messages: list[Any] = [{"role": "user", "content": TWO_ROUNDS}]
        self.called: list[tuple[str, Any]] = []
        self.texts: list[str | None] = []
        self.reasons: list[str] = []

    def take(self, choice: Any) -> bool:
        """Runs what an answer calls; whether it called anything."""
        message = choice.message
        self.texts.append(message.content)
        self.reasons.append(choice.finish_reason)
        self.messages.append(message)
        for call in message.tool_calls or []:
            arguments = json.loads(call.function.arguments)
            self.called.append((call.function.name, arguments))
            output = str(FUNCTIONS[call.function.name](**arguments))
            self.messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": output}
            )
        return bool(message.tool_calls)

    def check(self) -> None:
        assert self.called == CALLED
        assert self.texts == TEXTS
        assert self.reasons == REASONS


@pytest.fixture
def client(demo: Bridge) -> Iterator[OpenAI]:
    with client_of(demo) as client:
        yield client


# -- openai-python


@pytest.mark.parametrize("session", [None, "tools"])
def test_openai(client: OpenAI, model: str, session: str | None) -> None:
    loop = Loop()
    extra = {"session_id": f"{session}-{model}"} if session else {}
    while True:
        answer = client.chat.completions.create(
            model=model, messages=loop.messages, tools=TOOLS, extra_body=extra
        )
        if not loop.take(answer.choices[0]):
            break
    loop.check()


def test_openai_asynchronously(demo: Bridge, model: str) -> None:
    async def run() -> Loop:
        loop = Loop()
        async with async_client_of(demo) as client:
            while True:
                answer = await client.chat.completions.create(
                    model=model, messages=loop.messages, tools=TOOLS
                )
                if not loop.take(answer.choices[0]):
                    return loop

    asyncio.run(run()).check()


def test_openai_stream_helper(client: OpenAI, model: str) -> None:
    """The helper joins what comes under one index, and asks for closed schemas that are marked as strict."""
    tools: Any = [openai.pydantic_function_tool(one) for one in (GetWeather, Add)]
    loop = Loop()
    loop.messages[0]["content"] = in_pascal_case(TWO_ROUNDS)
    done: list[str] = []
    while True:
        with client.chat.completions.stream(
            model=model,
            messages=loop.messages,
            tools=tools,
            stream_options={"include_usage": True},
        ) as stream:
            for event in stream:
                if event.type == "tool_calls.function.arguments.done":
                    done.append(event.name)
            final = stream.get_final_completion()
        assert final.usage is not None
        assert final.usage.total_tokens == 15
        choice = final.choices[0]
        loop.texts.append(choice.message.content)
        loop.reasons.append(choice.finish_reason)
        if not choice.message.tool_calls:
            break
        loop.messages.append(choice.message.model_dump(exclude_none=True))
        for call in choice.message.tool_calls:
            found = call.function.parsed_arguments
            assert isinstance(found, GetWeather | Add)
            loop.called.append((call.function.name, found.model_dump()))
            loop.messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": found.run()}
            )
    assert loop.called == [(NAMES[name], arguments) for name, arguments in CALLED]
    assert done == [NAMES[name] for name, _ in CALLED]
    assert loop.texts == [in_pascal_case(text) for text in TEXTS]
    assert loop.reasons == REASONS


class GetWeather(BaseModel):
    """The weather in a city."""

    city: str

    def run(self) -> str:
        return get_weather(self.city)


class Add(BaseModel):
    """The sum of two numbers."""

    a: int
    b: int

    def run(self) -> str:
        return str(add(self.a, self.b))


NAMES = {"get_weather": "GetWeather", "add": "Add"}


def in_pascal_case(text: str) -> str:
    for name, other in NAMES.items():
        text = text.replace(name, other)
    return text


def test_openai_parses_arguments(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(
        model=model,
        messages=[
            {
                "role": "user",
                "content": 'demo: call=GetWeather:{"city":"Rome"} call=Add:{"a":1,"b":2}',
            }
        ],
        tools=[openai.pydantic_function_tool(one) for one in (GetWeather, Add)],
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.parsed_arguments for call in calls] == [
        GetWeather(city="Rome"),
        Add(a=1, b=2),
    ]


# -- LangChain


def langchain(bridge: Bridge, model: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=model,
        api_key=API_KEY,  # type: ignore[arg-type]
        base_url=bridge.url,
        use_responses_api=False,
    )


@pytest.mark.parametrize("streaming", [False, True])
def test_langchain(demo: Bridge, model: str, streaming: bool) -> None:
    bound = langchain(demo, model).bind_tools(list(LANGCHAIN_TOOLS.values()))
    messages: list[BaseMessage] = [HumanMessage(TWO_ROUNDS)]
    called, texts, reasons = [], [], []
    while True:
        answer: Any
        if streaming:
            chunks = list(bound.stream(messages))
            answer = chunks[0]
            for chunk in chunks[1:]:
                answer = answer + chunk
        else:
            answer = bound.invoke(messages)
        assert answer.invalid_tool_calls == []
        messages.append(answer)
        texts.append(answer.content)
        reasons.append(answer.response_metadata["finish_reason"])
        for call in answer.tool_calls:
            called.append((call["name"], call["args"]))
            found = LANGCHAIN_TOOLS[call["name"]].invoke(call)
            assert isinstance(found, ToolMessage)
            messages.append(found)
        if not answer.tool_calls:
            break
    assert called == CALLED
    assert texts == TEXTS
    assert reasons == REASONS


class Person(BaseModel):
    """A person that the text names."""

    # Constants, so that what the stand-in makes up from the schema is known.
    name: Literal["Ada"]
    age: Literal[36]


def test_langchain_structured_output_by_a_function(demo: Bridge, model: str) -> None:
    """It names the function that has to be called."""
    structured = langchain(demo, model).with_structured_output(
        Person, method="function_calling"
    )
    assert structured.invoke("Who is the Person?") == Person(name="Ada", age=36)


# -- the Agents SDK


@pytest.mark.parametrize("streaming", [False, True])
def test_agents(demo: Bridge, model: str, streaming: bool) -> None:
    set_tracing_disabled(True)

    async def run() -> Any:
        async with async_client_of(demo) as client:
            agent = Agent(
                name="Assistant",
                instructions="Be brief.",
                model=OpenAIChatCompletionsModel(model=model, openai_client=client),
                tools=AGENT_TOOLS,
            )
            if not streaming:
                return await Runner.run(agent, TWO_ROUNDS)
            found = Runner.run_streamed(agent, TWO_ROUNDS)
            async for _ in found.stream_events():
                pass
            return found

    found = asyncio.run(run())
    assert found.final_output == LAST_TEXT
    calls = [item.raw_item for item in found.new_items if item.type == "tool_call_item"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == CALLED
    texts = [
        item.raw_item.content[0].text
        for item in found.new_items
        if item.type == "message_output_item"
    ]
    assert texts == TEXTS
