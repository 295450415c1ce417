"""Runs the task with instructor by the Responses API: it asks for an answer of a schema and for a call at once."""

from typing import Literal

import instructor
from openai import OpenAI
from pydantic import BaseModel

import task


class Person(BaseModel):
    # Constants, so that what the stand-in makes up from the schema is known.
    name: Literal["Ada"]
    age: Literal[36]


client = instructor.from_openai(
    OpenAI(base_url=task.BASE_URL, api_key=task.API_KEY),
    mode=instructor.Mode.RESPONSES_TOOLS,
)


def ask(name):
    """The stand-in calls what the question names."""
    return [{"role": "user", "content": f"Who is the {name}?"}]


person = client.create(model=task.MODEL, messages=ask("Person"), response_model=Person)
*_, last = client.create_partial(
    model=task.MODEL, messages=ask("PartialPerson"), response_model=Person
)
task.tell(structured=person.model_dump(), streamed=last.model_dump())
