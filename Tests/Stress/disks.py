"""State directories that cannot be written. No test cases here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from harness import Bridge


@contextmanager
def full_disk(bridge: Bridge) -> Iterator[None]:
    """The file system of the state directory has no room left."""
    filler = bridge.state / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(bridge: Bridge) -> Iterator[None]:
    # Over itself, because the database is open for writing.
    state = str(bridge.state)
    subprocess.run(["mount", "--bind", state, state], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", state], check=True)
