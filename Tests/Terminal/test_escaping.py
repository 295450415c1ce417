"""What the model, Codex or a setting says is shown on a terminal, never obeyed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from terminal import ENTER, Terminal, environ

HOSTILE = {
    "\u202e": "\\u{202E}",
    "\u009b31m": "\\u{9B}31m",
    "\x1b]52;c;aGFja2Vk\x07": "]52;c;aGFja2Vk\\u{7}",
    "\x1b[2J": "[2J",
    "\u200b": "\\u{200B}",
    "\x07": "\\u{7}",
    "\u2066": "\\u{2066}",
}


def shown(text: str) -> str:
    """Escapes with as few digits as they need."""
    return re.sub(r"\\u\{0*([0-9A-F])", r"\\u{\1", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_answer_cannot_drive_the_terminal(chat: Terminal, text: str) -> None:
    chat.paste(f"demo: say=begin{text}end")
    chat.wait_for("end")
    before = len(chat.raw)
    chat.type(ENTER)
    chat.wait_for("end", times=2)
    chat.wait_for_prompt()
    assert HOSTILE[text] in shown(chat.lines[-1] + chat.text)
    assert text.encode() not in chat.raw[before:]


def test_a_paste_cannot_drive_the_terminal_either(chat: Terminal) -> None:
    chat.paste("a\u202eb\x1b]0;title\x07")
    chat.wait_for("a\\u{202E}b")
    assert "\u202e".encode() not in chat.raw
    assert b"\x1b]0;" not in chat.raw


def test_activity_cannot_drive_the_terminal(chat: Terminal) -> None:
    chat.paste("demo: run=echo 'x\x07\u202ey'")
    before = len(chat.raw)
    chat.type(ENTER)
    chat.wait_for_question()
    chat.type("y", ENTER)
    chat.wait_for("The command printed:")
    chat.wait_for_prompt()
    assert b"\x07" not in chat.raw[before:]
    assert "\u202e".encode() not in chat.raw[before:]


@pytest.mark.parametrize("command", [["doctor"], ["config"], ["chat", "hi"], ["serve"]])
def test_settings_cannot_drive_the_terminal(tmp_path: Path, command: list[str]) -> None:
    bad = "/nonexistent/\x07\x1b]52;c;eQ==\u202e\u009b31m"
    done = subprocess.run(
        [os.environ["BRIDGED_BIN"], *command],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=tmp_path, check=False,
        env=environ(tmp_path, CODEX_WORKDIR=bad, CODEX_BRIDGE_X=bad, CODEX_BIN=bad),
    )  # fmt: skip
    output = (done.stdout + done.stderr).decode()
    assert "\\u{202E}" in output
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", output)
