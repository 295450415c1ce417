"""A second Codex CLI as a client of the Responses API: the real one before the bridge and behind it, over SSE and over
a WebSocket."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutting_proxy import close
from functions import MODELS, WEATHER
from harness import API_KEY, Bridge, Json, eventually
from responses import MODEL, post

# How the client's own commands are named, since Codex has one of the same name behind the bridge too.
COMMAND = "client/exec_command"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Wire:
    """Passes connections on to the bridge, and keeps what the client sends over them."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.sent: list[bytes] = []

    def __enter__(self) -> Wire:  # noqa: PYI034 (Self needs Python 3.11)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def count(self, text: bytes) -> int:
        return b"".join(self.sent).count(text)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._address)
            for source, target, kept in ((client, server, self.sent), (server, client, [])):
                threading.Thread(target=pass_on, args=(source, target, kept), daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket, kept: list[bytes]) -> None:
    try:
        while piece := source.recv(1 << 16):
            kept.append(piece)
            target.sendall(piece)
    except OSError:
        pass
    close(source, target)


class Run:
    """What `codex exec --json` has told."""

    def __init__(self, found: subprocess.CompletedProcess[str]) -> None:
        self.status = found.returncode
        self.events = [json.loads(line) for line in found.stdout.splitlines()]
        self.errors = found.stderr

    def items(self, kind: str) -> list[Json]:
        """Those that have ended."""
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in items if item["type"] == kind]

    @property
    def text(self) -> str:
        """The answer of a turn that has ended well."""
        assert self.status == 0, (self.events, self.errors)
        assert self.events[-1]["type"] == "turn.completed"
        assert [event for event in self.events if event["type"] in ("error", "turn.failed")] == []
        return str(self.items("agent_message")[-1]["text"])


