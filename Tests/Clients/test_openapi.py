"""GET /openapi.json: a sound description (OpenAPI 3.1) that the running bridge keeps to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from harness import API_KEY, Bridge, checked_error

Json = dict[str, Any]

# What of schemathesis is asked for. Not whether everything that fits the schemas is accepted, and
# nothing else: a model that does not exist fits them, and what clients send by default and nobody
# needs must not fail a request.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
]


def document(bridge: Bridge) -> Json:
    answer = bridge.request("GET", "/openapi.json", key=None)
    assert answer.status == 200
    found = answer.json
    assert isinstance(found, dict)
    return found


def test_it_is_a_sound_description(fake: Bridge) -> None:
    OpenAPIV31SpecValidator(document(fake)).validate()


def test_it_needs_no_key_and_tells_no_secret(fake: Bridge) -> None:
    text = fake.request("GET", "/v1/openapi.json", key=None).body.decode()
    assert API_KEY not in text
    assert str(fake.root) not in text


def test_a_path_that_is_described_is_answered(fake: Bridge) -> None:
    for path, operations in document(fake)["paths"].items():
        if "{" in path or "get" not in operations or path == "/api/events":
            continue
        answer = fake.request("GET", path)
        assert str(answer.status) in operations["get"]["responses"], path
        if answer.status >= 400:
            checked_error(answer.json)


@pytest.mark.parametrize("engine", ["fake", "demo"])
def test_the_bridge_keeps_to_it(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Requests made of the description, good and bad, the same ones each time."""
    bridge: Bridge = request.getfixturevalue(engine)
    # A feed that ends when its client leaves.
    left_out = ["/api/events"]
    if engine == "fake":
        # The fake engine has no records of threads.
        left_out.append("/v1/sessions/{session_id}/messages")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{bridge.base_url}/openapi.json",
        "--header", f"Authorization: Bearer {API_KEY}", "--seed", "1",
        # With the real engine a turn takes a while.
        "--max-examples", "10" if engine == "fake" else "3", "--no-shrink",
        "--phases", "coverage,fuzzing,stateful" if engine == "fake" else "fuzzing,stateful",
        "--checks", ",".join(CHECKS), "--request-timeout", "60", "--warnings", "off",
    ]  # fmt: skip
    for path in left_out:
        command += ["--exclude-path", path]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert bridge.request("GET", "/health").status == 200
