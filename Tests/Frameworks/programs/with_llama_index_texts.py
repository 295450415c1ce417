"""Has a text completed with llama_index, which asks the older API unless it is told that the model is one for chats."""

from llama_index.llms.openai_like import OpenAILike

import task

TEXT = "demo: tokens=3"

llm = OpenAILike(model=task.MODEL, api_base=task.BASE_URL, api_key=task.API_KEY)

streamed = "".join(part.delta or "" for part in llm.stream_complete(TEXT))
task.tell(last=llm.complete(TEXT).text, streamed=streamed)
