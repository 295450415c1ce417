"""Runs the task with pydantic_ai by the Responses API."""

import asyncio
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

import task

provider = OpenAIProvider(base_url=task.BASE_URL, api_key=task.API_KEY)
model = OpenAIResponsesModel(task.MODEL, provider=provider)
BY_ID = {"openai_previous_response_id": "auto"}


class Sum(BaseModel):
    sum: int


class Person(BaseModel):
    # Constants, so that what the stand-in makes up from the schema is known.
    name: Literal["Ada"]
    age: Literal[36]


def texts_of(messages):
    return [
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind == "text"
    ]


async def main():
    agent = Agent(
        model, instructions="Be brief.", tools=[task.get_weather, task.add]
    )
    whole = await agent.run(task.TASK)
    history = whole.all_messages()
    told = await agent.run("demo: history", message_history=history)
    by_id = await agent.run(task.TASK, model_settings=BY_ID)
    told_by_id = await agent.run(
        "demo: history", message_history=by_id.all_messages(), model_settings=BY_ID
    )
    # It takes the first text for the answer, so there is none beside the calls here.
    script = 'demo: call=get_weather:{"city":"Rome"} call=add:{"a":1,"b":2} round call=add:{"a":3,"b":4}'
    async with agent.run_stream(script) as stream:
        streamed = await stream.get_output()
    structured = Agent(model, tools=[task.add], output_type=Sum)
    script = 'demo: call=add:{"a":1,"b":2} round call=final_result:{"sum":3}'
    found = await structured.run(script)
    native = await Agent(model, output_type=NativeOutput(Person)).run("Who is that?")
    thought = await agent.run("demo: reasoning=2 tokens=2")
    task.tell(
        texts=texts_of(history),
        last=whole.output,
        texts_by_id=texts_of(by_id.all_messages()),
        histories=[told.output, told_by_id.output],
        streamed=streamed,
        structured=found.output.model_dump(),
        native=native.output.model_dump(),
        thought=[part.part_kind for part in thought.new_messages()[-1].parts],
    )


asyncio.run(main())
