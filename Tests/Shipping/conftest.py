"""What is shipped, really installed and run: the Debian package in bare systems, the service under a booted systemd,
the image built from the Dockerfile. Only in `Tests/run.sh --full`, since it takes root, some gigabytes and many minutes.

PACKAGES names the directory with what deploy/package.sh has made, BRIDGED_BIN the program that deploy/install.sh
installs, CODEX_BIN the Codex CLI.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "Clients"), str(TESTS / "Shipping")]

from roots import Root, base, copy

from programs import require_programs


def pytest_configure(config: pytest.Config) -> None:
    require_programs()
    if os.geteuid() != 0:
        raise pytest.UsageError("these tests make root directories of systems, which only root may do")


@pytest.fixture(scope="session")
def package() -> Path:
    """The Debian package under test."""
    found = sorted(Path(os.environ.get("PACKAGES", "/nonexistent")).glob("codexbridge_*.deb"))
    if len(found) != 1:
        pytest.fail("PACKAGES must name a directory with one package of deploy/package.sh")
    return found[0]


@pytest.fixture(scope="session")
def archive(package: Path) -> Path:
    [found] = package.parent.glob("codexbridge-*.tar.gz")
    return found


@pytest.fixture(params=["bookworm", "trixie"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    """A bare Debian 12 or 13."""
    found = copy(base(request.param, request.param), tmp_path / "root")
    yield found
    found.remove()
