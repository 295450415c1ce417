"""Runs the task with pydantic_ai."""

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import task

provider = OpenAIProvider(base_url=task.BASE_URL, api_key=task.API_KEY)
model = OpenAIChatModel(task.MODEL, provider=provider)


class Sum(BaseModel):
    sum: int


def texts_of(messages):
    return [
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind == "text"
    ]


async def main():
    agent = Agent(model, tools=[task.get_weather, task.add])
    whole = await agent.run(task.TASK)
    # It takes the first text for the answer, so there is none beside the calls here.
    script = 'demo: call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2} round call=add:{"a":3,"b":4}'
    async with agent.run_stream(script) as stream:
        streamed = await stream.get_output()
    structured = Agent(model, tools=[task.add], output_type=Sum)
    script = 'demo: call=add:{"a":1,"b":2} round call=final_result:{"sum":3}'
    found = await structured.run(script)
    task.tell(
        texts=texts_of(whole.all_messages()),
        last=whole.output,
        streamed=streamed,
        structured=found.output.model_dump(),
    )


asyncio.run(main())
