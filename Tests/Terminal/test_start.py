"""What `bridged serve` says at a terminal when it starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import Terminal

StartTerminal = Callable[..., Terminal]


def serve(start: StartTerminal, *arguments: str, **settings: str) -> Terminal:
    return start(command=[os.environ["BRIDGED_BIN"], "serve", *arguments], settings=settings)


def block(terminal: Terminal) -> list[str]:
    """The heading and the lines below it."""
    terminal.wait_for("  Sessions ")
    lines = terminal.lines
    [first] = [number for number, line in enumerate(lines) if line.startswith("bridged ")]
    return [line for line in lines[first:] if line.startswith(("bridged ", "  "))]


def test_what_runs_where_and_with_which_rights(start: StartTerminal) -> None:
    terminal = serve(start, "--demo")
    heading, *lines = block(terminal)
    assert " · Codex 0." in heading
    assert heading.endswith("demo: a stand-in for the model, without a login")
    [url] = [line.split(" ")[2] for line in terminal.lines if line.startswith("listening on ")]
    names = [line.split()[0] for line in lines]
    assert names == ["Open", "API", "Works", "Sessions"]
    assert f" {url} " in lines[0]
    assert f" {url}/v1 " in lines[1]
    assert lines[1].endswith("key: CODEX_BRIDGE_API_KEY in the environment")
    assert "test-key" not in terminal.text
    assert f"{terminal.root}/work" in lines[2]
    assert lines[2].endswith("writes there, no network, asks before all but harmless commands")
    assert "none yet; kept in " in lines[3]


def test_the_default_key_is_told(start: StartTerminal) -> None:
    lines = block(serve(start, "--demo", CODEX_BRIDGE_API_KEY=""))
    assert lines[2].endswith("key 123321 (the default; works on this machine only)")


def test_why_codex_cannot_be_used(start: StartTerminal) -> None:
    lines = block(serve(start, CODEX_BIN="/nonexistent/codex"))
    assert lines[0].endswith(" · not ready")
    assert "/nonexistent/codex" in lines[1]
    assert "Install it" in lines[1]


def test_nothing_from_outside_drives_the_terminal(start: StartTerminal, tmp_path: Path) -> None:
    work = tmp_path / "w\x1b[2J\u202e\nbridged forged"
    work.mkdir()
    terminal = serve(start, "--demo", CODEX_WORKDIR=str(work))
    lines = block(terminal)
    assert len(lines) == 5
    assert "w\\u{1B}[2J\\u{202E}" in terminal.text
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("is_json", [False, True])
def test_without_a_terminal_there_is_no_block(start: StartTerminal, tmp_path: Path, is_json: bool) -> None:
    """The log of a terminal in JSON is for machines, as a file is."""
    with (tmp_path / "log").open("w+") as log:
        if is_json:
            terminal = serve(start, "--demo", CODEX_LOG_FORMAT="json")
        else:
            command = [os.environ["BRIDGED_BIN"], "serve", "--demo"]
            terminal = start(command=command, stderr=log.fileno())
        terminal.wait_for("listening on ")
        told = lambda: terminal.text + (tmp_path / "log").read_text()  # noqa: E731
        terminal.wait_until(lambda: "Codex is running" in told(), "Codex")
        terminal.signal(15)
        terminal.wait_for_end()
        assert "  Open " not in told()
