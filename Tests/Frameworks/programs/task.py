"""What every program here is told, runs and tells. Each uses one framework, with its own defaults, as its users do."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

BASE_URL = os.environ["BRIDGE_URL"]
API_KEY = os.environ["BRIDGE_KEY"]
MODEL = os.environ["BRIDGE_MODEL"]
TASK = os.environ["BRIDGE_TASK"]

called: list[tuple[str, dict[str, Any]]] = []


def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The name of the city.
    """
    called.append(("get_weather", {"city": city}))
    return f"sunny in {city}"


def add(a: int, b: int) -> int:
    """The sum of two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    called.append(("add", {"a": a, "b": b}))
    return a + b


FUNCTIONS = {"get_weather": get_weather, "add": add}


def outputs(calls: list[Any]) -> list[dict[str, str]]:
    """Runs what the model calls, and says what it returns in messages of OpenAI's."""
    found = []
    for call in calls:
        output = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
        found.append({"role": "tool", "tool_call_id": call.id, "content": str(output)})
    return found


NUMBER = {"type": "integer"}


def function(name, properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = [
    function("get_weather", {"city": {"type": "string"}}),
    function("add", {"a": NUMBER, "b": NUMBER}),
]


def tell(**found: Any) -> None:
    """Prints what has been found, as the last line."""
    sys.stdout.flush()
    print("RESULT " + json.dumps({"called": called, **found}))
