"""LangChain, LiteLLM, aiohttp and curl."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from harness import API_KEY, Bridge, parse_chat_stream, tokens
from litellm_program import run_litellm

# -- LangChain


def langchain(bridge: Bridge, model: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model,
        api_key=API_KEY,  # type: ignore[arg-type]
        base_url=bridge.url,
        use_responses_api=False,
        **options,
    )


def test_langchain_invoke(demo: Bridge, model: str) -> None:
    answer = langchain(demo, model).invoke("demo: tokens=3 usage=8,0,3,0")
    assert answer.content == "t0 t1 t2 "
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 11


def test_langchain_stream(demo: Bridge, model: str) -> None:
    """Usage sent twice would be added up (C18)."""
    chunks = list(
        langchain(demo, model, stream_usage=True).stream(
            [
                SystemMessage("be brief"),
                HumanMessage("demo: tokens=4 usage=11,0,4,0"),
            ]
        )
    )
    assert [chunk.content for chunk in chunks if chunk.content] == tokens(4)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 15


def test_langchain_sees_a_failure(demo: Bridge, model: str) -> None:
    with pytest.raises(Exception, match=r"(?i)quota|limit"):
        langchain(demo, model).invoke("demo: fail=insufficient_quota")


# -- LiteLLM

LITELLM_SCRIPT = """
import json, sys
import litellm
litellm.suppress_debug_info = True
options = json.load(sys.stdin)
try:
    stream = litellm.completion(**options)
    parts, reasons = [], []
    for chunk in stream:
        parts.append(chunk.choices[0].delta.content or "")
        reasons.append(chunk.choices[0].finish_reason)
    usage = stream.chunks and litellm.stream_chunk_builder(stream.chunks).usage
    result = {"parts": parts, "reasons": [reason for reason in reasons if reason], "total": usage and usage.total_tokens}
except Exception as error:
    result = {"error": type(error).__name__, "text": str(error)}
print("RESULT " + json.dumps(result))
"""


def litellm_stream(bridge: Bridge, model: str, text: str) -> SimpleNamespace:
    found = run_litellm(
        LITELLM_SCRIPT,
        bridge,
        model=model,
        messages=[{"role": "user", "content": text}],
        stream=True,
        stream_options={"include_usage": True},
        num_retries=0,
        max_retries=0,
    )
    return SimpleNamespace(**found)


def test_litellm_stream(demo: Bridge, model: str) -> None:
    found = litellm_stream(demo, model, "demo: tokens=5 usage=10,0,5,0")
    assert [part for part in found.parts if part] == tokens(5)
    assert found.reasons == ["stop"]
    assert found.total == 15


def test_litellm_sees_an_error_in_a_stream(demo: Bridge, model: str) -> None:
    found = litellm_stream(demo, model, "demo: tokens=20 cut=10")
    assert "error" in vars(found), found


# -- aiohttp


def test_aiohttp_reuses_one_connection(demo: Bridge) -> None:
    """As OpenWebUI does: streams and whole answers on the same connection (C25)."""
    opened: list[int] = []

    async def run() -> list[str]:
        trace = aiohttp.TraceConfig()

        async def created(*_: Any) -> None:
            opened.append(1)

        trace.on_connection_create_end.append(created)
        texts = []
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession(
            headers=headers, trace_configs=[trace]
        ) as session:
            for number in range(6):
                streaming = number % 2 == 0
                body = {
                    "messages": [
                        {"role": "user", "content": f"demo: tokens=2 id=n{number}"}
                    ],
                    "stream": streaming,
                }
                async with session.post(
                    demo.url + "/chat/completions", json=body
                ) as response:
                    data = await response.read()
                if streaming:
                    texts.append(parse_chat_stream(data).text)
                else:
                    texts.append(json.loads(data)["choices"][0]["message"]["content"])
        return texts

    assert asyncio.run(run()) == [f"n{n}-0 n{n}-1 " for n in range(6)]
    assert len(opened) == 1


# -- curl


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )


def authorization() -> list[str]:
    return ["--header", f"Authorization: Bearer {API_KEY}"]


def test_curl_with_a_large_body_waits_for_100_continue(
    demo: Bridge, tmp_path: Path
) -> None:
    content = "x" * 1_500_000 + "\ndemo: tokens=2"
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"messages": [{"role": "user", "content": content}]}))
    found = curl(
        "--verbose",
        "--expect100-timeout",
        "30",
        *authorization(),
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        f"@{body}",
        demo.url + "/chat/completions",
    )
    assert "Expect: 100-continue" in found.stderr
    assert "HTTP/1.1 100 Continue" in found.stderr
    answer = json.loads(found.stdout)
    assert answer["choices"][0]["message"]["content"] == "t0 t1 "


@pytest.mark.parametrize(
    ("key", "size", "status"), [("wrong", 1_500_000, 401), (API_KEY, 11 << 20, 413)]
)
def test_curl_is_refused_before_it_sends_the_body(
    fake: Bridge, tmp_path: Path, key: str, size: int, status: int
) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b"x" * size)
    found = curl(
        "--verbose",
        "--expect100-timeout",
        "30",
        "--header",
        f"Authorization: Bearer {key}",
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        f"@{body}",
        fake.url + "/chat/completions",
    )
    assert f"HTTP/1.1 {status}" in found.stderr
    assert "100 Continue" not in found.stderr
    assert set(json.loads(found.stdout)) == {"error"}


def test_curl_without_a_content_type(demo: Bridge) -> None:
    """`curl -d` says it is a form, although the body is JSON (C5)."""
    body = {"messages": [{"role": "user", "content": "demo: tokens=2"}]}
    found = curl(
        *authorization(), "--data", json.dumps(body), demo.url + "/chat/completions"
    )
    answer = json.loads(found.stdout)
    assert answer["choices"][0]["message"]["content"] == "t0 t1 "


def test_curl_stream(demo: Bridge) -> None:
    body = {
        "messages": [{"role": "user", "content": "demo: tokens=3"}],
        "stream": True,
    }
    found = curl(
        "--no-buffer",
        *authorization(),
        "--json",
        json.dumps(body),
        demo.url + "/chat/completions",
    )
    assert parse_chat_stream(found.stdout.encode()).content == tokens(3)


def test_curl_with_a_chunked_body(demo: Bridge, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"messages":[{"role":"user","content":"demo: tokens=1"}]}')
    found = curl(
        *authorization(),
        "--header",
        "Content-Type: application/json",
        "--header",
        "Transfer-Encoding: chunked",
        "--data-binary",
        f"@{body}",
        demo.url + "/chat/completions",
    )
    assert json.loads(found.stdout)["choices"][0]["message"]["content"] == "t0 "
