"""Runs the task with openai-python before LiteLLM's proxy."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from openai import OpenAI

import task


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url + "/health/liveliness", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def loop(client):
    messages = [{"role": "user", "content": task.TASK}]
    texts = []
    while True:
        answer = client.chat.completions.create(
            model="openai/" + task.MODEL, messages=messages, tools=task.TOOLS
        )
        message = answer.choices[0].message
        texts.append(message.content)
        messages.append(message)
        if not message.tool_calls:
            return texts
        messages += task.outputs(message.tool_calls)


KEY = "sk-" + secrets.token_hex(32)
port = free_port()
url = f"http://127.0.0.1:{port}"
proxy = subprocess.Popen(
    [
        str(Path(sys.executable).with_name("litellm")),
        *("--model", "openai/" + task.MODEL),
        *("--api_base", task.BASE_URL),
        *("--host", "127.0.0.1", "--port", str(port)),
    ],
    # It does not start without a key for its own clients.
    env={**os.environ, "LITELLM_MASTER_KEY": KEY, "OPENAI_API_KEY": task.API_KEY},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.STDOUT,
)
try:
    while not answers(url):
        assert proxy.poll() is None, "the proxy has ended"
        time.sleep(0.2)
    with OpenAI(base_url=url, api_key=KEY) as client:
        task.tell(texts=loop(client))
finally:
    proxy.terminate()
    proxy.wait()
