"""Runs the task with smolagents.

It wants a call in every answer (`tool_choice: required`), tells the model in words of its own what was called and returned,
and only a call of `final_answer` ends a task. So what the stand-in does next stands in what a function returns, and it makes
one call at a time.
"""

from smolagents import OpenAIServerModel, ToolCallingAgent, tool

import task

NEXT = iter(
    [
        'demo: call=add:{"a":1,"b":2}',
        'demo: call=add:{"a":3,"b":4}',
        'demo: call=final_answer:{"answer":"add said: 7"}',
    ]
)


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The name of the city.
    """
    return f"{task.get_weather(city)}\n{next(NEXT)}"


@tool
def add(a: int, b: int) -> str:
    """The sum of two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return f"{task.add(a, b)}\n{next(NEXT)}"


model = OpenAIServerModel(
    model_id=task.MODEL, api_base=task.BASE_URL, api_key=task.API_KEY
)
agent = ToolCallingAgent(
    tools=[get_weather, add], model=model, verbosity_level=0, max_steps=5
)
task.tell(last=agent.run('demo: call=get_weather:{"city":"Rome"}'))
