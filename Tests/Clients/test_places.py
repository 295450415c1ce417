"""Files and places that others can write to decide nothing: settings, sessions, programs, images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import API_KEY, FAKE_CODEX, Bridge

StartBridge = Callable[..., Bridge]


class Place:
    """A home and a project, outside of the directories for temporary files, where no trust counts."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = root / "project"
        self.project.mkdir()
        own = self.home / ".config" / "bridged"
        own.mkdir(parents=True)
        # Empty, so that the settings file of the machine is not read.
        (own / "bridged.env").touch(0o600)
        (root / "codex-home").mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PORT": "0",
            "CODEX_BIN": str(FAKE_CODEX),
            "CODEX_HOME": str(root / "codex-home"),
        }

    @property
    def env_file(self) -> Path:
        return self.project / ".env"

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [os.environ["BRIDGED_BIN"], *arguments],
            cwd=self.project, env=self.environment | environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def settings(self, *arguments: str, **environ: str) -> dict[str, str]:
        """What `bridged config` says is set."""
        done = self.run("config", *arguments, **environ)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        return {name: rest.split("  # ")[0] for name, _, rest in (x.partition("=") for x in lines)}

    def start(self, **environ: str) -> subprocess.Popen[str]:
        """`bridged serve` where nobody can be asked."""
        return subprocess.Popen(
            [os.environ["BRIDGED_BIN"]],
            cwd=self.project, env=self.environment | environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def serve(self, **environ: str) -> str:
        """Starts and stops it; returns its log."""
        process = self.start(**environ)
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("listening on "), process.stderr.read()
        process.terminate()
        _, errors = process.communicate(timeout=60)
        return errors


@pytest.fixture
def place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="bridge-place-", dir="/var/tmp"))
    yield Place(root)
    shutil.rmtree(root)


# -- settings files


def test_a_cloned_repository_runs_no_program(place: Place) -> None:
    """`cd clone && bridged`: what the clone brings along is neither run nor obeyed."""
    program = place.project / "codex"
    program.write_text(f"#!/bin/sh\ntouch '{place.project}/ran'\n")
    program.chmod(0o755)
    place.env_file.write_text(f"CODEX_BIN={program}\nCODEX_CORS_ORIGINS=*\n")
    del place.environment["CODEX_BIN"]
    log = place.serve()
    assert not (place.project / "ran").exists()
    [line] = [line for line in log.splitlines() if " error " in line and ".env" in line]
    assert f"{place.env_file} is skipped" in line
    assert f"bridged trust {place.env_file}" in line
    assert "CODEX_BIN, CODEX_CORS_ORIGINS" in line


