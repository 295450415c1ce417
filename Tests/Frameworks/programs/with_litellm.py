"""Runs the task with litellm."""

import json

import litellm

import task

litellm.suppress_debug_info = True


def loop(stream):
    messages = [{"role": "user", "content": task.TASK}]
    texts = []
    while True:
        answer = litellm.completion(
            model="openai/" + task.MODEL,
            api_base=task.BASE_URL,
            api_key=task.API_KEY,
            messages=messages,
            tools=task.TOOLS,
            stream=stream,
        )
        if stream:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        choice = answer.choices[0]
        message = choice.message
        texts.append(message.content)
        messages.append(message)
        assert choice.finish_reason == ("tool_calls" if message.tool_calls else "stop")
        if not message.tool_calls:
            return texts
        for call in message.tool_calls:
            output = task.FUNCTIONS[call.function.name](
                **json.loads(call.function.arguments)
            )
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": str(output)}
            )


task.tell(texts=loop(False), streamed="".join(loop(True)))
