"""Standard input that is no keyboard, a question as an argument, and what goes to which output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import CTRL_C, ENTER, SECONDS, Terminal, environ, run, user_messages

StartTerminal = Callable[..., Terminal]
DIFF = "diff --git a/x b/x\n-\told\n+    new\n\n/reset\n"


def test_a_pipe_gets_the_answer_alone(tmp_path: Path) -> None:
    done = run(tmp_path, data="demo: reasoning=2 say=hello there\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello there\n", b"")


def test_all_of_standard_input_is_one_message(tmp_path: Path) -> None:
    done = run(tmp_path, data=DIFF)
    assert done.returncode == 0, done.stderr
    assert user_messages(tmp_path) == [DIFF.rstrip("\n")]


def test_an_argument_is_the_question_with_the_input_beside_it(tmp_path: Path) -> None:
    done = run(tmp_path, "review this", data=DIFF)
    assert done.returncode == 0, done.stderr
    assert user_messages(tmp_path) == ["review this\n\n" + DIFF.rstrip("\n")]


def test_a_file_is_as_good_as_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(DIFF)
    with (tmp_path / "file").open("rb") as file:
        subprocess.run(
            [os.environ["BRIDGED_BIN"], "chat", "--demo", "review", "this"],
            stdin=file, stdout=subprocess.DEVNULL, env=environ(tmp_path), cwd=tmp_path,
            timeout=SECONDS, check=True,
        )  # fmt: skip
    assert user_messages(tmp_path) == ["review this\n\n" + DIFF.rstrip("\n")]


def test_pipes_are_utf_8_in_any_locale(tmp_path: Path) -> None:
    text = "你好 é world 日本語 ü"
    done = run(tmp_path, data=f"demo: say={text}", LC_ALL="C", LANG="C")
    assert done.stdout.decode() == text + "\n"
    assert user_messages(tmp_path) == [f"demo: say={text}"]


def test_an_argument_alone_is_asked_once(tmp_path: Path) -> None:
    done = run(tmp_path, "demo: say=fine")
    assert (done.returncode, done.stdout) == (0, b"fine\n"), done.stderr


def test_the_next_start_continues_unless_it_is_told_not_to(tmp_path: Path) -> None:
    run(tmp_path, "the number is seven")
    assert (tmp_path / "state" / ".codex_demo" / "chats.json").exists()
    assert b"user: the number is seven" in run(tmp_path, "demo: history").stdout
    assert b"user: the number is seven" not in run(tmp_path, "--new", "demo: history").stdout


def test_errors_are_on_standard_error_and_in_the_status(tmp_path: Path) -> None:
    done = run(tmp_path, data="demo: fail=cyber_policy\n")
    # What came of an answer before it failed is the answer's.
    assert (done.returncode, done.stdout) == (1, b"ok\n")
    assert b"told to fail" in done.stderr
    assert run(tmp_path, "demo: say=fine").returncode == 0


def test_without_codex_it_says_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path, data="hi\n", CODEX_BIN="/nonexistent/codex")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"CODEX_BIN" in done.stderr


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_nothing_is_not_sent(tmp_path: Path, data: bytes) -> None:
    done = run(tmp_path, data=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input is empty" in done.stderr
    assert user_messages(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"caf\xe9\n", b"not UTF-8"),
        (b"a" * (4 * 1024 * 1024 + 1), b"more than 4194304 bytes"),
        (b"a" * (1024 * 1024 + 1), b"at most 1048576"),
    ],
)
def test_what_cannot_be_a_message_is_refused(tmp_path: Path, data: bytes, reason: bytes) -> None:
    done = run(tmp_path, data=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert reason in done.stderr
    assert user_messages(tmp_path) == []


def test_a_pipe_has_nobody_to_ask(tmp_path: Path) -> None:
    done = run(tmp_path, data="demo: run=touch made")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "work" / "made").exists()


def test_a_file_gets_the_answer_as_it_is(tmp_path: Path) -> None:
    text = "a\u200db \u202ec\x1b[1md"
    assert run(tmp_path, data=f"demo: say={text}").stdout.decode() == text + "\n"


def test_whoever_reads_no_more_ends_the_turn(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [os.environ["BRIDGED_BIN"], "chat", "--demo", "demo: tokens=100000 delay=20"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environ(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(3) == b"t0 "
    process.stdout.close()
    assert process.wait(SECONDS) == 1
    process.stderr.close()


def test_answers_can_go_to_a_file_while_a_person_types(
    tmp_path: Path, start: StartTerminal
) -> None:
    with (tmp_path / "answers").open("wb") as answers:
        chat = start(stdout=answers.fileno())
    chat.wait_for_prompt()
    chat.type("demo: reasoning=1 say=to the file", ENTER)
    chat.wait_until(lambda: (tmp_path / "answers").read_text() == "to the file\n", "answer")
    chat.wait_for("thought0")
    assert "\nto the file" not in chat.text


def test_one_question_at_a_terminal_leaves_the_keyboard_to_the_shell(start: StartTerminal) -> None:
    program = f"{os.environ['BRIDGED_BIN']} chat --demo 'demo: tokens=20 delay=50'"
    chat = start(command=["bash", "-c", f'{program}; read line; echo "got: $line"'])
    chat.wait_for("t2 ")
    chat.type("later", ENTER)
    chat.wait_for("got: later")
    assert chat.wait_for_end() == 0
    assert len(chat.messages) == 1


def test_ctrl_c_ends_one_question(start: StartTerminal) -> None:
    chat = start("demo: tokens=1000 delay=50")
    chat.wait_for("t5")
    chat.type(CTRL_C)
    assert chat.wait_for_end() == 130
    assert "(interrupted)" in chat.text


def test_a_question_whose_answer_is_caught_is_not_waited_for(start: StartTerminal) -> None:
    """Standard input is a terminal, and neither output is one."""
    program = f"{os.environ['BRIDGED_BIN']} chat --demo 'demo: say=caught it' 2>errors"
    chat = start(command=["bash", "-c", f'x=$({program}); echo "x: $x"; cat errors'])
    chat.wait_for("x: caught it")
    assert chat.wait_for_end() == 0


def test_ctrl_c_leaves_while_codex_starts(tmp_path: Path, start: StartTerminal) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    chat = start(settings={"CODEX_BIN": str(silent)})
    chat.wait_until(lambda: not chat.has_given_back, "keyboard")
    chat.type(CTRL_C)
    assert chat.wait_for_end() == 130
