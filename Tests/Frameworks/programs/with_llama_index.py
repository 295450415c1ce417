"""Runs the task with llama_index."""

import asyncio

from llama_index.core.agent.workflow import AgentOutput, FunctionAgent
from llama_index.llms.openai_like import OpenAILike

import task

llm = OpenAILike(
    model=task.MODEL,
    api_base=task.BASE_URL,
    api_key=task.API_KEY,
    is_chat_model=True,
    is_function_calling_model=True,
)


async def main(streaming):
    agent = FunctionAgent(
        tools=[task.get_weather, task.add], llm=llm, streaming=streaming
    )
    handler = agent.run(task.TASK)
    texts = []
    async for event in handler.stream_events():
        if isinstance(event, AgentOutput):
            texts.append(event.response.content or "")
    await handler
    return texts


task.tell(texts=asyncio.run(main(False)), streamed="".join(asyncio.run(main(True))))
