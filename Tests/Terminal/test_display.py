"""How answers look on a terminal, the line while Codex works, and a message written in an editor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import CTRL_C, CTRL_D, ENTER, TERMINATE, Terminal, run

StartTerminal = Callable[..., Terminal]
CTRL_G = "\x07"
MARKDOWN = """# Title

Some **bold** words and `code` that go on until the row is full, and a little more.

- one
- two

| Name | What |
|---|--:|
| 日本 | a |

```c
int x;
```
"""
SHOWN = """Title

Some bold words and code that go on until
the row is full, and a little more.

• one
• two

Name  What
────  ────
日本     a

── c ───────────────────────────────────
int x;
────────────────────────────────────────
"""


def say(text: str) -> str:
    return "demo: say=" + json.dumps(text)


def test_markdown_is_shown_by_the_width_of_the_terminal(start: StartTerminal) -> None:
    chat = start(columns=42)
    chat.wait_for_prompt()
    chat.paste(say(MARKDOWN))
    chat.type(ENTER)
    chat.wait_for("to first word")
    # The emulator leaves a cell empty behind a wide character.
    text = chat.text.replace("日 本 ", "日本").replace("\x00", "")
    assert SHOWN in text or SHOWN.replace("日本     a", "日本") in text, text
    assert b"\x1b[0;1mTitle" in chat.raw


def test_a_pipe_gets_markdown_as_it_was_written(tmp_path: Path) -> None:
    assert run(tmp_path, data=say(MARKDOWN)).stdout.decode() == MARKDOWN


@pytest.mark.parametrize("settings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_there_are_terminals_without_styles(
    start: StartTerminal, settings: dict[str, str]
) -> None:
    chat = start(settings=settings)
    chat.wait_for_prompt()
    chat.say(say("**bold**"))
    assert "\nbold\n" in chat.text
    assert not re.search(rb"\x1b\[[0-9;]*m", chat.raw)


def test_answers_come_word_by_word(chat: Terminal) -> None:
    chat.type("demo: tokens=400 delay=50", ENTER)
    chat.wait_for("t3 t4")
    assert "t399" not in chat.text
    chat.type(CTRL_C)
    chat.wait_for("(interrupted)")


def test_a_line_tells_what_is_waited_for_and_goes(chat: Terminal) -> None:
    chat.type("demo: first=2500 say=here it is", ENTER)
    chat.wait_for("· Ctrl-C stops")
    assert re.search(r"\nthinking \d s · Ctrl-C stops$", chat.text)
    chat.wait_for("\nhere it is\n")
    chat.wait_for_prompt()
    assert "Ctrl-C stops" not in chat.text


def test_the_line_stands_below_what_was_said_and_goes(chat: Terminal) -> None:
    chat.type('demo: run="sleep 2; echo done"', ENTER)
    chat.wait_for_question()
    chat.type("y", ENTER)
    chat.wait_for("running ")
    chat.wait_for("The command printed:")
    chat.wait_for_prompt()
    assert "Ctrl-C stops" not in chat.text
    assert "Approved.\n\nExit code 0\n" in chat.text


def test_the_line_is_taken_away_by_an_interrupt_and_a_signal(chat: Terminal) -> None:
    chat.type("demo: first=30000", ENTER)
    chat.wait_for("thinking")
    chat.type(CTRL_C)
    chat.wait_for("(interrupted)")
    chat.wait_for_prompt()
    assert "thinking" not in chat.text
    chat.type("demo: first=30000", ENTER)
    chat.wait_for("thinking")
    chat.signal(TERMINATE)
    assert chat.wait_for_end() == 128 + TERMINATE
    chat.wait_until(lambda: "thinking" not in chat.text, "empty line")


# -- an editor


def editor(tmp_path: Path, script: str) -> dict[str, str]:
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"VISUAL": f"{program} --flag", "EDITOR": "false"}


def left_over(root: Path) -> list[Path]:
    return list((root / "state").glob("edit.*"))


def test_ctrl_g_writes_the_message_in_an_editor(start: StartTerminal, tmp_path: Path) -> None:
    script = (
        "[ -t 0 ] && [ -t 1 ] && stty -a | grep -q ' icanon' || exit 9\n"
        'echo "EDITING $1"; read line; printf "%s\\nand %s\\n" "$(cat "$2")" "$line" >"$2"'
    )
    chat = start(settings=editor(tmp_path, script))
    chat.wait_for_prompt()
    chat.type("/begun", CTRL_G)
    chat.wait_for("EDITING --flag")
    assert chat.has_given_back
    # A signal for the foreground group is the editor's; a new size draws nothing over it.
    chat.resize(100, 30)
    chat.type("typed there", ENTER)
    chat.wait_for("> /begun\n  and typed there")
    assert not chat.has_given_back
    chat.type(ENTER)
    # What was written there is a message, whatever it begins with.
    chat.wait_until(lambda: chat.messages == ["/begun\nand typed there"], "message")
    assert left_over(tmp_path) == []


def test_an_editor_that_fails_leaves_the_message_as_it_is(
    start: StartTerminal, tmp_path: Path
) -> None:
    chat = start(settings=editor(tmp_path, 'echo other >"$2"; exit 3'))
    chat.wait_for_prompt()
    chat.type("half", CTRL_G)
    chat.wait_for("(the editor ended with status 3; the message is as it was)")
    chat.wait_for_prompt("half")
    assert left_over(tmp_path) == []


def test_without_an_editor_it_says_which_variable(start: StartTerminal) -> None:
    chat = start(settings={"VISUAL": "", "EDITOR": ""})
    chat.wait_for_prompt()
    chat.type("half", CTRL_G)
    chat.wait_for("neither VISUAL nor EDITOR is set")
    chat.wait_for_prompt("half")


def test_an_editor_of_a_settings_file_is_not_run(start: StartTerminal, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    settings = editor(tmp_path, f"touch {ran}")
    file = tmp_path / "settings.env"
    file.write_text(f"VISUAL={settings['VISUAL']}\n")
    file.chmod(0o600)
    chat = start("--env-file", str(file), settings={"VISUAL": "", "EDITOR": ""})
    chat.wait_for_prompt()
    chat.type(CTRL_G)
    chat.wait_for("neither VISUAL nor EDITOR is set")
    assert not ran.exists()


def test_a_signal_while_the_editor_runs_leaves_no_file(
    start: StartTerminal, tmp_path: Path
) -> None:
    chat = start(settings=editor(tmp_path, "echo EDITING; sleep 30"))
    chat.wait_for_prompt()
    chat.type(CTRL_G)
    chat.wait_for("EDITING")
    chat.signal(TERMINATE)
    assert chat.wait_for_end() == 128 + TERMINATE
    assert left_over(tmp_path) == []


def test_ctrl_c_in_the_editor_does_not_concern_the_chat(
    start: StartTerminal, tmp_path: Path
) -> None:
    chat = start(settings=editor(tmp_path, "trap 'exit 4' INT; echo EDITING; sleep 30"))
    chat.wait_for_prompt()
    chat.type("half", CTRL_G)
    chat.wait_for("EDITING")
    chat.type(CTRL_C)
    chat.wait_for("(the editor ended with status 4")
    chat.wait_for_prompt("half")
    chat.type(CTRL_C, CTRL_D)
    assert chat.wait_for_end() == 0
