"""The Responses API as people's programs use it: the Agents SDK, LangChain and LiteLLM, each with its own defaults,
on the real Codex."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import openai
import pytest
from agents import (
    Agent,
    OpenAIConversationsSession,
    OpenAIProvider,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    set_tracing_disabled,
)
from agents.models.openai_responses import ResponsesWebSocketError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import BaseModel

from framework_tools import AGENT_TOOLS, LANGCHAIN_TOOLS
from functions import CALLED, FIRST_TEXT, LAST_TEXT, MODELS, SECOND_TEXT, TOOLS, TWO_ROUNDS
from harness import API_KEY, Bridge, async_client_of, tokens
from litellm_program import run_litellm
from responses import MODEL

# The answers of TWO_ROUNDS.
TEXTS = [FIRST_TEXT, SECOND_TEXT, LAST_TEXT]


class Person(BaseModel):
    """A person that the text names."""

    # Constants, so that what the stand-in makes up from the schema is known.
    name: Literal["Ada"]
    age: Literal[36]


ADA = Person(name="Ada", age=36)
both_models = pytest.mark.parametrize("model", MODELS)
streaming_or_not = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])

# -- The Agents SDK


Ask = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def asking(bridge: Bridge, model: str, **fields: Any) -> AsyncIterator[tuple[Ask, AsyncOpenAI]]:
    """Runs an agent with the functions of these tests; `streaming` has it told in events."""
    set_tracing_disabled(True)
    async with async_client_of(bridge) as client:
        agent = Agent(
            name="Assistant",
            instructions="Be brief.",
            model=OpenAIResponsesModel(model=model, openai_client=client),
            tools=AGENT_TOOLS,
            **fields,
        )

        async def ask(text: Any, *, streaming: bool = False, **options: Any) -> Any:
            if not streaming:
                return await Runner.run(agent, text, **options)
            found = Runner.run_streamed(agent, text, **options)
            async for _ in found.stream_events():
                pass
            return found

        yield ask, client


def check_run(found: Any) -> None:
    """That a run has done all of TWO_ROUNDS."""
    assert found.final_output == LAST_TEXT
    calls = [item.raw_item for item in found.new_items if item.type == "tool_call_item"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == CALLED
    texts = [item.raw_item.content[0].text for item in found.new_items if item.type == "message_output_item"]
    assert texts == TEXTS


@both_models
@streaming_or_not
@pytest.mark.parametrize("options", [{}, {"auto_previous_response_id": True}], ids=["history", "id"])
def test_agents(demo: Bridge, model: str, streaming: bool, options: Any) -> None:
    async def run() -> tuple[Any, Any]:
        async with asking(demo, model) as (ask, _):
            first = await ask(TWO_ROUNDS, streaming=streaming, **options)
            if options:
                text: Any = "demo: history"
                again = {"previous_response_id": first.last_response_id}
            else:
                text = [*first.to_input_list(), {"role": "user", "content": "demo: history"}]
                again = {}
            return first, await ask(text, streaming=streaming, **again)

    first, second = asyncio.run(run())
    check_run(first)
    told = second.final_output
    assert told.count("Be brief.") == 1
    for line in (f"user: {TWO_ROUNDS}", f"assistant: {LAST_TEXT}", "user: demo: history"):
        assert told.count(line) == 1, told


@both_models
@streaming_or_not
def test_agents_session_in_a_conversation(demo: Bridge, model: str, streaming: bool) -> None:
    """The session keeps what the run said, and sends all of it with the next question."""

    async def run() -> tuple[Any, Any, list[Any]]:
        async with asking(demo, model) as (ask, client):
            session = OpenAIConversationsSession(openai_client=client)
            first = await ask(TWO_ROUNDS, streaming=streaming, session=session)
            second = await ask("demo: history", streaming=streaming, session=session)
            items: list[Any] = await session.get_items()
            await session.clear_session()
            return first, second, items

    first, second, items = asyncio.run(run())
    check_run(first)
    for line in (f"user: {TWO_ROUNDS}", f"assistant: {LAST_TEXT}", "user: demo: history"):
        assert second.final_output.count(line) == 1, second.final_output
    assert [item["type"] for item in items] == [
        *["message", "message", "function_call", "function_call", "function_call_output", "function_call_output"],
        *["message", "function_call", "function_call_output", "message", "message", "message"],
    ]


@both_models
@streaming_or_not
def test_agents_in_a_conversation_of_the_server(demo: Bridge, model: str, streaming: bool) -> None:
    async def run() -> tuple[Any, Any]:
        async with asking(demo, model) as (ask, client):
            conversation = (await client.conversations.create()).id
            first = await ask(TWO_ROUNDS, streaming=streaming, conversation_id=conversation)
            return first, await ask("demo: history", streaming=streaming, conversation_id=conversation)

    first, second = asyncio.run(run())
    check_run(first)
    for line in (f"user: {TWO_ROUNDS}", f"assistant: {LAST_TEXT}", "user: demo: history"):
        assert second.final_output.count(line) == 1, second.final_output


@both_models
@streaming_or_not
def test_agents_output_type(demo: Bridge, model: str, streaming: bool) -> None:
    async def run() -> Any:
        async with asking(demo, model, output_type=Person) as (ask, _):
            return await ask("Who is that?", streaming=streaming)

    assert asyncio.run(run()).final_output == ADA


@both_models
@pytest.mark.parametrize("options", [{}, {"auto_previous_response_id": True}], ids=["history", "id"])
def test_agents_over_a_websocket(demo: Bridge, model: str, options: Any) -> None:
    """Several answers, also after one that fails."""
    set_tracing_disabled(True)

    async def run() -> tuple[Any, str]:
        provider = OpenAIProvider(api_key=API_KEY, base_url=demo.url, use_responses_websocket=True)
        agent = Agent(name="Assistant", model=model, tools=AGENT_TOOLS)
        settings = RunConfig(model_provider=provider)
        try:
            found = Runner.run_streamed(agent, TWO_ROUNDS, run_config=settings, **options)
            async for _ in found.stream_events():
                pass
            with pytest.raises(ResponsesWebSocketError):
                await Runner.run(agent, "demo: tokens=4 fail=insufficient_quota", run_config=settings)
            again = await Runner.run(agent, "demo: say=Again.", run_config=settings)
        finally:
            await provider.aclose()
        return found, again.final_output

    found, again = asyncio.run(run())
    check_run(found)
    assert again == "Again."


@streaming_or_not
def test_agents_see_a_failure(demo: Bridge, streaming: bool) -> None:
    async def run() -> None:
        async with asking(demo, MODEL) as (ask, _):
            await ask("demo: tokens=4 fail=insufficient_quota", streaming=streaming)

    with pytest.raises(openai.APIError):
        asyncio.run(run())


@streaming_or_not
def test_agents_are_told_what_the_model_thinks(demo: Bridge, streaming: bool) -> None:
    async def run() -> Any:
        async with asking(demo, MODEL) as (ask, _):
            return await ask("demo: reasoning=2 tokens=3", streaming=streaming)

    found = asyncio.run(run())
    assert found.final_output == "".join(tokens(3))
    assert [item.type for item in found.new_items] == ["reasoning_item", "message_output_item"]
    assert found.new_items[0].raw_item.summary


# -- LangChain


def langchain(bridge: Bridge, model: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model,
        api_key=API_KEY,  # type: ignore[arg-type]
        base_url=bridge.url,
        use_responses_api=True,
        **options,
    )


def answer_of(model: Any, messages: list[BaseMessage], streaming: bool) -> AIMessage:
    """An answer, put together from its parts if it is streamed."""
    if not streaming:
        found = model.invoke(messages)
    else:
        first, *rest = model.stream(messages)
        found = sum(rest, first)
    assert isinstance(found, AIMessage)
    assert found.invalid_tool_calls == []
    return found


@both_models
@streaming_or_not
@pytest.mark.parametrize("by_id", [False, True], ids=["history", "id"])
def test_langchain(demo: Bridge, model: str, streaming: bool, by_id: bool) -> None:
    bound = langchain(demo, model, use_previous_response_id=by_id).bind_tools(list(LANGCHAIN_TOOLS.values()))
    messages: list[BaseMessage] = [SystemMessage("Be brief."), HumanMessage(TWO_ROUNDS)]
    called, texts = [], []
    while True:
        answer = answer_of(bound, messages, streaming)
        messages.append(answer)
        texts.append(answer.text)
        assert answer.response_metadata["status"] == "completed"
        assert answer.response_metadata["id"].startswith("resp_")
        assert answer.usage_metadata is not None
        if not answer.tool_calls:
            break
        for call in answer.tool_calls:
            called.append((call["name"], call["args"]))
            found = LANGCHAIN_TOOLS[call["name"]].invoke(call)
            assert isinstance(found, ToolMessage)
            messages.append(found)
    assert called == CALLED
    assert texts == TEXTS
    told = answer_of(bound, [*messages, HumanMessage("demo: history")], streaming).text
    for line in (f"user: {TWO_ROUNDS}", f"assistant: {LAST_TEXT}", "user: demo: history"):
        assert told.count(line) == 1, told


@both_models
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_langchain_structured_output(demo: Bridge, model: str, method: Any) -> None:
    structured = langchain(demo, model).with_structured_output(Person, method=method)
    question = 'demo: say={"name":"Ada","age":36}' if method == "json_mode" else "Who is the Person?"
    assert structured.invoke(question) == ADA


def test_langchain_usage_and_reasoning(demo: Bridge) -> None:
    model = langchain(demo, MODEL, reasoning={"effort": "low", "summary": "auto"})
    for streaming in (False, True):
        answer = answer_of(model, [HumanMessage("demo: reasoning=2 tokens=3 usage=11,4,7,2")], streaming)
        assert answer.text == "".join(tokens(3))
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["total_tokens"] == 18
        blocks = answer.content_blocks
        assert [block["type"] for block in blocks] == ["reasoning", "text"]


@streaming_or_not
def test_langchain_sees_a_failure(demo: Bridge, streaming: bool) -> None:
    model = langchain(demo, MODEL, max_retries=0)
    with pytest.raises(openai.APIError):
        answer_of(model, [HumanMessage("demo: tokens=4 fail=insufficient_quota")], streaming)


# -- LiteLLM

LITELLM_SCRIPT = """
import json, sys
import litellm
litellm.suppress_debug_info = True
options = json.load(sys.stdin)
models, task, tools = options.pop("models"), options.pop("task"), options.pop("tools")
options.pop("custom_llm_provider")
flat = [{"type": "function", **tool["function"]} for tool in tools]
functions = {
    "get_weather": lambda city: f"sunny in {city}",
    "add": lambda a, b: a + b,
}
called = []

