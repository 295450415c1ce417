"""What openai-python makes of the bridge's errors, and that it does not repeat a failed turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from openai import OpenAI

from harness import API_KEY, Bridge, client_of, descendants, eventually

HELLO: Any = [{"role": "user", "content": "demo: tokens=1"}]


@contextmanager
def counting_client(bridge: Bridge) -> Iterator[tuple[OpenAI, list[str]]]:
    """A client with its default retries, and the list of the requests it sends."""
    sent: list[str] = []
    http_client = openai.DefaultHttpxClient(
        event_hooks={"request": [lambda request: sent.append(request.url.path)]}
    )
    with OpenAI(
        api_key=API_KEY, base_url=bridge.url, http_client=http_client
    ) as client:
        assert client.max_retries > 0
        yield client, sent


def test_a_wrong_key(demo: Bridge, model: str) -> None:
    with (
        OpenAI(api_key="wrong", base_url=demo.url) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-no-such", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert "gpt-no-such" in caught.value.message


def test_an_unknown_effort(client: OpenAI, model: str) -> None:
    """Codex does not check it, so the bridge has to."""
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        client.chat.completions.create(model=f"{model}:banana", messages=HELLO)
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        client.chat.completions.create(
            model=model,
            messages=HELLO,
            reasoning_effort="banana",
        )


def test_a_bad_request_names_the_parameter(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=[])
    assert caught.value.param == "messages"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=HELLO, n=2)
    assert caught.value.param == "n"


def test_other_tools_than_functions_are_refused_by_name(
    client: OpenAI, model: str
) -> None:
    other: Any = [{"type": "code_interpreter"}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=HELLO, tools=other)
    assert caught.value.param == "tools[0].type"
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    answer = client.chat.completions.create(
        model=model, messages=HELLO, tools=tools, tool_choice="none"
    )
    assert answer.choices[0].message.content == "t0 "


@pytest.mark.parametrize(
    ("directive", "error", "code"),
    [
        ("status=500", openai.InternalServerError, None),
        ("fail=insufficient_quota", openai.RateLimitError, "insufficient_quota"),
        (
            "fail=context_length_exceeded",
            openai.BadRequestError,
            "context_length_exceeded",
        ),
    ],
)
def test_a_failed_turn_is_not_repeated(
    demo: Bridge,
    model: str,
    directive: str,
    error: type[openai.APIStatusError],
    code: str | None,
) -> None:
    """An agent acts on files: a second run is no retry (C13)."""
    with counting_client(demo) as (client, sent), pytest.raises(error) as caught:
        client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": f"demo: {directive}"}]
        )
    assert len(sent) == 1
    assert caught.value.response.headers["x-should-retry"] == "false"
    if code is not None:
        assert caught.value.code == code


def test_a_failed_turn_of_the_fake_is_a_codex_error(fake: Bridge) -> None:
    with (
        counting_client(fake) as (client, sent),
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.chat.completions.create(
            model="gpt-5.5",
            messages=[{"role": "user", "content": "demo: fail=sandboxError"}],
        )
    assert len(sent) == 1
    assert caught.value.status_code == 502
    assert caught.value.type == "codex_error"
    assert caught.value.code == "sandboxError"


def test_a_usage_limit_says_when_to_come_back(start_bridge: Any) -> None:
    """Hours are told honestly: the clients do not retry a delay above 120 s (C14)."""
    bridge = start_bridge(fake=True, options="resets=7200")
    answer = bridge.chat("demo: fail=usageLimitExceeded")
    assert answer.status == 429
    assert answer.error["code"] == "insufficient_quota"
    assert answer.headers["x-should-retry"] == "false"
    assert 7000 < float(answer.headers["retry-after"]) <= 7200


def test_an_error_in_a_stream_is_raised(client: OpenAI, model: str) -> None:
    """`cut` ends the model's stream in the middle of the text."""
    text = ""
    # Where Codex has not read a word before the cut, the answer has the status of its failure.
    with pytest.raises(openai.APIError):
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "demo: tokens=20 cut=10"}],
            stream=True,
        )
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
            assert chunk.choices[0].finish_reason is None
    assert text == "".join(f"t{i} " for i in range(len(text.split())))


def test_not_logged_in(start_bridge: Any) -> None:
    bridge = start_bridge(fake=True, options="not-logged-in", wait_ready=False)

    def reason() -> str:
        answer = bridge.request("GET", "/ready", key=None)
        assert answer.status == 503
        return str(answer.body.decode())

    assert eventually(lambda: "not_logged_in" in reason()), reason()
    answer = bridge.chat("hello")
    assert answer.status == 503
    assert answer.error["type"] == "codex_unavailable"
    assert answer.error["code"] == "not_logged_in"
    assert "login" in answer.error["message"]
    assert answer.headers.get("x-should-retry") != "false"


def test_a_missing_codex(start_bridge: Any) -> None:
    bridge = start_bridge(
        fake=True, environment={"CODEX_BIN": "/no/such/codex"}, wait_ready=False
    )
    assert bridge.request("GET", "/health", key=None).status == 200
    assert eventually(
        lambda: b"codex_missing" in bridge.request("GET", "/ready", key=None).body
    )
    answer = bridge.chat("hello")
    assert answer.status == 503
    assert answer.error["code"] == "codex_missing"


def test_the_engine_dies_with_a_killed_bridge(
    start_bridge: Any, engine_is_fake: bool
) -> None:
    bridge = start_bridge(fake=engine_is_fake)
    with client_of(bridge) as client:
        client.chat.completions.create(
            model=client.models.list().data[0].id, messages=HELLO
        )
    children = descendants(bridge.pid)
    assert children
    with bridge.open_stream("demo: tokens=500 delay=50") as stream:
        stream.read_until(b"t1 ")
        bridge.kill()

        def gone(pid: int) -> bool:
            try:
                with open(f"/proc/{pid}/stat") as file:
                    return file.read().rpartition(")")[2].split()[0] == "Z"
            except FileNotFoundError:
                return True

        assert eventually(lambda: all(gone(pid) for pid in children))
