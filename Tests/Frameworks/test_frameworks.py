"""Agent frameworks call functions through the bridge, each in an environment and a process of its own: a text and two
calls side by side, one more call, the answer. By `/v1/chat/completions`, and those that can by `/v1/responses` too. See
`programs`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions import CALLED, FIRST_TEXT, LAST_TEXT, MODELS, SECOND_TEXT, TWO_ROUNDS
from harness import API_KEY, Bridge, Json, tokens

pytestmark = pytest.mark.parametrize("model", MODELS)

PROGRAMS = Path(__file__).resolve().parent / "programs"
TEXTS = [FIRST_TEXT, SECOND_TEXT, LAST_TEXT]
PERSON = {"name": "Ada", "age": 36}


def run(
    framework: str, bridge: Bridge, model: str, home: Path, *, environment: str = "most"
) -> Json:
    """What the program of a framework tells."""
    python = Path(os.environ["FRAMEWORKS"]) / environment / "bin" / "python"
    # Nothing of this machine's settings, and no look at the network for prices.
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "BRIDGE_URL": bridge.url,
        "BRIDGE_KEY": API_KEY,
        "BRIDGE_MODEL": model,
        "BRIDGE_TASK": TWO_ROUNDS,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    # Its modules share their names with those of the tests, so it finds only what lies beside it.
    found = subprocess.run(
        [python, PROGRAMS / f"with_{framework}.py"],
        cwd=home,
        env=variables,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    lines = [line for line in found.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, found.stdout + found.stderr
    return dict(json.loads(lines[-1].removeprefix("RESULT ")))


def check_calls(found: Json, times: int) -> None:
    """That the functions have run `times` times; those of one answer may run in any order."""
    called = [(name, arguments) for name, arguments in found["called"]]
    assert len(called) == len(CALLED) * times
    for start in range(0, len(called), len(CALLED)):
        first, second, third = called[start : start + len(CALLED)]
        assert sorted([first, second], key=by_name) == sorted(CALLED[:2], key=by_name)
        assert third == CALLED[2]


def by_name(call: tuple[str, Any]) -> str:
    return call[0]


def check_history(told: str, *lines: str) -> None:
    """That these lines are all of what was said, each once: a model is told before them what Codex adds itself."""
    whole = "\n".join(lines)
    assert told.rstrip().endswith(whole), told[-2000:]
    assert told.count(lines[0]) == 1, told[-2000:]


@pytest.mark.parametrize(
    ("framework", "environment"),
    [("langgraph", "most"), ("litellm", "most"), ("llama_index", "llama-index")],
)
def test_an_agent_loop(
    demo: Bridge, model: str, tmp_path: Path, framework: str, environment: str
) -> None:
    """Whole answers, then streams."""
    found = run(framework, demo, model, tmp_path, environment=environment)
    check_calls(found, 2)
    assert found["texts"] == TEXTS
    assert found["streamed"] == "".join(TEXTS)


def test_llama_index_has_a_text_completed(
    demo: Bridge, model: str, tmp_path: Path
) -> None:
    found = run("llama_index_texts", demo, model, tmp_path, environment="llama-index")
    assert found["last"] == found["streamed"] == "".join(tokens(3))


def test_autogen(demo: Bridge, model: str, tmp_path: Path) -> None:
    found = run("autogen", demo, model, tmp_path)
    check_calls(found, 2)
    assert found["last"] == found["streamed"] == LAST_TEXT


def test_pydantic_ai(demo: Bridge, model: str, tmp_path: Path) -> None:
    """Tools, a stream, and an answer of a type of one's own, which is a function too."""
    found = run("pydantic_ai", demo, model, tmp_path)
    structured = found["called"].pop()
    assert structured == ["add", {"a": 1, "b": 2}]
    check_calls(found, 2)
    assert found["texts"] == TEXTS
    assert found["last"] == found["streamed"] == LAST_TEXT
    assert found["structured"] == {"sum": 3}


def test_instructor(demo: Bridge, model: str, tmp_path: Path) -> None:
    found = run("instructor", demo, model, tmp_path)
    assert found["structured"] == found["streamed"] == PERSON


def test_smolagents(demo: Bridge, model: str, tmp_path: Path) -> None:
    found = run("smolagents", demo, model, tmp_path)
    check_calls(found, 1)
    assert found["last"] == LAST_TEXT


def test_dspy(demo: Bridge, model: str, tmp_path: Path) -> None:
    check_calls(run("dspy", demo, model, tmp_path), 1)


def test_litellm_proxy(demo: Bridge, model: str, tmp_path: Path) -> None:
    found = run("litellm_proxy", demo, model, tmp_path)
    check_calls(found, 1)
    assert found["texts"] == TEXTS


# -- By the Responses API

TWO_TURNS = ("user: demo: say=One.", "assistant: One.", "user: demo: history")


def test_llama_index_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    """Whole answers, then streams; then it goes on from ids."""
    found = run("llama_index_responses", demo, model, tmp_path, environment="llama-index")
    check_calls(found, 2)
    assert found["texts"] == TEXTS
    assert found["streamed"] == "".join(TEXTS)
    [told] = found["histories"]
    check_history(told, *TWO_TURNS)


def test_pydantic_ai_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    """Histories and ids, a stream, and answers of types of one's own: by a function, and by a schema."""
    found = run("pydantic_ai_responses", demo, model, tmp_path)
    structured = found["called"].pop()
    assert structured == ["add", {"a": 1, "b": 2}]
    check_calls(found, 3)
    assert found["texts"] == found["texts_by_id"] == TEXTS
    assert found["last"] == found["streamed"] == LAST_TEXT
    assert found["structured"] == {"sum": 3}
    assert found["native"] == PERSON
    assert found["thought"] == ["thinking", "text"]
    assert len(found["histories"]) == 2
    for told in found["histories"]:
        check_history(told, f"assistant: {LAST_TEXT}", "user: demo: history")
        assert told.count(f"user: {TWO_ROUNDS}") == 1


def test_instructor_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    found = run("instructor_responses", demo, model, tmp_path)
    assert found["structured"] == found["streamed"] == PERSON


def test_dspy_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    check_calls(run("dspy_responses", demo, model, tmp_path), 1)


def test_llm_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    """Its library and its command, which ends with an error if a stream does."""
    found = run("llm_responses", demo, model, tmp_path)
    check_calls(found, 2)
    assert found["texts"] == TEXTS
    assert found["streamed"] == "".join(TEXTS)
    assert found["structured"] == PERSON
    assert found["last"] == "One.\n"
    [told] = found["histories"]
    check_history(told, *TWO_TURNS)
    assert found["failed"]


def test_semantic_kernel_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    """It goes on from ids, with whole answers and with streams."""
    found = run("semantic_kernel_texts", demo, model, tmp_path, environment="semantic-kernel")
    assert found["last"] == "One."
    assert len(found["histories"]) == 2
    for told in found["histories"]:
        check_history(told, *TWO_TURNS)


def test_semantic_kernel_calls_by_responses(demo: Bridge, model: str, tmp_path: Path) -> None:
    """With what the functions return it sends the question again."""
    found = run("semantic_kernel_responses", demo, model, tmp_path, environment="semantic-kernel")
    check_calls(found, 2)
    assert found["last"] == LAST_TEXT.replace("add", "Plugin-add")
    assert found["streamed"] == "".join(TEXTS).replace("get_weather", "Plugin-get_weather").replace("add", "Plugin-add")
