"""The bridge under fire. In two sizes: the default one is bounded for every run, `--full` does it all.

The fixtures that start bridges are those of Tests/Clients, and so are the variables they want: CODEX_BIN
names the real Codex CLI, BRIDGED_BIN the binary under test (a release build, if figures matter).
`report` keeps lines for the end of the run: figures are printed there and nothing is asserted about them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CLIENTS = TESTS / "Clients"
sys.path[:0] = [str(CLIENTS), str(TESTS / "Deploy")]

pytest_plugins = ["client_fixtures"]

Report = Callable[[str], None]
_lines: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="the sizes that the page on reliability promises",
    )


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Keeps a line for the summary."""
    return lambda line: _lines.append(f"{request.node.name}: {line}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("NOT TESTED: nothing may be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _lines:
        terminalreporter.section("figures")
        for line in _lines:
            terminalreporter.line(line)
