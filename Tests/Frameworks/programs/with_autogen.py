"""Runs the task with autogen."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

import task

# What it asks of everyone whose model it does not know.
INFO = ModelInfo(
    vision=True,
    function_calling=True,
    json_output=True,
    structured_output=True,
    family="unknown",
)


async def main(streaming):
    client = OpenAIChatCompletionClient(
        model=task.MODEL, base_url=task.BASE_URL, api_key=task.API_KEY, model_info=INFO
    )
    agent = AssistantAgent(
        "assistant",
        client,
        tools=[task.get_weather, task.add],
        max_tool_iterations=5,
        model_client_stream=streaming,
    )
    found = await agent.run(task=task.TASK)
    await client.close()
    return found.messages[-1].content


task.tell(last=asyncio.run(main(False)), streamed=asyncio.run(main(True)))
