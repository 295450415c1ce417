"""Has semantic_kernel's agent answer, which asks by the Responses API and goes on from the id of the last answer."""

import asyncio

from openai import AsyncOpenAI
from semantic_kernel.agents import OpenAIResponsesAgent

import task


async def main():
    client = AsyncOpenAI(base_url=task.BASE_URL, api_key=task.API_KEY)
    agent = OpenAIResponsesAgent(
        ai_model_id=task.MODEL,
        client=client,
        name="Assistant",
        instructions="Be brief.",
    )
    first = await agent.get_response("demo: say=One.")
    told = await agent.get_response("demo: history", thread=first.thread)
    streamed, thread = "", None
    for text in ("demo: say=One.", "demo: history"):
        streamed = ""
        async for part in agent.invoke_stream(text, thread=thread):
            streamed += str(part.message.content)
            thread = part.thread
    task.tell(
        last=str(first.message.content),
        histories=[str(told.message.content), streamed],
    )


asyncio.run(main())
