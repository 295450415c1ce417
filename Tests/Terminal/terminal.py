"""A program in a terminal: a pty, and an emulator that knows what a person would see.

No test cases here; the fixtures built on this are in conftest.py.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pyte

from harness import Bridge

PROMPT = "> "
QUESTION = "Allow?"
ENTER, ALT_ENTER, ESCAPE = "\r", "\x1b\r", "\x1b"
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE, BACKSPACE = "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
# Generous: the machine has few cores and may be busy. Nothing is asserted about it.
SECONDS = 40.0


def environ(root: Path, **settings: str) -> dict[str, str]:
    asks = {"CODEX_APPROVAL_POLICY": "untrusted", "CODEX_SANDBOX_MODE": "workspace-write"}
    return Bridge(root).environ() | asks | {"TERM": "xterm-256color"} | settings


def user_messages(root: Path) -> list[str]:
    """What the person said, as Codex has written it down."""
    texts = []
    for rollout in sorted((root / "state" / ".codex_demo" / "sessions").rglob("*.jsonl")):
        for line in rollout.read_text().splitlines():
            payload: dict[str, Any] = json.loads(line).get("payload") or {}
            if payload.get("type") == "message" and payload.get("role") == "user":
                texts += [part.get("text", "") for part in payload["content"]]
    # Codex tells the model of its surroundings in the same role.
    return [text for text in texts if not text.startswith(("<", "# AGENTS.md"))]


class Terminal:
    """A program that has a pty as its controlling terminal."""

    def __init__(
        self,
        root: Path,
        *arguments: str,
        command: list[str] | None = None,
        columns: int = 160,
        rows: int = 30,
        settings: dict[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        self.root = root
        self.raw = b""
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.lock = threading.Lock()
        self.master, slave = pty.openpty()
        self.resize(columns, rows, tell=False)
        self.mode = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            command or [os.environ["BRIDGED_BIN"], "chat", "--demo", *arguments],
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave if stderr is None else stderr,
            cwd=root,
            env=environ(root, **(settings or {})),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            with self.lock:
                self.raw += data
                self.stream.feed(decoder.decode(data))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        self.reader.join(5)
        os.close(self.master)

    # -- what the person does

    def type(self, *keys: str) -> None:
        for key in keys:
            os.write(self.master, key.encode())

    def paste(self, text: str) -> None:
        """As a terminal does that marks pastes: line ends become carriage returns."""
        data = f"\x1b[200~{text}\x1b[201~".replace("\n", "\r").encode()
        while data:
            data = data[os.write(self.master, data[:1024]) :]

    def resize(self, columns: int, rows: int, *, tell: bool = True) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        if tell:
            with self.lock:
                self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    # -- what the person sees

    @property
    def lines(self) -> list[str]:
        """All lines there have been, without blanks at their ends."""
        with self.lock:
            top = [
                "".join(line[x].data for x in range(self.screen.columns))
                for line in self.screen.history.top
            ]
            return [line.rstrip() for line in top + list(self.screen.display)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    @property
    def last_line(self) -> str:
        lines = self.text.splitlines()
        return lines[-1] if lines else ""

    @property
    def cursor(self) -> tuple[int, int]:
        with self.lock:
            return self.screen.cursor.x, self.screen.cursor.y

    def wait_until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"no {what} on:\n{self.text}"
            time.sleep(0.02)

    def wait_for(self, text: str, *, times: int = 1) -> None:
        self.wait_until(lambda: self.text.count(text) >= times, f"“{text}”")

    def wait_for_prompt(self, typed: str = "") -> None:
        """Waits for the prompt as the last line, with `typed` behind it and the cursor at its end."""
        line = (PROMPT + typed).rstrip()
        self.wait_until(lambda: self.last_line == line, f"prompt with “{typed}”")

    def wait_for_question(self, times: int = 1) -> None:
        self.wait_for(QUESTION, times=times)

    def wait_for_end(self) -> int:
        status = self.process.wait(SECONDS)
        # What it wrote last may still be on its way.
        self.wait_until(lambda: self.has_given_back, "terminal given back")
        return status

    @property
    def has_given_back(self) -> bool:
        """Whether the terminal is in the mode in which it was before the program."""
        marks = self.raw.rfind(PASTE_OFF.encode()) >= self.raw.rfind(PASTE_ON.encode())
        return marks and termios.tcgetattr(self.slave)[:4] == self.mode[:4]

    # -- what Codex was told

    @property
    def messages(self) -> list[str]:
        return user_messages(self.root)

    def say(self, text: str) -> None:
        """Types a message and waits for the prompt after its answer."""
        before = len(self.messages)
        self.type(text)
        # Codex may write an earlier message down only now, so the prompt that is there must be gone first.
        self.wait_until(lambda: self.last_line != PROMPT.rstrip(), f"echo of “{text}”")
        self.type(ENTER)
        self.wait_until(lambda: len(self.messages) > before, f"message “{text}”")
        self.wait_for_prompt()


def run(
    root: Path, *arguments: str, data: bytes | str = b"", **settings: str
) -> subprocess.CompletedProcess[bytes]:
    """`bridged chat --demo` with pipes for everything."""
    return subprocess.run(
        [os.environ["BRIDGED_BIN"], "chat", "--demo", *arguments],
        input=data.encode() if isinstance(data, str) else data,
        capture_output=True,
        timeout=SECONDS + 20,
        env=environ(root, **settings),
        cwd=root,
        check=False,
    )


HANGUP, TERMINATE = signal.SIGHUP, signal.SIGTERM
