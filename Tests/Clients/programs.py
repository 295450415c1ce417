"""Which programs the suites run: the variables that name them, for the conftest of every suite."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def require_programs(*, codex: bool = True) -> None:
    """Fails the run at once, and says why, if there is nothing to test with.

    BRIDGED_BIN names the binary under test (default: the debug build), CODEX_BIN the real Codex CLI.
    """
    os.environ.setdefault("BRIDGED_BIN", str(REPO / ".build" / "debug" / "bridged"))
    if codex and "CODEX_BIN" not in os.environ:
        raise pytest.UsageError(
            "CODEX_BIN must name the Codex CLI (Tests/run.sh sets it)"
        )
    for name in ("BRIDGED_BIN", "CODEX_BIN") if codex else ("BRIDGED_BIN",):
        found = shutil.which(os.environ[name])
        if found is None:
            raise pytest.UsageError(f"{name}={os.environ[name]} is not an executable")
        # Absolute, because bridges are started in directories of their own.
        os.environ[name] = str(Path(found).absolute())
