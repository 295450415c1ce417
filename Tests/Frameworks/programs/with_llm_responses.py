"""Runs the task with llm by the Responses API, as a model of its own file of settings: with its library, and with its
command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import task

home = Path(os.environ["HOME"])
os.environ["LLM_USER_PATH"] = str(home)
settings = {
    "model_id": "bridge",
    "model_name": task.MODEL,
    "api_base": task.BASE_URL,
    "api_key_name": "bridge",
    "responses": True,
    "reasoning": True,
    "supports_tools": True,
    "supports_schema": True,
}
# JSON is YAML.
(home / "extra-openai-models.yaml").write_text(json.dumps([settings]))
(home / "keys.json").write_text(json.dumps({"bridge": task.API_KEY}))

import llm  # noqa: E402 (it reads what has just been written)

# Constants, so that what the stand-in makes up from the schema is known.
PERSON = {
    "type": "object",
    "properties": {"name": {"const": "Ada"}, "age": {"const": 36}},
    "required": ["name", "age"],
}


def command(*arguments):
    program = Path(sys.executable).with_name("llm")
    return subprocess.run(
        [program, "--model", "bridge", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def loop(stream):
    conversation = llm.get_model("bridge").conversation(
        tools=[task.get_weather, task.add]
    )
    chain = conversation.chain(task.TASK, stream=stream)
    return [response.text() for response in chain.responses()]


texts, streamed = loop(False), "".join(loop(True))
structured = llm.get_model("bridge").prompt("Who is that?", schema=PERSON).text()
told = command("demo: say=One.")
again = command("--continue", "demo: history")
task.tell(
    texts=texts,
    streamed=streamed,
    structured=json.loads(structured),
    last=told.stdout,
    histories=[again.stdout],
    failed=command("demo: tokens=4 cut=2").returncode != 0,
)
