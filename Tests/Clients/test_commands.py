"""The commands that ask a running bridge, and what somebody is told who mistypes one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import API_KEY, Bridge, eventually

StartBridge = Callable[..., Bridge]
Done = subprocess.CompletedProcess[str]

NOT_FOUND, NOT_RUNNING, NOT_READY, KEY_REFUSED, USAGE = 66, 69, 75, 77, 64


def run(bridge: Bridge, *arguments: str, **environ: str) -> Done:
    """A command with the settings of a bridge."""
    port = {"PORT": str(bridge.address[1])} if bridge.base_url else {}
    return subprocess.run(
        [os.environ["BRIDGED_BIN"], *arguments],
        cwd=bridge.root, env=bridge.environ() | port | environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def answer(bridge: Bridge, *arguments: str, **environ: str) -> Any:
    done = run(bridge, *arguments, "--json", **environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def idle(tmp_path: Path) -> Bridge:
    """One that was not started: its directories and settings."""
    return Bridge(tmp_path, fake=True)


# -- a bridge that runs


def test_status(bridge: Bridge) -> None:
    done = run(bridge, "status")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("bridged ")
    assert bridge.base_url in done.stdout
    assert ", ready" in done.stdout
    assert "read-only, no network, never asks" in done.stdout
    found = answer(bridge, "status")
    assert found["codex"]["ready"] is True
    assert found["url"] == bridge.base_url
    assert (found["sandbox"], found["network"]) == ("read-only", False)
    assert found["version"] == bridge.request("GET", "/version", key=None).json["version"]


def test_status_of_a_bridge_whose_codex_is_not_logged_in(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="not-logged-in", wait_ready=False)
    assert eventually(
        lambda: bridge.request("GET", "/ready", key=None).json.get("reason") == "not_logged_in"
    )
    done = run(bridge, "status")
    assert done.returncode == NOT_READY
    assert "not ready" in done.stdout
    assert "login" in done.stderr
    found = run(bridge, "status", "--json")
    assert found.returncode == NOT_READY
    assert json.loads(found.stdout)["codex"]["reason"] == "not_logged_in"


def test_models(bridge: Bridge) -> None:
    offered = [model["id"] for model in bridge.request("GET", "/v1/models").json["data"]]
    lines = run(bridge, "models").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["MODEL", *offered]
    assert [model["id"] for model in answer(bridge, "models")["data"]] == offered


def test_a_session_is_listed_shown_and_forgotten(demo: Bridge) -> None:
    bridge = demo
    name = "of the/commands: ../é 第二"
    text = 'demo: say="One\\u001b[2J\\u202etwo\\n\\nYou\\n  forged"'
    assert bridge.chat(text, session_id=name).status == 200
    listed = run(bridge, "sessions", "--search", "the/commands").stdout
    assert name in listed
    assert answer(bridge, "sessions", "list", "--limit", "1")["data"][0]["id"] == name

    done = run(bridge, "sessions", "show", name)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "  One\\u{1B}[2J\\u{202E}two" in done.stdout
    # What is said cannot look like a heading of ours.
    assert done.stdout.splitlines().count("You") == 1
    shown = answer(bridge, "sessions", "show", name)
    assert [item["role"] for item in shown["messages"]] == ["user", "assistant"]

    assert run(bridge, "sessions", "forget", name).stdout == f"Forgot {name}\n"
    for command in ("show", "forget"):
        done = run(bridge, "sessions", command, name)
        assert done.returncode == NOT_FOUND
        assert "no session" in done.stderr


def test_lists_longer_than_a_page_of_the_bridge(start_bridge: StartBridge) -> None:
    """A thousand sessions are a page; here they are made by the file they are kept in, which is quicker."""
    bridge = start_bridge(fake=True)
    assert bridge.chat("demo: tokens=1", session_id="first").status == 200
    assert bridge.stop() == 0
    path = bridge.state / ".codex_threads.json"
    kept = json.loads(path.read_text())
    for table in (kept["sessions"], kept["details"]):
        table |= {f"s{number}": table["first"] for number in range(1202)}
    path.write_text(json.dumps(kept))
    bridge.start()
    found = answer(bridge, "sessions", "--limit", "5000")
    assert found["total"] == len({session["id"] for session in found["data"]}) == 1203
    lines = run(bridge, "sessions", "--limit", "3").stdout.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "3 of 1203; --limit 1203 shows all of them."


def test_of_several_keys_the_first_asks(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_BRIDGE_API_KEY": f"{API_KEY}, other"})
    assert answer(bridge, "status")["codex"]["ready"] is True
    assert bridge.chat("demo: tokens=1", session_id="mine").status == 200
    assert answer(bridge, "sessions")["total"] == 1
    assert answer(bridge, "sessions", CODEX_BRIDGE_API_KEY="other")["total"] == 0


def test_flags_and_files_say_where_the_bridge_is(fake: Bridge) -> None:
    port = str(fake.address[1])
    assert run(fake, "status", "--port", port, PORT="1").returncode == 0
    assert run(fake, "status", "--host", "0.0.0.0", "--port", port).returncode == 0
    assert run(fake, "status", "--set", f"PORT={port}", "--host", "localhost", PORT="1").returncode == 0
    file = fake.root / "named.env"
    file.write_text(f"PORT={port}\n")
    file.chmod(0o600)
    environ = fake.environ()
    del environ["PORT"]
    done = subprocess.run(
        [os.environ["BRIDGED_BIN"], "status", "--env-file", str(file)],
        cwd=fake.root, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# -- what goes wrong

ASKING = [("status",), ("models",), ("sessions",), ("sessions", "show", "x"), ("sessions", "forget", "x")]


@pytest.mark.parametrize("command", ASKING)
def test_a_wrong_key(fake: Bridge, command: tuple[str, ...]) -> None:
    done = run(fake, *command, CODEX_BRIDGE_API_KEY="hunter2")
    assert done.returncode == KEY_REFUSED
    assert done.stdout == ""
    assert "CODEX_BRIDGE_API_KEY (from environment)" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("command", ASKING)
def test_no_bridge(idle: Bridge, command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    done = run(idle, *command, PORT=port)
    assert done.returncode == NOT_RUNNING
    assert done.stderr.startswith(f"bridged: no bridge answers at http://127.0.0.1:{port}: ")
    assert "PORT is 0" in run(idle, *command).stderr


class Impostor:
    """A server that answers with the same bytes, and keeps what it is sent. Unless it is a plain stranger, it says first
    that it is a bridge, which it is asked without the key."""

    def __init__(self, reply: bytes, *, says_bridge: bool = True) -> None:
        self.reply = reply
        self.says_bridge = says_bridge
        self.received = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = str(self.server.getsockname()[1])
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                request = client.recv(65536)
                is_first = b"authorization" not in request.lower()
                if not is_first or not self.says_bridge:
                    self.received += request
                try:
                    client.sendall(http(b'{"service": "CodexBridge"}') if is_first and self.says_bridge else self.reply)
                except OSError:
                    continue


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", "no HTTP"),
        (b"SSH-2.0-x\r\n", "no HTTP"),
        (http(b"<html>"), "is no bridge"),
        (http(b"[]"), "is no bridge"),
        (http(b"{}", length=9), "is cut"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (33 << 20), "has more than"),
    ],
)
def test_what_answers_is_no_bridge(idle: Bridge, reply: bytes, said: str) -> None:
    for says_bridge in (False, True):
        impostor = Impostor(reply, says_bridge=says_bridge)
        done = run(idle, "sessions", PORT=impostor.port)
        impostor.server.close()
        assert done.returncode == NOT_RUNNING
        assert said in done.stderr
        assert says_bridge or b"authorization" not in impostor.received.lower()


@pytest.mark.parametrize("command", [("models",), ("sessions",), ("sessions", "forget", "x")])
def test_an_answer_without_what_was_asked_for_is_none(idle: Bridge, command: tuple[str, ...]) -> None:
    impostor = Impostor(http(b"{}"))
    done = run(idle, *command, PORT=impostor.port)
    impostor.server.close()
    assert done.returncode == NOT_RUNNING
    assert done.stdout == ""


def test_times_that_cannot_be(idle: Bridge) -> None:
    for now, started in ((1, -(1 << 63)), (-(1 << 63), (1 << 63) - 1), ((1 << 63) - 1, -1)):
        impostor = Impostor(http(json.dumps({"now": now, "bridge": {"started": started}}).encode()))
        assert run(idle, "status", PORT=impostor.port).returncode == NOT_READY
        impostor.server.close()


def test_nothing_that_is_answered_drives_the_terminal(idle: Bridge) -> None:
    evil = "\x1b]0;x\x07\x9b31m\u202e\r\nforged"
    for reply in (
        http(json.dumps({"error": {"message": evil, "code": evil}}, ensure_ascii=False).encode(), "418 x"),
        http(json.dumps({"data": [{"id": evil, "name": evil, "title": evil}], "total": 1}, ensure_ascii=False).encode()),
        http(json.dumps({"engine": {"version": evil, "message": evil}, "id": evil}, ensure_ascii=False).encode()),
    ):
        impostor = Impostor(reply)
        for command in (*ASKING, ("sessions", "--json"), ("status", "--json"), ("models", "--json")):
            done = run(idle, *command, PORT=impostor.port)
            output = done.stdout + done.stderr
            assert not set(output) & set("\x1b\x07\x9b\u202e\r"), (command, output)
            assert "forged" not in output.splitlines()
        impostor.server.close()


def test_a_name_cannot_add_to_the_request(idle: Bridge) -> None:
    impostor = Impostor(http(b"{}"))
    run(idle, "sessions", "forget", "x HTTP/1.1\r\nX-Evil: 1\r\n\r\n", PORT=impostor.port)
    impostor.server.close()
    assert impostor.received.startswith(b"DELETE /v1/sessions/x%20HTTP%2f1%2e1%0d%0aX-Evil%3a%201%0d%0a%0d%0a HTTP/1.0\r\n")
    assert b"\r\nX-Evil" not in impostor.received


def test_pages_that_never_end(idle: Bridge) -> None:
    page = {"data": [{"id": "1"}], "has_more": True, "total": 5}
    impostor = Impostor(http(json.dumps(page).encode()))
    done = run(idle, "sessions", "show", "x", PORT=impostor.port)
    assert done.returncode == 1
    assert "too long to be shown" in done.stderr
    done = run(idle, "sessions", "--limit", "20", PORT=impostor.port)
    impostor.server.close()
    assert done.returncode == 0


# -- words that are no commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "did you mean “bridged status”?"),
        (["start"], "did you mean “bridged serve”?"),
        (["frobnicate"], "there is no command “frobnicate”\nCommands of bridged: serve, chat, "),
        (["help", "stats"], "did you mean “bridged status”?"),
        (["sessions", "lst"], "did you mean “bridged sessions list”?\nCommands of bridged sessions: list, show, forget\n"),
        (["\x1b[2J"], "there is no command “\\u{1B}[2J”"),
        (["--prot", "80"], "Unknown option '--prot'. Did you mean '--port'?"),
        (["--verison"], "Did you mean '--version'?"),
        (["status", "--sandbox", "read-only"], "Unknown option '--sandbox'"),
        (["sessions", "--limit", "0"], "expected a number from 1"),
        (["sessions", "show"], "Missing expected argument '<id>'"),
    ],
)
def test_words_that_are_no_commands(idle: Bridge, words: list[str], said: str) -> None:
    done = run(idle, *words)
    assert done.returncode == USAGE
    assert done.stdout == ""
    assert done.stderr.startswith("bridged: ")
    assert said in done.stderr
    assert "--help' for more information." in done.stderr


SETTING_FLAGS = {"--host", "--port", "--model", "--codex-bin", "--workdir", "--sandbox", "--log-level"}


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("serve", SETTING_FLAGS),
        ("config", SETTING_FLAGS),
        ("doctor", SETTING_FLAGS),
        ("chat", SETTING_FLAGS - {"--host", "--port"}),
        ("status", {"--host", "--port"}),
        ("models", {"--host", "--port"}),
        ("sessions list", {"--host", "--port"}),
        ("sessions show", {"--host", "--port"}),
        ("version", {"--codex-bin"}),
        ("logs", set()),
        ("trust", set()),
    ],
)
def test_help_shows_the_options_of_the_command(idle: Bridge, command: str, flags: set[str]) -> None:
    done = run(idle, *command.split(), "--help")
    assert done.returncode == 0
    shown = {word for line in done.stdout.splitlines() if line.startswith("  ") for word in line.split()[:1]}
    assert shown & SETTING_FLAGS == flags


def test_options_that_are_not_shown_are_still_read(idle: Bridge) -> None:
    done = run(idle, "chat", "--port", "no-number", "hi")
    assert "PORT=“no-number”" in done.stderr


# -- the check


def test_a_check_beside_a_bridge_that_runs(demo: Bridge) -> None:
    done = run(demo, "doctor", "--demo")
    assert done.returncode == 0, done.stdout
    assert f"ok      port {demo.address[1]}: a bridge answers there" in done.stdout.splitlines()
    assert "stand-in" in run(demo, "status").stdout
    assert answer(demo, "status")["demo"] is True


def test_another_program_has_the_port(idle: Bridge, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        done = run(idle, "doctor", PORT=port)
        assert done.returncode == 1
        found = [line for line in done.stdout.splitlines() if line.startswith("not ok  port ")]
        state = tmp_path / "state-of-its-own"
        state.mkdir()
        refused = run(idle, "serve", PORT=port, CODEX_STATE_DIR=str(state))
    assert refused.returncode == 1
    for told in (*found, refused.stderr):
        assert "another program listens there: end it, or choose another PORT" in told
    assert found


# -- version


def test_versions_of_the_bridge_and_of_codex(demo: Bridge) -> None:
    for arguments in (["version"], ["--version"]):
        lines = run(demo, *arguments).stdout.splitlines()
        assert lines[0].startswith("bridged ")
        assert "(commit " in lines[0]
        assert lines[1].startswith("Codex 0.")
    found = answer(demo, "version")
    assert set(found) == {"version", "commit", "codex"}
    served = demo.request("GET", "/version").json
    assert found == served


def test_the_version_is_told_without_codex_and_with_wrong_settings(idle: Bridge, tmp_path: Path) -> None:
    assert answer(idle, "version", "--codex-bin", "/nonexistent/codex")["codex"] is None
    assert answer(idle, "version", PORT="wrong")["codex"] is None
    assert "Codex not found" in run(idle, "--version", CODEX_BIN="/nonexistent/codex").stdout
    noisy = tmp_path / "codex"
    noisy.write_text("#!/bin/sh\nprintf 'codex-cli \\033[2J1.2.3\\033[0m'\n")
    noisy.chmod(0o755)
    assert answer(idle, "version", "--codex-bin", str(noisy), CODEX_WORKDIR="/nonexistent")["codex"] == "1.2.3"


# -- logs


def test_logs_without_a_service(idle: Bridge) -> None:
    if Path("/run/systemd/system").exists():
        pytest.skip("systemd runs this machine")
    done = run(idle, "logs", "--follow", "-n", "5")
    assert done.returncode == NOT_FOUND
    assert "standard error" in done.stderr
