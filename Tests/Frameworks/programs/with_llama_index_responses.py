"""Runs the task with llama_index by the Responses API."""

import asyncio

from llama_index.core.agent.workflow import AgentOutput, FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAIResponses

import task


def llm(**options):
    return OpenAIResponses(
        model=task.MODEL,
        api_base=task.BASE_URL,
        api_key=task.API_KEY,
        # What it asks of everyone whose model it does not know.
        context_window=200_000,
        **options,
    )


async def main(streaming):
    agent = FunctionAgent(
        tools=[task.get_weather, task.add], llm=llm(), streaming=streaming
    )
    handler = agent.run(task.TASK)
    texts = []
    async for event in handler.stream_events():
        if isinstance(event, AgentOutput):
            texts.append(event.response.content or "")
    await handler
    return texts


texts, streamed = asyncio.run(main(False)), asyncio.run(main(True))
# It keeps the id of the last answer itself.
tracking = llm(track_previous_responses=True)
tracking.chat([ChatMessage("demo: say=One.")])
told = tracking.chat([ChatMessage("demo: history")]).message.content
task.tell(texts=texts, streamed="".join(streamed), histories=[told])
