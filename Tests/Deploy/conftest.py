"""What the tests of deploy/ share. BRIDGED_BIN names the binary under test (default: the debug build).

Everything here works offline and without root: installs are staged (DESTDIR) and the engine is
Tests/Clients/fake_codex.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "Clients"), str(TESTS / "Deploy")]

from programs import require_programs


def pytest_configure(config: pytest.Config) -> None:
    require_programs(codex=False)
