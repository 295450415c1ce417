"""POST /v1/completions: clients of OpenAI's older API, which has a text completed."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import openai
import pytest
from langchain_openai import OpenAI as LangChainOpenAI
from openai import OpenAI
from openai.types import Completion

from harness import API_KEY, Bridge, Json, async_client_of, tokens
from litellm_program import run_litellm


def checked(value: Json) -> Completion:
    """A completion as OpenAI describes it, and nothing else. The chunks of a stream have the same form, but for the
    reason of the end, which is null before the last: OpenAI's own type does not know that."""
    extra = set(value) - set(Completion.model_fields)
    assert extra <= {"session_id"}, extra
    for choice in value["choices"]:
        assert set(choice) == {"text", "index", "logprobs", "finish_reason"}
        if choice["finish_reason"] is None:
            choice["finish_reason"] = "stop"
    assert value["id"].startswith("cmpl-")
    return Completion.model_validate(value, strict=True)


# -- openai-python


def test_an_answer(client: OpenAI, model: str) -> None:
    answer = client.completions.create(
        model=model, prompt="demo: tokens=3 usage=11,4,7,2", max_tokens=16
    )
    assert answer.object == "text_completion"
    assert answer.model == model
    [choice] = answer.choices
    assert choice.index == 0
    assert choice.text == "t0 t1 t2 "
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert answer.usage is not None
    assert answer.usage.to_dict() == {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def test_the_form_of_both_answers(bridge: Bridge) -> None:
    """Of both engines, byte by byte what comes: without leniency."""
    body = {"prompt": "demo: tokens=3 usage=3,0,2,0"}
    whole = bridge.request("POST", "/v1/completions", body)
    assert whole.status == 200
    text = checked(whole.json).choices[0].text
    options = {"stream": True, "stream_options": {"include_usage": True}}
    stream = bridge.request("POST", "/v1/completions", body | options)
    events = stream.body.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    values = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    ends = [c["finish_reason"] for value in values for c in value["choices"]]
    assert ends == [None] * (len(ends) - 1) + ["stop"]
    chunks = [checked(value) for value in values]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == text
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 5


def test_a_stream(client: OpenAI, model: str) -> None:
    stream = client.completions.create(
        model=model,
        prompt=["demo: tokens=4 usage=10,0,4,0"],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert [choice.text for choice in choices] == [*tokens(4), ""]
    assert choices[-1].finish_reason == "stop"
    assert [chunk.usage is not None for chunk in chunks] == [False] * 5 + [True]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 14


def test_the_asynchronous_client(demo: Bridge, model: str) -> None:
    async def run() -> tuple[str, str]:
        async with async_client_of(demo) as client:
            answer = await client.completions.create(
                model=model, prompt="demo: tokens=2 id=whole"
            )
            stream = await client.completions.create(
                model=model, prompt="demo: tokens=2 id=parts", stream=True
            )
            text = ""
            async for chunk in stream:
                text += chunk.choices[0].text
            return answer.choices[0].text, text

    assert asyncio.run(run()) == ("whole-0 whole-1 ", "parts-0 parts-1 ")


@pytest.mark.parametrize("beside", ["reasoning=3", "commentary"])
def test_only_the_answer_is_told(client: OpenAI, model: str, beside: str) -> None:
    prompt = f"demo: {beside} tokens=2"
    answer = client.completions.create(model=model, prompt=prompt)
    assert answer.choices[0].text == "t0 t1 "
    stream = client.completions.create(model=model, prompt=prompt, stream=True)
    assert [chunk.choices[0].text for chunk in stream] == [*tokens(2), ""]


def test_stop_cuts_before_the_match(client: OpenAI, model: str) -> None:
    prompt = "demo: tokens=400 delay=20"
    answer = client.completions.create(model=model, prompt=prompt, stop=["t5 "])
    assert answer.choices[0].text == "t0 t1 t2 t3 t4 "
    assert answer.choices[0].finish_reason == "stop"
    stream = client.completions.create(
        model=model, prompt=prompt, stop="t5 ", stream=True
    )
    choices = [chunk.choices[0] for chunk in stream]
    assert "".join(choice.text for choice in choices) == "t0 t1 t2 t3 t4 "
    assert choices[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"n": 2}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"echo": True}, "echo"),
        ({"logprobs": 1}, "logprobs"),
        ({"suffix": "end"}, "suffix"),
    ],
)
def test_what_cannot_be_done_is_refused(
    client: OpenAI, model: str, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**({"model": model, "prompt": "a"} | fields))
    assert refused.value.param == param


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.completions.create(model="no-such-model", prompt="a")
    assert refused.value.code == "model_not_found"


