"""The line that is being typed: UTF-8, several lines, pastes, history, and what is on the screen meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

import pytest

from terminal import (
    ALT_ENTER,
    BACKSPACE,
    CTRL_C,
    CTRL_D,
    CTRL_Z,
    DELETE,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    HANGUP,
    HOME,
    LEFT,
    TERMINATE,
    UP,
    Terminal,
)

StartTerminal = Callable[..., Terminal]


def test_a_conversation(chat: Terminal) -> None:
    chat.type("demo: say=first answr", ENTER)
    chat.wait_for("\nfirst answr\n")
    chat.wait_for_prompt()
    # The line comes back from the history and is edited.
    chat.type(UP, BACKSPACE, "er", ENTER)
    chat.wait_for("\nfirst answer\n")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "de_DE.ISO-8859-1", ""])
def test_text_is_utf_8_in_any_locale(start: StartTerminal, locale: str) -> None:
    chat = start(settings={"LC_ALL": locale, "LANG": locale})
    texts = ["你好 é world", "日本語", "ü"]
    for text in texts:
        chat.wait_for_prompt()
        chat.type(text)
        chat.wait_for_prompt(text)
        chat.type(ENTER)
        chat.wait_for(f"You said: “{text}”")
    assert chat.messages == texts


def test_a_character_may_come_in_pieces(chat: Terminal) -> None:
    for byte in "é日".encode():
        os.write(chat.master, bytes([byte]))
    chat.type(ENTER)
    chat.wait_until(lambda: chat.messages == ["é日"], "message")


def test_ctrl_c_drops_the_line(chat: Terminal) -> None:
    chat.type("half typed", CTRL_C)
    chat.wait_for_prompt()
    chat.type("new words", ENTER)
    chat.wait_for("You said: “new words”")
    assert chat.messages == ["new words"]


def test_ctrl_c_at_an_empty_prompt_says_how_to_leave(chat: Terminal) -> None:
    chat.type(CTRL_C)
    chat.wait_for("(/exit or Ctrl-D leaves)\n>")
    chat.type(CTRL_D)
    assert chat.wait_for_end() == 0


SIX_LINES = "def f(x):\n    if x:\n\treturn 1\n\n    return 2\nf(3)"


def test_a_paste_is_one_message(chat: Terminal) -> None:
    chat.paste(SIX_LINES)
    chat.wait_for("> def f(x):\n      if x:\n")
    chat.wait_for("  f(3)")
    chat.type(ENTER)
    chat.wait_until(lambda: chat.messages == [SIX_LINES], "the paste as one message")
    chat.wait_for_prompt()


def test_a_pasted_command_is_a_message(chat: Terminal) -> None:
    chat.say("the number is seven")
    chat.paste("/reset")
    chat.type(ENTER)
    chat.wait_for("You said: “/reset”. Before that you said: “the number is seven”.")
    assert chat.messages == ["the number is seven", "/reset"]
    # Also when it comes back from the history.
    chat.wait_for_prompt()
    chat.type(UP, ENTER)
    chat.wait_until(lambda: chat.messages[2:] == ["/reset"], "message")


def test_a_paste_ends_no_message_by_itself(chat: Terminal) -> None:
    chat.type("look at this: ")
    chat.paste("one\ntwo\n")
    chat.type("and say why", ENTER)
    chat.wait_until(lambda: chat.messages == ["look at this: one\ntwo\nand say why"], "message")


def test_a_large_paste_is_whole(chat: Terminal) -> None:
    text = "\n".join(f"line {index} äöü 日本語" for index in range(3000))
    chat.paste(text)
    chat.wait_for("line 2999")
    chat.type(ENTER)
    chat.wait_until(lambda: chat.messages == [text], "message")


@pytest.mark.parametrize("end", [ALT_ENTER, "\\" + ENTER, "\x1b[13;2u"])
def test_several_lines_can_be_typed(chat: Terminal, end: str) -> None:
    chat.type("one", end, "  two", end, "three", UP, END, "!", ENTER)
    chat.wait_until(lambda: chat.messages == ["one\n  two!\nthree"], "message")


def test_history_is_a_private_file_that_outlives_the_program(start: StartTerminal) -> None:
    chat = start()
    chat.wait_for_prompt()
    chat.type("one", ALT_ENTER, "two", ENTER)
    chat.wait_for("You said:")
    chat.wait_for_prompt()
    chat.type("/exit", ENTER)
    assert chat.wait_for_end() == 0
    [history] = (chat.root / "home").rglob("chat_history")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert history.read_text() == "one\\ntwo\n/exit\n"
    again = start()
    again.wait_for_prompt()
    again.type(UP, UP)
    again.wait_for("> one\n  two")
    again.type(DOWN, DOWN, DOWN)
    again.wait_for_prompt()


def test_editing_within_the_line(chat: Terminal) -> None:
    chat.type("wrld", LEFT, LEFT, LEFT, "o", HOME, "Hello ", END, "!?", BACKSPACE)
    chat.wait_for_prompt("Hello world!")
    chat.type(HOME, DELETE, "h", "\x0b", "i", "\x19")
    chat.wait_for_prompt("hiello world!")
    chat.type("\x15")
    chat.wait_for_prompt()


def test_an_escape_takes_no_letter_away(chat: Terminal) -> None:
    chat.type(ESCAPE)
    chat.wait_until(lambda: chat.type("x") or "x" in chat.last_line, "letter")


def test_wide_characters_wrap_and_are_erased(start: StartTerminal) -> None:
    chat = start(columns=20)
    chat.wait_for_prompt()
    # Two columns of prompt and nine characters of two: the tenth begins a row.
    chat.type("日" * 10)
    chat.wait_until(lambda: chat.last_line.replace("\x00", "") == "日", "second row")
    chat.type(BACKSPACE)
    chat.wait_until(lambda: chat.last_line.replace("\x00", "") == "> " + "日" * 9, "one row")
    chat.type(HOME, "x")
    chat.wait_until(lambda: "> x" + "日" * 8 in chat.text.replace("\x00", ""), "moved characters")
    assert chat.last_line.replace("\x00", "") == "日"
    chat.type(CTRL_C)
    chat.wait_for_prompt()


def test_the_line_is_drawn_anew_when_the_window_changes(start: StartTerminal) -> None:
    chat = start(columns=60)
    chat.wait_for_prompt()
    words = "a line that is just long enough for one row of sixty"
    chat.type(words)
    chat.wait_for_prompt(words)
    chat.resize(30, 30)
    chat.wait_until(lambda: f"> {words[:28]}\n{words[28:]}" in chat.text, "two rows")
    chat.type(" more", ENTER)
    chat.wait_until(lambda: chat.messages == [words + " more"], "message")


def test_what_is_typed_during_a_turn_is_shown_afterwards(chat: Terminal) -> None:
    chat.type("demo: tokens=20 delay=50", ENTER)
    chat.wait_for("t2 ")
    chat.type("for later")
    chat.wait_for("t19")
    chat.wait_for_prompt("for later")
    answer = " ".join(f"t{index}" for index in range(20))
    assert answer[:60] in chat.text, "the answer is in one piece"
    chat.type(ENTER)
    chat.wait_for("You said: “for later”")


def test_lines_entered_during_a_turn_follow_it(chat: Terminal) -> None:
    chat.type("demo: tokens=20 delay=50", ENTER)
    chat.wait_for("t2 ")
    chat.type("one", ENTER, "two", ENTER)
    chat.wait_for("You said: “two”")
    assert chat.messages[1:] == ["one", "two"]
    assert "> one\n" in chat.text


def test_ctrl_c_interrupts_the_turn_and_not_the_program(chat: Terminal) -> None:
    chat.type("demo: tokens=1000 delay=50", ENTER)
    chat.wait_for("t5")
    # What was entered for this turn's end is not sent by itself after an interrupt.
    chat.type("one", ENTER, "two", CTRL_C)
    chat.wait_for("(interrupted)")
    chat.wait_for("> one\n  two")
    chat.type(CTRL_C)
    chat.wait_for_prompt()
    chat.type("demo: say=still here", ENTER)
    chat.wait_for("\nstill here")
    assert chat.messages == ["demo: tokens=1000 delay=50", "demo: say=still here"]


def test_commands(chat: Terminal) -> None:
    chat.type("/help", ENTER)
    chat.wait_for("/reset")
    chat.type("/model", ENTER)
    chat.wait_for("There are:")
    chat.type("/model nonsense", ENTER)
    chat.wait_for("does not exist")
    chat.type("/nonsense", ENTER)
    chat.wait_for("is no command")
    chat.say("the number is seven")
    chat.type("/reset", ENTER)
    chat.wait_for("A new conversation.\n>")
    chat.type("demo: history", ENTER)
    chat.wait_for("user: demo: history")
    assert "user: the number is seven" not in chat.text
    chat.wait_for_prompt()
    chat.type("/exit", ENTER)
    assert chat.wait_for_end() == 0


def test_ctrl_d_leaves(chat: Terminal) -> None:
    chat.type(CTRL_D)
    assert chat.wait_for_end() == 0


def test_ctrl_d_typed_ahead_leaves_after_the_turn(chat: Terminal) -> None:
    chat.type("demo: tokens=10 delay=50", ENTER, CTRL_D)
    assert chat.wait_for_end() == 0
    assert "t9" in chat.text


@pytest.mark.parametrize("number", [TERMINATE, HANGUP])
@pytest.mark.parametrize("during", ["prompt", "turn", "question"])
def test_a_signal_gives_the_terminal_back(chat: Terminal, number: int, during: str) -> None:
    if during == "turn":
        chat.type("demo: tokens=1000 delay=50", ENTER)
        chat.wait_for("t5")
    if during == "question":
        chat.type("demo: run=touch made", ENTER)
        chat.wait_for_question()
    assert not chat.has_given_back
    chat.signal(number)
    assert chat.wait_for_end() == 128 + number


def test_ctrl_z_stops_it_with_the_terminal_given_back(start: StartTerminal) -> None:
    script = (
        f"set -m; {os.environ['BRIDGED_BIN']} chat --demo; echo stopped; stty -a; fg; echo left"
    )
    chat = start(command=["bash", "-c", script])
    chat.wait_for_prompt()
    chat.type("half", CTRL_Z)
    chat.wait_for("stopped")
    chat.wait_for(" icanon")
    chat.wait_for_prompt("half")
    chat.type(" typed", ENTER)
    chat.wait_for("You said: “half typed”")
    chat.wait_for_prompt()
    chat.type(CTRL_D)
    chat.wait_for("left")
    assert chat.wait_for_end() == 0


def test_ctrl_z_does_nothing_where_no_shell_could_continue_it(chat: Terminal) -> None:
    chat.type("half", CTRL_Z, " typed", ENTER)
    chat.wait_for("You said: “half typed”")


def test_keys_are_read_while_codex_starts(start: StartTerminal) -> None:
    chat = start()
    chat.wait_until(lambda: not chat.has_given_back, "keyboard")
    chat.type("early", ENTER)
    chat.wait_for("You said: “early”")
