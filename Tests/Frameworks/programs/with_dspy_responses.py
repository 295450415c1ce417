"""Runs the task with dspy by the Responses API."""

import dspy

import task

lm = dspy.LM(
    "openai/" + task.MODEL,
    model_type="responses",
    api_base=task.BASE_URL,
    api_key=task.API_KEY,
    cache=False,
)


class Ask(dspy.Signature):
    """Answer, with the tools where they help."""

    question: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


tools = {"get_weather": dspy.Tool(task.get_weather), "add": dspy.Tool(task.add)}
dspy.configure(lm=lm, adapter=dspy.ChatAdapter(use_native_function_calling=True))
for question in (task.TASK, 'demo: call=add:{"a":3,"b":4}'):
    found = dspy.Predict(Ask)(question=question, tools=list(tools.values()))
    for call in found.calls.tool_calls:
        tools[call.name](**call.args)
task.tell()
