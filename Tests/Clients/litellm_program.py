"""LiteLLM, which lives in an environment of its own: it wants another openai than these tests. No test cases here."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from harness import API_KEY, Bridge


def run_litellm(script: str, bridge: Bridge, **options: Any) -> Any:
    """What `script` prints after RESULT; it reads the arguments of `litellm.completion` from its standard input."""
    python = os.environ.get("LITELLM_PYTHON")
    if python is None:
        pytest.fail(
            "LITELLM_PYTHON must name a Python with litellm (Tests/run.sh does)"
        )
    options = {
        "custom_llm_provider": "openai",
        "api_base": bridge.url,
        "api_key": API_KEY,
        **options,
    }
    found = subprocess.run(
        [python, "-c", script],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        timeout=120,
        # Its price list comes from the network unless it is told to use its own.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        check=False,
    )
    lines = [line for line in found.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, found.stdout + found.stderr
    return json.loads(lines[-1].removeprefix("RESULT "))
