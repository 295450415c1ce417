"""Several conversations in one directory: which goes on, taking a turn back, what is said of them."""

from __future__ import annotations

import base64
import json
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import CTRL_C, CTRL_D, ENTER, Terminal, run

StartTerminal = Callable[..., Terminal]


def answer_to(chat: Terminal, text: str) -> str:
    """What is on the screen behind a message when its answer is there."""
    before = chat.text.count("to first word")
    chat.type(text, ENTER)
    chat.wait_for("to first word", times=before + 1)
    chat.wait_for_prompt()
    return chat.text.rsplit(f"> {text}", 1)[1]


def test_the_start_tells_where_it_is(start: StartTerminal, tmp_path: Path) -> None:
    chat = start()
    chat.wait_for_prompt()
    first = chat.lines[0]
    assert str(tmp_path / "work") in first
    assert "writes there · asks before all but harmless commands" in first
    assert chat.lines[1] == "A new conversation. /help shows the commands."


def test_the_next_start_continues_and_leaving_says_how(start: StartTerminal) -> None:
    chat = start()
    chat.wait_for_prompt()
    chat.say("the number is seven")
    chat.type(CTRL_D)
    assert chat.wait_for_end() == 0
    found = re.search(r"Continue with: bridged chat --demo --continue (\w+)", chat.text)
    assert found
    again = start("--continue", found.group(1))
    again.wait_for("Continuing “the number is seven” (1 turn, just now). /new begins another")
    again.wait_for_prompt()
    assert "user: the number is seven" in answer_to(again, "demo: history")


def test_new_keeps_the_one_before_and_resume_goes_back(chat: Terminal) -> None:
    chat.say("the number is seven")
    chat.type("/new", ENTER)
    chat.wait_for("A new conversation; /resume goes back.")
    chat.wait_for_prompt()
    chat.say("the letter is x")
    chat.type("/resume", ENTER)
    chat.wait_for("Which?")
    assert re.search(r"\n1  the letter is x\s+1 turn .*\n2  the number is seven\s+1 turn", chat.text)
    chat.type("2", ENTER)
    chat.wait_for("Continuing “the number is seven”")
    chat.wait_for_prompt()
    said = answer_to(chat, "demo: history")
    assert "user: the number is seven" in said
    assert "user: the letter is x" not in said
    # It is the one used last now.
    chat.type("/resume 1", ENTER)
    chat.wait_for("Continuing “the number is seven” (2 turns", times=1)


@pytest.mark.parametrize("keys", [(ENTER,), (CTRL_C,), ("nonsense", ENTER)])
def test_the_picker_can_be_left(chat: Terminal, keys: tuple[str, ...]) -> None:
    chat.say("the number is seven")
    chat.type("/resume", ENTER)
    chat.wait_for("Which?")
    chat.type(*keys)
    chat.wait_for_prompt()
    assert "Continuing" not in chat.text
    assert "user: the number is seven" in answer_to(chat, "demo: history")


def test_a_turn_is_taken_back(chat: Terminal) -> None:
    chat.say("the number is seven")
    chat.say("the letter is x")
    chat.say("the colour is red")
    for words in ["the colour is red", "the letter is x"]:
        chat.type("/undo", ENTER)
        chat.wait_for(f"Taken back: “{words}”. What it did to files stays.")
        chat.wait_for_prompt()
    said = answer_to(chat, "demo: history")
    assert "user: the number is seven" in said
    assert "user: the letter is x" not in said
    assert "user: the colour is red" not in said


def test_what_was_taken_back_stays_so_over_a_restart(start: StartTerminal) -> None:
    chat = start()
    chat.wait_for_prompt()
    chat.say("the number is seven")
    chat.say("the letter is x")
    chat.type("/undo", ENTER)
    chat.wait_for("Taken back")
    chat.wait_for_prompt()
    chat.type(CTRL_D)
    assert chat.wait_for_end() == 0
    again = start()
    again.wait_for("(1 turn,")
    again.wait_for_prompt()
    said = answer_to(again, "demo: history")
    assert "user: the number is seven" in said
    assert "user: the letter is x" not in said


def test_a_turn_is_taken_back_before_another_model_goes_on(chat: Terminal) -> None:
    chat.say("the number is seven")
    chat.say("the letter is x")
    chat.type("/undo", ENTER, "/model gpt-5.6-luna", ENTER)
    chat.wait_for("Using gpt-5.6-luna.")
    chat.wait_for_prompt()
    said = answer_to(chat, "demo: history")
    assert "user: the number is seven" in said
    assert "user: the letter is x" not in said


def test_nothing_is_taken_back_of_nothing(chat: Terminal) -> None:
    chat.type("/undo", ENTER)
    chat.wait_for("There is nothing that can be taken back.")


def test_reset_forgets(chat: Terminal) -> None:
    chat.say("the number is seven")
    chat.type("/reset", ENTER)
    chat.wait_for("A new conversation.\n>")
    chat.type("/resume", ENTER)
    chat.wait_for("There is no conversation of this directory yet.")