class Codex:
    """A Codex with a home and a directory of its own, which asks the bridge."""

    def __init__(self, root: Path, wire: Wire, *, over_websocket: bool) -> None:
        self.wire = wire
        self.home = root / "codex"
        # Not what /tmp may be a link to.
        self.work = (root / "outside").resolve()
        for directory in (self.home, self.work):
            directory.mkdir()
        self.home.joinpath("config.toml").write_text(
            f"""
            model_provider = "bridge"
            [model_providers.bridge]
            name = "bridge"
            base_url = "{wire.url}"
            env_key = "BRIDGE_KEY"
            wire_api = "responses"
            supports_websockets = {str(over_websocket).lower()}
            # The first failure is told.
            request_max_retries = 0
            stream_max_retries = 0
            """
        )

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this machine's settings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "BRIDGE_KEY": API_KEY,
        }

    def command(self, *arguments: str, model: str = MODEL) -> list[str]:
        *options, prompt = arguments
        common = ["--json", "--skip-git-repo-check", "--model", model]
        return [os.environ["CODEX_BIN"], "exec", *options, *common, prompt]

    def run(self, *arguments: str, model: str = MODEL) -> Run:
        found = subprocess.run(
            self.command(*arguments, model=model),
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Run(found)


@pytest.fixture
def wire(demo: Bridge) -> Iterator[Wire]:
    with Wire(demo.address) as wire:
        yield wire


@pytest.fixture(params=[False, True], ids=["sse", "websocket"])
def codex(request: pytest.FixtureRequest, wire: Wire, tmp_path: Path) -> Iterator[Codex]:
    """Once for each transport, of which it is checked that no other was used."""
    yield Codex(tmp_path, wire, over_websocket=request.param)
    posts, sockets = wire.count(b"POST /v1/responses "), wire.count(b"GET /v1/responses ")
    assert (posts == 0, sockets == 0) == (request.param, not request.param)


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_and_a_second_turn(codex: Codex, model: str) -> None:
    first = codex.run("demo: usage=11,4,7,2 say=One.", model=model)
    assert first.text == "One."
    usage = first.events[-1]["usage"]
    assert (usage["input_tokens"], usage["cached_input_tokens"]) == (11, 4)
    assert (usage["output_tokens"], usage["reasoning_output_tokens"]) == (7, 2)
    told = codex.run("resume", "--last", "demo: history", model=model).text
    assert told.count("user: demo: usage=11,4,7,2 say=One.\nassistant: One.\nuser: demo: history") == 1
    # What the client's Codex says of itself reaches the model.
    assert str(codex.work) in told


def test_a_command_of_the_clients(codex: Codex) -> None:
    """The model calls it, and the client's Codex runs it, in its own directory."""
    found = codex.run(f'demo: say="Let me see. " call={COMMAND}:{{"cmd":"pwd; exit 3"}} round outputs')
    assert found.text.startswith("The command printed: ")
    assert "code 3" in found.text
    assert f"\n{codex.work}\n" in found.text
    assert found.items("agent_message")[0]["text"] == "Let me see. "
    [ran] = found.items("command_execution")
    assert (ran["aggregated_output"], ran["exit_code"]) == (f"{codex.work}\n", 3)
    # Nothing was run behind the bridge.
    assert found.items("reasoning") == []


def test_commands_side_by_side(codex: Codex) -> None:
    calls = " ".join(f'call={COMMAND}:{{"cmd":"echo {number}-$((1+1))"}}' for number in range(3))
    found = codex.run(f"demo: {calls} round outputs call={COMMAND}:{{\"cmd\":\"echo last\"}} round outputs")
    ran = found.items("command_execution")
    assert sorted(each["aggregated_output"] for each in ran[:3]) == ["0-2\n", "1-2\n", "2-2\n"]
    assert [each["aggregated_output"] for each in ran[3:]] == ["last\n"]
    assert found.text.rstrip().endswith("last")


def test_both_commands_of_the_same_name(codex: Codex, demo: Bridge) -> None:
    """Codex behind the bridge has a command of this name too. Each is run where it belongs; of the one behind the
    bridge the client is told in the reasoning."""
    found = codex.run(
        'demo: call=exec_command:{"cmd":"echo behind; pwd"} round outputs'
        f' call={COMMAND}:{{"cmd":"echo before; pwd"}} round outputs'
    )
    [ran] = found.items("command_execution")
    assert ran["aggregated_output"] == f"before\n{codex.work}\n"
    told = [message["text"] for message in found.items("agent_message")]
    assert f"behind\n{demo.work.resolve()}\n" in told[0]
    assert f"before\n{codex.work}\n" in told[-1]
    assert "echo behind" in "".join(item["text"] for item in found.items("reasoning"))


def test_commands_are_remembered_in_the_next_turn(codex: Codex) -> None:
    codex.run(f'demo: call={COMMAND}:{{"cmd":"echo first-$((1+1))"}} round outputs')
    found = codex.run("resume", "--last", f'demo: call={COMMAND}:{{"cmd":"echo second"}} round history')
    assert [each["aggregated_output"] for each in found.items("command_execution")] == ["second\n"]
    assert found.text.count("first-2") == 1


def test_an_answer_of_a_schema(codex: Codex, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    properties = {"name": {"const": "Ada"}, "age": {"const": 36}}
    schema.write_text(
        json.dumps(
            {"type": "object", "properties": properties, "required": ["name", "age"], "additionalProperties": False}
        )
    )
    found = codex.run("--output-schema", str(schema), "Who is that?")
    assert json.loads(found.text) == {"name": "Ada", "age": 36}


def test_an_image(codex: Codex, tmp_path: Path) -> None:
    image = tmp_path / "pixel.png"
    image.write_bytes(base64.b64decode(PIXEL))
    told = codex.run(f"--image={image}", "demo: history").text
    assert told.count("[input_image]") == 1


def test_what_the_model_thinks(codex: Codex) -> None:
    found = codex.run("demo: reasoning=2 tokens=3")
    assert found.text == "t0 t1 t2 "
    assert found.items("reasoning") != []


@pytest.mark.parametrize("script", ["fail=insufficient_quota", "tokens=4 fail=insufficient_quota"])
def test_a_failure(codex: Codex, script: str) -> None:
    """What went wrong behind the bridge is told before it, and it is not tried again."""
    found = codex.run(f"demo: {script}")
    assert found.status == 1
    assert found.events[-1]["type"] == "turn.failed"
    assert "quota" in found.events[-1]["error"]["message"].lower()
    assert codex.run("demo: say=Again.").text == "Again."


def test_a_client_that_goes_away(codex: Codex, demo: Bridge) -> None:
    """Its turn ends behind the bridge too."""

    def runs(count: int) -> bool:
        return f"codexbridge_turns_running {count}\n" in demo.request("GET", "/metrics").body.decode()

    assert eventually(lambda: runs(0))
    with subprocess.Popen(
        codex.command("demo: tokens=1000 delay=100"),
        cwd=codex.work,
        env=codex.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert eventually(lambda: runs(1))
        process.kill()
    assert eventually(lambda: runs(0))


# -- Tools in other forms of Codex's

FLAT_WEATHER = {"type": "function", **WEATHER["function"]}
SCRIPT = 'demo: call=get_weather:{"city":"Rome"}'


def calls_of(bridge: Bridge, body: Json) -> list[Json]:
    answer = post(bridge, body, originator="codex_exec")
    assert answer.status == 200, answer.body
    return [item for item in answer.json["output"] if item["type"] == "function_call"]


@pytest.mark.parametrize("model", MODELS)
def test_functions_in_a_namespace(demo: Bridge, model: str) -> None:
    """Codex writes those of an MCP server, and its own for several agents, so. A call names the namespace too."""
    script = SCRIPT.replace("get_weather", "weather__get_weather")
    tools = [{"type": "namespace", "name": "weather", "description": "Weather", "tools": [FLAT_WEATHER]}]
    [call] = calls_of(demo, {"model": model, "input": script, "tools": tools})
    assert (call["name"], call["namespace"]) == ("get_weather", "weather")
    # Names that look like Codex's own are taken too.
    tools = [{**tools[0], "name": "mcp__weather"}, {**FLAT_WEATHER, "name": "mcp__get_weather"}]
    assert calls_of(demo, {"model": model, "input": "demo: tokens=1", "tools": tools}) == []


@pytest.mark.parametrize("model", MODELS)
def test_functions_in_the_input(demo: Bridge, model: str) -> None:
    """For its newer models Codex sends its tools as an item of the input."""
    tools = {"type": "additional_tools", "role": "developer", "tools": [FLAT_WEATHER]}
    [call] = calls_of(demo, {"model": model, "input": [tools, {"role": "user", "content": SCRIPT}]})
    assert call["name"] == "get_weather"
