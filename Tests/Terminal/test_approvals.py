"""Codex asks, a person answers: only whole words decide, and only those typed after the question."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import CTRL_C, CTRL_D, ENTER, Terminal

StartTerminal = Callable[..., Terminal]
ASK = "demo: run=touch made"


def made(chat: Terminal) -> bool:
    return (chat.root / "work" / "made").exists()


@pytest.mark.parametrize("word", ["y", "yes", " YES ", "a", "Always"])
def test_whole_words_approve(chat: Terminal, word: str) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type(word, ENTER)
    chat.wait_for("The command printed:")
    chat.wait_for_prompt()
    assert made(chat)


def test_always_is_not_asked_again(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type("a", ENTER)
    chat.wait_for_prompt()
    (chat.root / "work" / "made").unlink()
    chat.say(ASK)
    assert made(chat), chat.text
    assert chat.text.count("Allow?") == 1


@pytest.mark.parametrize("word", ["n", "no", " No "])
def test_no_declines_and_the_turn_goes_on(chat: Terminal, word: str) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type(word, ENTER)
    chat.wait_for("Declined.")
    chat.wait_for("The command printed:")
    chat.wait_for_prompt()
    assert not made(chat)
    assert chat.messages == [ASK]


@pytest.mark.parametrize(
    "words",
    [
        "actually stop, do not do that",
        "abort",
        "are you sure?",
        "yikes, no!",
        "yes please",
        "always ask me first",
    ],
)
def test_free_text_is_a_refusal_and_the_next_message(chat: Terminal, words: str) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type(words, ENTER)
    chat.wait_for(f"You said: “{words}”")
    chat.wait_for_prompt()
    assert not made(chat)
    assert chat.messages == [ASK, words]


def test_what_is_pasted_approves_nothing(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.paste("y")
    chat.type(ENTER)
    chat.wait_for("You said: “y”")
    assert not made(chat)


def test_an_empty_line_is_asked_again(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type(ENTER, "  ", ENTER)
    chat.wait_for_question(times=3)
    assert not made(chat)
    # Right behind one another, as scripts type: all of it is for the question.
    chat.type(ENTER + "n" + ENTER)
    chat.wait_for("Declined.")
    chat.wait_for_prompt()
    assert chat.messages == [ASK]


def test_a_line_typed_before_the_question_is_the_next_message(chat: Terminal) -> None:
    chat.type("demo: first=1500 run=touch made", ENTER)
    chat.type("yes", ENTER)
    chat.wait_for_question()
    assert not made(chat)
    chat.type("n", ENTER)
    chat.wait_for("You said: “yes”")
    chat.wait_for_prompt()
    assert not made(chat)
    assert chat.messages == ["demo: first=1500 run=touch made", "yes"]


def test_a_line_that_waits_in_the_system_is_no_answer_either(chat: Terminal) -> None:
    chat.type("demo: first=300 run=touch made", ENTER)
    chat.wait_until(lambda: chat.messages, "message at Codex")
    chat.signal(signal.SIGSTOP)
    chat.type("y", ENTER)
    # By then Codex has asked; if not, this is the same as the test above.
    time.sleep(2)
    chat.signal(signal.SIGCONT)
    chat.wait_for_question()
    chat.type("no", ENTER)
    chat.wait_for("You said: “y”")
    assert not made(chat)


def test_a_half_typed_line_is_kept_for_the_prompt(chat: Terminal) -> None:
    chat.type("demo: first=1500 run=touch made", ENTER)
    chat.type("ye")
    chat.wait_for_question()
    chat.type("no", ENTER)
    chat.wait_for_prompt("ye")
    assert not made(chat)
    chat.type("llow", ENTER)
    chat.wait_for("You said: “yellow”")


def test_whoever_is_typing_is_not_asked_in_the_middle_of_a_word(chat: Terminal) -> None:
    chat.type("demo: first=500 run=touch made", ENTER)
    words = "the quick brown fox jumps over the lazy dog and then it does so once more, slowly"
    # Slower than people type, and longer than Codex takes to ask.
    longest, before = 0.0, time.monotonic()
    for letter in words:
        chat.type(letter)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
        time.sleep(0.04)
    if longest > 0.5:
        pytest.skip("this machine is too busy to type without a pause")
    assert "Allow?" not in chat.text
    chat.type(ENTER)
    chat.wait_for_question()
    chat.type("n", ENTER)
    chat.wait_until(lambda: words in chat.messages, "message")


def test_ctrl_c_at_the_question_leaves_an_empty_prompt(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type("b2", CTRL_C)
    chat.wait_for("(interrupted)")
    chat.wait_for_prompt()
    chat.type("hello", ENTER)
    chat.wait_for("You said: “hello”")
    assert not made(chat)
    assert chat.messages == [ASK, "hello"]


def test_ctrl_c_at_the_question_sends_nothing_that_was_entered_before(chat: Terminal) -> None:
    chat.type("demo: first=1500 run=touch made", ENTER)
    chat.type("and then this", ENTER)
    chat.wait_for_question()
    chat.type("b2", CTRL_C)
    chat.wait_for("(interrupted)")
    chat.wait_for_prompt("and then this")
    assert not made(chat)
    assert len(chat.messages) == 1


def test_a_question_out_of_time_leaves_an_empty_prompt(start: StartTerminal) -> None:
    chat = start(settings={"CODEX_APPROVAL_WAIT": "2s"})
    chat.wait_for_prompt()
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type("b2")
    chat.wait_for("Nobody answered in time; declined.")
    chat.wait_for_prompt()
    chat.type("hello", ENTER)
    chat.wait_for("You said: “hello”")
    assert not made(chat)
    assert chat.messages == [ASK, "hello"]


def test_ctrl_d_at_the_question_declines(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type(CTRL_D)
    chat.wait_for("(interrupted)")
    chat.wait_for_prompt()
    assert not made(chat)


def test_a_command_at_the_question_is_a_refusal_too(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    chat.type("/exit", ENTER)
    assert chat.wait_for_end() == 0
    assert not made(chat)


def test_one_question_at_a_terminal_can_be_asked_back(start: StartTerminal) -> None:
    chat = start(ASK)
    chat.wait_for_question()
    chat.type("y", ENTER)
    assert chat.wait_for_end() == 0
    assert made(chat)


def test_whoever_asks_one_question_can_say_something_else(start: StartTerminal) -> None:
    chat = start(ASK)
    chat.wait_for_question()
    chat.type("stop that", ENTER)
    chat.wait_for("You said: “stop that”")
    assert chat.wait_for_end() == 0
    assert not made(chat)


def test_what_is_asked_cannot_drive_the_terminal(chat: Terminal, tmp_path: Path) -> None:
    chat.paste("demo: run=touch 'a\u202eb\x07'")
    start = len(chat.raw)
    chat.type(ENTER)
    chat.wait_for_question()
    assert "\\u{202E}" in chat.text
    assert "\u202e".encode() not in chat.raw[start:]
    assert b"\x07" not in chat.raw[start:]
    chat.type("n", ENTER)
    chat.wait_for_prompt()


def test_a_question_is_on_the_screen_once(chat: Terminal) -> None:
    chat.type(ASK, ENTER)
    chat.wait_for_question()
    assert chat.text.count("Codex asks to run") == 1