def test_status_models_and_a_mistyped_command(chat: Terminal) -> None:
    chat.say("demo: usage=1400,1100,312,5")
    assert "1.4k in (1.1k cached) · 312 out" in chat.text
    chat.type("/status", ENTER)
    chat.wait_for("Tokens        1.4k in (1.1k cached), 312 out since the start")
    assert "Conversation  “demo: usage=1400,1100,312,5” (1 turn, just now), id" in chat.text
    chat.type("/models", ENTER)
    chat.wait_for("(low, medium")
    chat.type("/stauts", ENTER)
    chat.wait_for("/stauts is no command; did you mean /status? /help shows them.")
    chat.type("/model gpt-none", ENTER)
    chat.wait_for("Error (model_not_found): ")
    chat.wait_for("/models lists the models.")


def test_details_tell_what_ran(chat: Terminal) -> None:
    chat.type("/details", ENTER)
    chat.wait_for("Nothing was run for the last answer.")
    chat.type('demo: run="true; false"', ENTER)
    chat.wait_for_question()
    chat.type("y", ENTER)
    chat.wait_for("to first word")
    chat.type("/details", ENTER)
    chat.wait_for("1. exit code 1, ")
    assert "\n   | true; false\n" in chat.text


def test_copy_hands_the_last_answer_to_the_terminal(chat: Terminal) -> None:
    chat.type("/copy", ENTER)
    chat.wait_for("There is no answer to copy.")
    chat.paste("demo: say=**bold** é\x1b]52;c;eHg=\x07")
    chat.type(ENTER)
    chat.wait_for("to first word")
    chat.type("/copy", ENTER)
    chat.wait_for("The last answer is on the clipboard")
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", chat.raw)
    # Without the control characters, which could do something where it is pasted.
    assert [base64.b64decode(text).decode() for text in found] == ["**bold** é]52;c;eHg="]


def test_errors_have_a_code_and_say_what_to_do(chat: Terminal) -> None:
    chat.say("demo: fail=cyber_policy")
    assert re.search(r"Error \(\w+\): .*told to fail", chat.text)


# -- the list, and choosing at the start


def conversations(root: Path) -> list[dict[str, object]]:
    done = run(root, "--list", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_list_is_for_people_and_programs(tmp_path: Path) -> None:
    done = run(tmp_path, "--list")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"no conversation" in done.stderr
    run(tmp_path, "the number is seven")
    run(tmp_path, "--new", "the letter is x")
    listed = run(tmp_path, "--list").stdout.decode().splitlines()
    assert re.fullmatch(r"1  the letter is x +1 turn  just now  \w+", listed[0])
    assert re.fullmatch(r"2  the number is seven +1 turn  just now  \w+", listed[1])
    first, second = conversations(tmp_path)
    assert (first["title"], second["title"]) == ("the letter is x", "the number is seven")
    assert second["turns"] == 1
    # By its id, the beginning of it, and its number.
    identity = str(second["id"])
    for choice in [identity, identity[:6], "1"]:
        done = run(tmp_path, "--continue", choice, "demo: history")
        assert b"user: the number is seven" in done.stdout, done.stderr
        assert b"user: the letter is x" not in done.stdout
    [file] = (tmp_path / "state").rglob("chats.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--continue", "nonsense", "hi"], b"Error (conversation_not_found)"),
        (["--new", "--continue", "x", "hi"], b"exclude each other"),
        (["--list", "hi"], b"--list goes with"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: list[str], reason: bytes) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode != 0
    assert reason in done.stderr


# -- for programs


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_tells_a_turn_line_by_line(tmp_path: Path) -> None:
    told = events(run(tmp_path, "--json", "demo: reasoning=1 usage=10,5,3,1 tokens=4"))
    assert told[0]["type"] == "reasoning"
    text = "".join(str(event["text"]) for event in told if event["type"] == "answer")
    end = told[-1]
    assert end["type"] == "end"
    assert (end["status"], end["answer"]) == ("completed", text)
    assert text.split() == ["t0", "t1", "t2", "t3"]
    assert end["usage"] == {
        "input_tokens": 10, "cached_input_tokens": 5, "output_tokens": 3, "reasoning_output_tokens": 1,
    }  # fmt: skip
    [kept] = conversations(tmp_path)
    assert (kept["id"], kept["thread"]) == (end["conversation"], end["thread"])


def test_json_tells_commands_and_that_nobody_was_asked(tmp_path: Path) -> None:
    told = events(run(tmp_path, "--json", data="demo: run=touch made"))
    states = [(event["state"], event.get("command")) for event in told if event["type"] == "tool"]
    assert states == [("began", "touch made"), ("declined", "touch made")]
    assert any(event["type"] == "question" for event in told)


def test_json_tells_failures(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", "demo: fail=cyber_policy")
    assert done.returncode == 1
    end = events(done)[-1]
    assert end["status"] == "failed"
    assert "told to fail" in end["error"]["message"]  # type: ignore[index]


def test_json_is_ascii_where_it_could_drive_a_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", data="demo: say=a\x1b[1mb\u202ec")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout.decode())
    assert events(done)[-1]["answer"] == "a\x1b[1mb\u202ec"
