"""The functions of `functions.py` as tools of LangChain and of the Agents SDK. No test cases here."""

from __future__ import annotations

from agents import function_tool
from langchain_core.tools import tool

from functions import add, get_weather


@tool("get_weather")
def weather_tool(city: str) -> str:
    """The weather in a city."""
    return get_weather(city)


@tool("add")
def add_tool(a: int, b: int) -> int:
    """The sum of two numbers."""
    return add(a, b)


LANGCHAIN_TOOLS = {"get_weather": weather_tool, "add": add_tool}


@function_tool(name_override="get_weather")
def agent_weather(city: str) -> str:
    """The weather in a city."""
    return get_weather(city)


@function_tool(name_override="add")
def agent_add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return add(a, b)


AGENT_TOOLS = [agent_weather, agent_add]