def run(name, arguments):
    arguments = json.loads(arguments)
    called.append([name, arguments])
    return str(functions[name](**arguments))

def text_of(response):
    return "".join(p.text for i in response.output if i.type == "message" for p in i.content)

def by_responses(model, stream, by_id):
    asked, previous, texts = [{"role": "user", "content": task}], {}, []
    while True:
        response = litellm.responses(
            model="openai/" + model, input=asked, tools=flat, stream=stream, **previous, **options
        )
        if stream:
            *_, last = response
            response = last.response
        texts.append(text_of(response))
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return texts
        outputs = [
            {"type": "function_call_output", "call_id": c.call_id, "output": run(c.name, c.arguments)} for c in calls
        ]
        if by_id:
            asked, previous = outputs, {"previous_response_id": response.id}
        else:
            asked = asked + [item.model_dump(exclude_none=True) for item in response.output] + outputs

def by_completion(model, stream):
    messages, texts = [{"role": "user", "content": task}], []
    while True:
        answer = litellm.completion(
            model="openai/responses/" + model, messages=messages, tools=tools, stream=stream, **options
        )
        if stream:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        message = answer.choices[0].message
        texts.append(message.content)
        messages.append(message)
        if not message.tool_calls:
            return texts
        for call in message.tool_calls:
            output = run(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})

def failure(model, stream):
    try:
        answer = litellm.responses(model="openai/" + model, input="demo: tokens=4 cut=2", stream=stream, **options)
        if stream:
            list(answer)
    except Exception as error:
        return type(error).__name__

found, failures = [], []
for model in models:
    for stream in (False, True):
        found.append(by_responses(model, stream, False))
        found.append(by_responses(model, stream, True))
        found.append(by_completion(model, stream))
        failures.append(failure(model, stream))
print("RESULT " + json.dumps({"texts": found, "called": called, "failures": failures}))
"""


def test_litellm(demo: Bridge) -> None:
    """`litellm.responses`, from histories and from ids, and `litellm.completion` with a model that it is told to ask by
    this API. One process for all, since it takes seconds to start."""
    found = run_litellm(LITELLM_SCRIPT, demo, models=MODELS, task=TWO_ROUNDS, tools=TOOLS, max_retries=0)
    assert found["texts"] == [TEXTS] * 12
    assert [(name, arguments) for name, arguments in found["called"]] == CALLED * 12
    assert len(found["failures"]) == 4
    assert all(found["failures"]), found["failures"]
