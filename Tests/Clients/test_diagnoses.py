"""What the log says to whoever can mend it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from harness import Bridge, eventually

StartBridge = Callable[..., Bridge]


def json_lines(bridge: Bridge) -> list[dict[str, object]]:
    return [json.loads(line) for line in bridge.log().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_failed_turn_names_its_reason_session_and_model(
    start_bridge: StartBridge, is_stream: bool
) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_LOG_FORMAT": "json"})
    words = "demo: fail=other message=the_provider_is_on_holiday"
    bridge.chat(words, session_id="s", model="gpt-5.5", stream=is_stream)
    assert eventually(lambda: any(line["message"] == "a turn failed" for line in json_lines(bridge)))
    [line] = [line for line in json_lines(bridge) if line["message"] == "a turn failed"]
    assert "the provider is on holiday" in str(line["reason"])
    assert (line["session"], line["model"]) == ("s", "gpt-5.5")


def test_every_line_of_a_start_is_in_the_chosen_format(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_LOG_FORMAT": "json"}, wait_ready=False)
    lines = [json.loads(line) for line in bridge.log().splitlines()]
    [listening] = [line for line in lines if line["message"].startswith("listening on ")]
    assert listening["url"] == bridge.base_url
    assert eventually(lambda: any("pid" in line for line in json_lines(bridge)))
    [running] = [line for line in json_lines(bridge) if "pid" in line]
    assert isinstance(running["pid"], int)


def test_a_refused_start_is_in_the_chosen_format(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    environment = bridge.environ() | {"CODEX_LOG_FORMAT": "json", "PORT": "no number"}
    refused = subprocess.run(
        [os.environ["BRIDGED_BIN"], "serve"],
        cwd=bridge.root, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    [line] = [json.loads(line) for line in refused.stderr.splitlines()]
    assert line["level"] == "critical"
    assert "PORT" in line["message"]


def test_an_mcp_server_that_does_not_start_is_named_once(start_bridge: StartBridge) -> None:
    overrides = 'mcp_servers.gone.command="/nonexistent/server"'
    bridge = start_bridge(environment={"CODEX_CONFIG": overrides})
    told = "an MCP server of Codex does not start"
    for _ in range(2):
        assert bridge.chat("demo: tokens=1", timeout=120).status == 200
    assert eventually(lambda: told in bridge.log())
    assert bridge.log().count(told) == 1
    assert "server=gone" in bridge.log()


def test_the_hint_of_bubblewrap_is_told_once_where_the_sandbox_fails(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="bubblewrap-hint broken-sandbox")
    told = "Codex's sandbox does not work"
    assert eventually(lambda: told in bridge.log())
    assert bridge.chat("demo: tokens=1").status == 200
    assert bridge.log().count(told) == 1
    assert bridge.log().count("could not find bubblewrap") == 1


def test_the_hint_of_bubblewrap_is_not_told_where_the_sandbox_works(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="bubblewrap-hint")
    for _ in range(2):
        assert bridge.chat("demo: tokens=1").status == 200
    assert "could not find bubblewrap" not in bridge.log()
