"""Runs the task with litellm."""

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
        messages += task.outputs(message.tool_calls)


task.tell(texts=loop(False), streamed="".join(loop(True)))
