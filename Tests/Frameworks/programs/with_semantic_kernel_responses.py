"""Runs the task with semantic_kernel, which puts the name of a plugin before those of its functions. With what these
return it sends the question again, behind the id of the answer that called them."""

import asyncio

from openai import AsyncOpenAI
from semantic_kernel.agents import OpenAIResponsesAgent
from semantic_kernel.functions import kernel_function

import task

TASK = task.TASK.replace("call=", "call=Plugin-")


class Plugin:
    @kernel_function
    def get_weather(self, city: str) -> str:
        """The weather in a city."""
        return task.get_weather(city)

    @kernel_function
    def add(self, a: int, b: int) -> str:
        """The sum of two numbers."""
        return str(task.add(a, b))


async def main():
    client = AsyncOpenAI(base_url=task.BASE_URL, api_key=task.API_KEY)
    agent = OpenAIResponsesAgent(
        ai_model_id=task.MODEL, client=client, name="Assistant", plugins=[Plugin()]
    )
    whole = await agent.get_response(TASK)
    streamed = ""
    async for part in agent.invoke_stream(TASK):
        streamed += str(part.message.content)
    task.tell(last=str(whole.message.content), streamed=streamed)


asyncio.run(main())
