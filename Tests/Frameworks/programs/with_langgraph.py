"""Runs the task with langgraph."""

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

import task

tools = [tool(task.get_weather), tool(task.add)]
model = ChatOpenAI(
    model=task.MODEL,
    base_url=task.BASE_URL,
    api_key=task.API_KEY,
    # The other API.
    use_responses_api=False,
).bind_tools(tools)


def agent(state):
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("agent", agent)
graph.add_node("tools", ToolNode(tools))
graph.set_entry_point("agent")
graph.add_conditional_edges("agent", tools_condition)
graph.add_edge("tools", "agent")
app = graph.compile()
state = app.invoke({"messages": [("user", task.TASK)]})
streamed = "".join(
    chunk.content
    for chunk, _ in app.stream(
        {"messages": [("user", task.TASK)]}, stream_mode="messages"
    )
    if chunk.type == "AIMessageChunk"
)
texts = [message.content for message in state["messages"] if message.type == "ai"]
task.tell(texts=texts, streamed=streamed)
