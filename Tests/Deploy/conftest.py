"""What the tests of deploy/ share. BRIDGED_BIN names the binary under test (default: the debug build).

Everything here works offline and without root: installs are staged (DESTDIR) and the engine is
Tests/Clients/fake_codex.py.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "Clients"), str(TESTS / "Deploy")]


def pytest_configure(config: pytest.Config) -> None:
    built = TESTS.parent / ".build" / "debug" / "bridged"
    os.environ.setdefault("BRIDGED_BIN", str(built))
    found = shutil.which(os.environ["BRIDGED_BIN"])
    if found is None:
        name = os.environ["BRIDGED_BIN"]
        raise pytest.UsageError(f"BRIDGED_BIN={name} is not an executable")
    # Absolute, because bridges are started in directories of their own.
    os.environ["BRIDGED_BIN"] = str(Path(found).absolute())
