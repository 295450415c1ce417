"""`bridged chat`: piped, and in a real terminal (tmux)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Bridge


def environ(root: Path, **settings: str) -> dict[str, str]:
    return Bridge(root).environ() | settings


def chat(root: Path, text: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.environ["BRIDGED_BIN"], "chat", "--demo"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env=environ(root, **settings),
        cwd=root,
    )


class Terminal:
    """A program in a tmux server of its own."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.socket = f"bridged-{uuid.uuid4().hex[:8]}"
        env = " ".join(f"{name}='{value}'" for name, value in environ(root, **settings).items())
        self.tmux("new-session", "-d", "-x", "100", "-y", "40", f"cd '{root}'; exec env -i {env} TERM=xterm "
                  f"{os.environ['BRIDGED_BIN']} chat --demo")

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        # Joined: a line that the terminal broke is one line.
        return self.tmux("capture-pane", "-p", "-J")

    def wait_for(self, text: str) -> str:
        deadline = time.monotonic() + 20
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"no “{text}” on:\n{screen}"
            time.sleep(0.05)
        return screen

    def wait_for_end(self) -> None:
        deadline = time.monotonic() + 20
        while self.tmux("list-sessions"):
            assert time.monotonic() < deadline, self.screen()
            time.sleep(0.05)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    assert shutil.which("tmux"), "tmux is missing; Tests/run.sh installs it"
    terminal = Terminal(tmp_path, CODEX_APPROVAL_POLICY="untrusted")
    yield terminal
    terminal.tmux("kill-server")


def test_a_pipe_gets_the_answer_alone(tmp_path: Path) -> None:
    done = chat(tmp_path, "demo: reasoning=2 say=hello there\n")
    assert (done.returncode, done.stdout) == (0, "hello there\n"), done.stderr


def test_the_next_start_continues(tmp_path: Path) -> None:
    chat(tmp_path, "the number is seven\n")
    assert (tmp_path / "state" / ".codex_thread.json").exists()
    assert "user: the number is seven" in chat(tmp_path, "demo: history\n").stdout
    forgotten = chat(tmp_path, "/reset\ndemo: history\n").stdout
    assert "user: the number is seven" not in forgotten


def test_a_failed_turn_is_the_exit_status(tmp_path: Path) -> None:
    assert chat(tmp_path, "demo: fail=cyber_policy\n").returncode == 1
    assert chat(tmp_path, "demo: fail=cyber_policy\ndemo: say=fine\n").returncode == 0


def test_without_codex_it_says_what_to_do(tmp_path: Path) -> None:
    done = chat(tmp_path, "hi\n", CODEX_BIN="/nonexistent/codex")
    assert done.returncode == 1
    assert "CODEX_BIN" in done.stdout


def test_a_conversation(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("demo: say=first answr", "Enter")
    terminal.wait_for("\nfirst answr\n> ")
    # The line comes back from the history and is edited.
    terminal.type("Up", "BSpace", "er", "Enter")
    terminal.wait_for("\nfirst answer\n> ")


def test_ctrl_c_interrupts_the_turn_and_not_the_program(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("demo: tokens=1000 delay=50", "Enter")
    terminal.wait_for("t5")
    terminal.type("C-c")
    terminal.wait_for("(interrupted)")
    terminal.type("demo: say=still here", "Enter")
    assert "still here" in terminal.wait_for("\nstill here")


def test_approvals_are_asked_for(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("demo: run=echo one two", "Enter")
    terminal.wait_for("Allow?")
    terminal.type("y", "Enter")
    terminal.wait_for("Approved.")
    terminal.wait_for("The command printed:")


def test_commands(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("/help", "Enter")
    terminal.wait_for("/reset")
    terminal.type("/model", "Enter")
    terminal.wait_for("There are:")
    terminal.type("/model nonsense", "Enter")
    terminal.wait_for("does not exist")
    terminal.type("/nonsense", "Enter")
    terminal.wait_for("is no command")
    terminal.type("/exit", "Enter")
    terminal.wait_for_end()


def test_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("C-d")
    terminal.wait_for_end()