def test_what_is_trusted_is_read_until_it_changes(place: Place) -> None:
    place.env_file.write_text("CODEX_MODEL=gpt-5.5\n")
    done = place.run("trust")
    assert done.returncode == 0, done.stderr
    assert f"{place.env_file}:" in done.stderr
    assert "  | CODEX_MODEL=gpt-5.5" in done.stderr
    assert f"settings files read: {place.home}/.config/bridged/bridged.env, {place.env_file}" in place.serve()
    assert place.settings()["CODEX_MODEL"] == "gpt-5.5"
    with place.env_file.open("a") as file:
        file.write("CODEX_CONFIG=notify=['/evil']\n")
    for arguments in ((), ("chat",), ("doctor",), ("config",)):
        done = place.run(*arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        [line] = done.stderr.splitlines()
        assert line.startswith(f"bridged: {place.env_file} has changed since it was trusted")
        assert f"bridged trust {place.env_file}" in line
    assert place.run("trust", str(place.env_file)).returncode == 0
    assert place.settings()["CODEX_CONFIG"].startswith("notify=")


def test_the_files_of_other_programs_are_left_alone(place: Place) -> None:
    place.env_file.write_text("DATABASE_URL=postgres://u:hunter2@h/d\n")
    log = place.serve()
    assert ".env" not in log.replace("bridged.env", "")
    done = place.run("trust")
    assert "hunter2" not in done.stdout + done.stderr
    assert place.run("trust", ".env").returncode == 1
    assert place.run("trust", "other.env").returncode == 1


def test_the_settings_file_of_a_person(place: Place) -> None:
    own = place.home / ".config" / "bridged" / "bridged.env"
    own.write_text("CODEX_MODEL=own\nCODEX_REASONING=low\n")
    named = place.home / "named.env"
    named.write_text("CODEX_MODEL=named\n")
    named.chmod(0o600)
    assert place.settings()["CODEX_MODEL"] == "own"
    found = place.settings("--env-file", str(named), CODEX_REASONING="high")
    assert (found["CODEX_MODEL"], found["CODEX_REASONING"]) == ("named", "high")
    assert place.settings("--env-file", str(named), "--model", "flag")["CODEX_MODEL"] == "flag"
    own.chmod(0o666)
    done = place.run("config")
    assert done.returncode == 1
    assert done.stderr.startswith(f"bridged: {own} is not read: ")
    missing = place.run("chat", "--env-file", "/nonexistent/x.env")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def test_the_printed_settings_are_a_settings_file(place: Place) -> None:
    """`bridged config > .env`"""
    environ = {
        "CODEX_MODEL": "a # 'b'", "CODEX_BRIDGE_API_KEY": "hunter2", "CODEX_REASONING": "low",
    }  # fmt: skip
    text = place.run("config", **environ).stdout
    assert "hunter2" not in text
    place.env_file.write_text(text)
    assert place.run("trust").returncode == 0
    again = place.run("config")
    assert again.returncode == 0
    assert "CODEX_MODEL=\"a # 'b'\"  # .env\n" in again.stdout
    assert "\nCODEX_REASONING=low  # .env\n" in again.stdout
    assert "\n#CODEX_BRIDGE_API_KEY=" in again.stdout
    assert "\n#CODEX_JSON_LIMIT=10mb  # default\n" in again.stdout
    assert "warning" not in again.stdout


def test_a_key_with_quotes_is_told_of_at_the_start(place: Place) -> None:
    place.environment["CODEX_BRIDGE_API_KEY"] = '"hunter2"'
    log = place.serve()
    assert "CODEX_BRIDGE_API_KEY has quotes around it" in log
    assert "hunter2" not in log


class Screen:
    """`bridged` in a terminal (tmux)."""

    def __init__(self, place: Place, *arguments: str) -> None:
        self.socket = f"bridged-{uuid.uuid4().hex[:8]}"
        env = " ".join(f"{name}='{value}'" for name, value in place.environment.items())
        command = f"trap : INT; {os.environ['BRIDGED_BIN']} {' '.join(arguments)}; echo ended=\\$?; sleep 60"
        self.tmux(
            "new-session", "-d", "-x", "160", "-y", "50",
            f"cd '{place.project}'; env -i {env} TERM=xterm sh -c \"{command}\"",
        )  # fmt: skip

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout

    def wait_for(self, text: str) -> str:
        deadline = time.monotonic() + 20
        while text not in (screen := self.tmux("capture-pane", "-p", "-J")):
            assert time.monotonic() < deadline, f"no “{text}” on:\n{screen}"
            time.sleep(0.05)
        return screen


@pytest.fixture
def screen(place: Place) -> Iterator[Callable[..., Screen]]:
    assert shutil.which("tmux"), "tmux is missing; Tests/run.sh installs it"
    started: list[Screen] = []

    def start(*arguments: str) -> Screen:
        started.append(Screen(place, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.tmux("kill-server")


@pytest.mark.parametrize("reply", ["yes", "y", "no", "yes please"])
def test_a_person_is_asked_at_the_start(
    place: Place, screen: Callable[..., Screen], reply: str
) -> None:
    place.env_file.write_text("CODEX_MODEL=mine\nX=\x1b[2J\u202e\n")
    terminal = screen("serve")
    shown = terminal.wait_for("Trust them?")
    assert f"{place.env_file}:" in shown
    assert "| CODEX_MODEL=mine" in shown
    assert "| X=\\u{1B}[2J\\u{202E}" in shown
    terminal.tmux("send-keys", reply, "Enter")
    shown = terminal.wait_for("listening on ")
    assert ("is skipped, because nobody has trusted it" in shown) == (reply != "yes")
    found = place.run("config").stdout
    assert ("CODEX_MODEL=mine  # .env" in found) == (reply == "yes")
    if reply == "yes":
        terminal.tmux("send-keys", "C-c")
        terminal.wait_for("ended=0")
        terminal = screen("serve")
        assert "Trust them?" not in terminal.wait_for("listening on ")


def test_what_has_changed_is_asked_again(place: Place, screen: Callable[..., Screen]) -> None:
    place.env_file.write_text("CODEX_MODEL=mine\n")
    place.run("trust")
    place.env_file.write_text("CODEX_MODEL=other\n")
    terminal = screen("serve")
    assert "has changed since it was trusted" in terminal.wait_for("Trust them?")
    terminal.tmux("send-keys", "no", "Enter")
    terminal.wait_for("ended=1")
    assert place.run("config").returncode == 1


def test_bridged_trust_asks_at_a_terminal(place: Place, screen: Callable[..., Screen]) -> None:
    place.env_file.write_text("CODEX_MODEL=mine\n")
    for reply, status in (("no", 1), ("yes", 0)):
        terminal = screen("trust")
        terminal.wait_for("Trust them?")
        terminal.tmux("send-keys", reply, "Enter")
        terminal.wait_for(f"ended={status}")
    assert place.settings()["CODEX_MODEL"] == "mine"


# -- where sessions are kept


def test_sessions_are_kept_outside_of_the_project(place: Place) -> None:
    place.serve()
    assert list(place.project.iterdir()) == []
    [state] = (place.home / ".local" / "state" / "bridged").iterdir()
    assert state.name.startswith("project-")
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / ".codex_threads.lock").exists()


def test_the_map_of_an_earlier_bridge_is_copied_once(place: Place) -> None:
    path = place.project / ".codex_threads.json"
    path.write_text('{"sessions":{"bird":"thread-1"}}')
    log = place.serve()
    [line] = [line for line in log.splitlines() if "were copied" in line]
    assert str(place.project) in line
    [state] = (place.home / ".local" / "state" / "bridged").iterdir()
    copied = state / ".codex_threads.json"
    assert json.loads(copied.read_text())["sessions"] == {"bird": "thread-1"}
    assert path.read_text() == '{"sessions":{"bird":"thread-1"}}'
    # Whoever deletes the map forgets the sessions.
    copied.unlink()
    assert "were copied" not in place.serve()
    assert not copied.exists()


def test_state_within_reach_of_the_model_is_refused(place: Place) -> None:
    place.environment |= {
        "CODEX_STATE_DIR": str(place.project), "CODEX_SANDBOX_MODE": "workspace-write",
    }  # fmt: skip
    for arguments in ((), ("chat",)):
        done = place.run(*arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        # A Codex that is installed below a directory for temporary files is warned of too.
        [line] = [line for line in done.stderr.splitlines() if line.startswith("bridged: ")]
        assert f"the state directory {place.project} lies in {place.project}" in line
    assert "not ok  settings: the state directory" in place.run("doctor").stdout
    place.environment["CODEX_SANDBOX_MODE"] = "danger-full-access"
    log = place.serve()
    assert log.count("danger-full-access") == 1
    place.environment["CODEX_SANDBOX_MODE"] = "read-only"
    assert "warning" not in place.serve()


# -- images


def test_a_fifo_is_not_even_opened(fake: Bridge, tmp_path: Path) -> None:
    """To open one and close it again kills whoever writes to it."""
    outside = tmp_path / "outside.png"
    inside = fake.work / "inside.png"
    for path in (outside, inside):
        os.mkfifo(path)
        # Waits in open(2) until somebody reads.
        writer = subprocess.Popen(["sh", "-c", 'echo hello > "$0"', str(path)])
        try:
            for place in (path, f"{fake.work}/../{os.path.relpath(path, fake.work.parent)}"):
                part = {"type": "local_image", "path": str(place)}
                body = {"messages": [{"role": "user", "content": [part]}]}
                answer = fake.request("POST", "/v1/chat/completions", body, key=API_KEY)
                assert answer.status == 400, answer.body
                assert answer.error["code"] == "invalid_image"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.3)
            assert path.open().read() == "hello\n"
            assert writer.wait(10) == 0
        finally:
            writer.kill()
            writer.wait()
            path.unlink()


def test_flags_are_read_before_everything_else(place: Place) -> None:
    """Each setting with a flag of its own, by `--help` and by what the flag does."""
    values = {
        "--host": ("HOST", "::1"), "--port": ("PORT", "7"), "--model": ("CODEX_MODEL", "m"),
        "--workdir": ("CODEX_WORKDIR", str(place.project)), "--sandbox": ("CODEX_SANDBOX_MODE", "workspace-write"),
        "--codex-bin": ("CODEX_BIN", "/bin/true"), "--log-level": ("CODEX_LOG_LEVEL", "error"),
    }  # fmt: skip
    given = [word for flag, (_, value) in values.items() for word in (flag, value)]
    others = {"HOST": "127.0.0.1", "CODEX_MODEL": "other", "CODEX_LOG_LEVEL": "debug"}
    found = place.settings(*given, "--set", "CODEX_MODEL=third", **others)
    assert {name: found[name] for name, _ in values.values()} == dict(values.values())
    assert place.settings(**others)["CODEX_MODEL"] == "other"
    assert place.settings("--host=a,b")["HOST"] == "a,b"
    for command in ("serve", "chat", "config", "doctor"):
        text = " ".join(place.run(command, "--help").stdout.split())
        for flag, (name, _) in values.items():
            # A conversation listens nowhere.
            is_shown = command != "chat" or flag not in ("--host", "--port")
            assert (f" {flag} <{flag[2:]}> " in text) == is_shown
            assert (f"({name})." in text) == is_shown
    done = place.run("serve", "--prot", "1")
    assert done.returncode != 0
    assert done.stderr.startswith("bridged: Unknown option '--prot'. Did you mean '--port'?\n")
    assert place.run("serve", "--port").stderr.startswith("bridged: Missing value for '--port <port>'\n")


def test_what_was_a_setting_once_refuses_nothing(place: Place) -> None:
    own = place.home / ".config" / "bridged" / "bridged.env"
    own.write_text("CODEX_SSE_KEEPALIVE=1s\nCODEX_LOG_LEVEL=trace\n")
    log = place.serve()
    assert f"CODEX_SSE_KEEPALIVE (from {own}) has no effect any more" in log
    done = place.run("config", "--set", "CODEX_START_WAIT=0")
    assert done.returncode == 0
    assert "# warning: CODEX_START_WAIT (from command line) has no effect any more" in done.stdout
    done = place.run("doctor")
    assert f"warning CODEX_SSE_KEEPALIVE (from {own}) has no effect any more" in done.stdout


def test_paces_are_for_tests(place: Place) -> None:
    """They are told of, and what is misspelt there refuses to start."""
    log = place.serve(BRIDGED_TEST_PACES="keep-alive=1s")
    assert "BRIDGED_TEST_PACES is set, which only tests should do" in log
    for text in ("keep-alive", "keepalive=1s", "keep-alive=soon"):
        done = place.run("serve", BRIDGED_TEST_PACES=text)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith("bridged: BRIDGED_TEST_PACES: ")