def test_a_failure(client: OpenAI, model: str) -> None:
    prompt = "demo: fail=insufficient_quota"
    with pytest.raises(openai.RateLimitError):
        client.completions.create(model=model, prompt=prompt)


def test_a_failure_in_a_stream(client: OpenAI, model: str) -> None:
    text = ""
    # Where Codex has not read a word before the cut, the answer has the status of its failure.
    with pytest.raises(openai.APIError):
        stream = client.completions.create(
            model=model, prompt="demo: tokens=20 cut=10", stream=True
        )
        for chunk in stream:
            text += chunk.choices[0].text
            assert chunk.choices[0].finish_reason is None
    assert text == "".join(tokens(len(text.split())))


def test_what_has_no_effect_is_named(client: OpenAI, model: str) -> None:
    raw = client.completions.with_raw_response.create(
        model=model, prompt="demo: tokens=1", max_tokens=5, temperature=0.5, seed=1
    )
    assert raw.headers["x-bridge-ignored"] == "temperature, max_tokens, seed"
    assert raw.parse().choices[0].text == "t0 "


def test_a_text_begins_no_conversation(client: OpenAI, model: str) -> None:
    """Unless it names a session."""
    named = {"session_id": "texts"}
    for extra, states in [({}, ["new", "new"]), (named, ["new", "continued"])]:
        for state in states:
            raw = client.completions.with_raw_response.create(
                model=model, prompt="demo: tokens=1", extra_body=extra
            )
            assert raw.headers["x-bridge-session-state"] == state
            assert raw.headers.get("x-bridge-session") == extra.get("session_id")


# -- LangChain


def langchain(bridge: Bridge, model: str, **options: Any) -> LangChainOpenAI:
    return LangChainOpenAI(
        model=model,
        api_key=API_KEY,  # type: ignore[arg-type]
        base_url=bridge.url,
        **options,
    )


def test_langchain(demo: Bridge, model: str) -> None:
    llm = langchain(demo, model)
    assert llm.invoke("demo: tokens=3") == "t0 t1 t2 "
    assert llm.invoke("demo: tokens=9", stop=["t2"]) == "t0 t1 "
    assert [text for text in llm.stream("demo: tokens=3") if text] == tokens(3)


def test_langchain_asks_for_several_texts_one_by_one(demo: Bridge, model: str) -> None:
    prompts = ["demo: tokens=1 id=a", "demo: tokens=1 id=b"]
    assert langchain(demo, model, batch_size=1).batch(prompts) == ["a-0 ", "b-0 "]
    with pytest.raises(openai.BadRequestError, match="batch_size=1"):
        langchain(demo, model).batch(prompts)


# -- LiteLLM

LITELLM_SCRIPT = """
import json, sys
import litellm
litellm.suppress_debug_info = True
options = json.load(sys.stdin)
whole = litellm.text_completion(**options)
parts, reasons = [], []
for chunk in litellm.text_completion(**options, stream=True):
    parts.append(chunk.choices[0].text or "")
    reasons.append(chunk.choices[0].finish_reason)
try:
    litellm.text_completion(**{**options, "prompt": ["a", "b"]})
    error = ""
except Exception as raised:
    error = type(raised).__name__
print("RESULT " + json.dumps({
    "id": whole.id[:5], "object": whole.object, "text": whole.choices[0].text, "total": whole.usage.total_tokens,
    "parts": [part for part in parts if part], "reasons": [reason for reason in reasons if reason],
    "error": error,
}))
"""


def test_litellm(demo: Bridge, model: str) -> None:
    """Under its provider `openai` it sends texts to models that it knows as messages of a chat."""
    found = run_litellm(
        LITELLM_SCRIPT,
        demo,
        custom_llm_provider="text-completion-openai",
        model=model,
        prompt="demo: tokens=5 usage=10,0,5,0",
        num_retries=0,
        max_retries=0,
    )
    assert found == {
        "id": "cmpl-",
        "object": "text_completion",
        "text": "".join(tokens(5)),
        "total": 15,
        "parts": tokens(5),
        "reasons": ["stop"],
        "error": "BadRequestError",
    }


# -- curl


def test_curl(demo: Bridge) -> None:
    """As in OpenAI's own example, which has no conversation and no model of a chat."""
    found = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "60"),
            *("--header", f"Authorization: Bearer {API_KEY}"),
            *("--data", json.dumps({"prompt": "demo: tokens=2", "stream": True})),
            demo.url + "/completions",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in found.stdout.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    choices = [json.loads(line[6:])["choices"][0] for line in lines[:-1]]
    assert [choice["text"] for choice in choices] == [*tokens(2), ""]
