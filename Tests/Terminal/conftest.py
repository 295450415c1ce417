"""`bridged chat` as a person sees it: in a terminal, with the real Codex and its stand-in for the model.

CODEX_BIN has to name the real Codex CLI; BRIDGED_BIN the binary under test (default: the debug build).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "Clients"))

from programs import require_programs
from terminal import Terminal

StartTerminal = Callable[..., Terminal]


def pytest_configure(config: pytest.Config) -> None:
    require_programs()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Outside of the directories for temporary files, which commands may write to under workspace-write."""
    root = Path(tempfile.mkdtemp(prefix="bridge-terminal-", dir="/var/tmp"))
    yield root
    shutil.rmtree(root)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartTerminal]:
    """Starts `bridged chat --demo` in a terminal of its own."""
    started: list[Terminal] = []

    def begin(*arguments: str, **options: object) -> Terminal:
        terminal = Terminal(tmp_path, *arguments, **options)  # type: ignore[arg-type]
        started.append(terminal)
        return terminal

    yield begin
    for terminal in started:
        terminal.close()


@pytest.fixture
def chat(start: StartTerminal) -> Terminal:
    """A conversation at its first prompt, in which Codex asks before it runs anything."""
    terminal = start()
    terminal.wait_for_prompt()
    return terminal
