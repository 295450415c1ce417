"""What a bridge does whose output nobody reads, and how it ends when its loop is stuck."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import Bridge, eventually, listening_url

F_SETPIPE_SZ = 1031
REQUESTS = 4000

# Stops the loop where it waits for its sockets, once a file says so. Signals still arrive, and find nobody.
STUCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
  static int (*real)(int, struct epoll_event *, int, int, const sigset_t *);
  if (!real) real = dlsym(RTLD_NEXT, "epoll_pwait");
  while (access(getenv("STUCK_FILE"), F_OK) == 0) pause();
  return real(epoll, events, most, timeout, mask);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
  return epoll_pwait(epoll, events, most, timeout, 0);
}
"""


class Silent(Bridge):
    """A bridge whose standard error is a pipe that is read only when the test says so."""

    def start(self, *, wait_ready: bool = True) -> Silent:
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen(
            [os.environ["BRIDGED_BIN"], "serve"],
            cwd=self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writer,
            text=True,
        )
        os.close(writer)
        assert self.process.stdout is not None
        self.base_url = listening_url(self.process.stdout.readline())
        if wait_ready:
            self.wait_ready()
        return self

    def log(self) -> str:
        return "(nobody reads it)"

    def read_all(self, seconds: float = 1.0) -> str:
        """Everything up to a silence, or the end."""
        os.set_blocking(self.reader, False)
        data = b""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < seconds:
            try:
                piece = os.read(self.reader, 1 << 16)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not piece:
                break
            data += piece
            quiet_since = time.monotonic()
        return data.decode()


@contextmanager
def silent(
    root: Path, environment: dict[str, str] | None = None, *, ready: bool = True
) -> Iterator[Silent]:
    bridge = Silent(root, fake=True, environment=environment)
    bridge.start(wait_ready=ready)
    try:
        yield bridge
    finally:
        if bridge.process is not None:
            bridge.process.kill()
            bridge.process.wait()
        os.close(bridge.reader)


@pytest.mark.parametrize("form", ["text", "json"])
def test_standard_error_that_nobody_reads(tmp_path: Path, form: str) -> None:
    settings = {"CODEX_LOG_REQUESTS": "true", "CODEX_LOG_FORMAT": form}
    with silent(tmp_path, settings) as bridge:
        for number in range(REQUESTS):
            answer = bridge.request("GET", "/health", headers={"x-request-id": f"r{number}"})
            assert answer.status == 200
        text = bridge.read_all()
        found = re.search(r"lines of the log were lost.*?count\"?[=:]\"?(\d+)", text)
        assert found, text[-500:]
        numbers = [int(number) for number in re.findall(r"\br(\d+)\b", text)]
        # What was kept is in order, and with what was lost it is all there was.
        assert numbers == sorted(numbers)
        lost = sum(int(count) for count in re.findall(r"were lost.*?count\"?[=:]\"?(\d+)", text))
        lines = [line for line in text.splitlines() if "were lost" not in line]
        others = len(lines) - len(numbers)
        assert len(numbers) + lost >= REQUESTS
        assert len(numbers) + lost <= REQUESTS + others + 100
        # It flows again.
        assert bridge.request("GET", "/health", headers={"x-request-id": "again"}).status == 200
        assert "again" in bridge.read_all()


def test_it_ends_though_nobody_reads_its_last_words(tmp_path: Path) -> None:
    with silent(tmp_path, {"CODEX_LOG_REQUESTS": "true"}) as bridge:
        for _ in range(REQUESTS // 4):
            assert bridge.request("GET", "/health").status == 200
        assert bridge.stop() == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_a_process_whose_loop_is_stuck(
    tmp_path: Path, sent: signal.Signals
) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, library, stuck = tmp_path / "stuck.c", tmp_path / "stuck.so", tmp_path / "stuck"
    source.write_text(STUCK)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    settings = {"LD_PRELOAD": str(library), "STUCK_FILE": str(stuck)}
    with silent(tmp_path, settings) as bridge:
        process = bridge.process
        assert process is not None
        stuck.touch()
        # Whatever wakes the loop finds the file.
        with pytest.raises(OSError):
            while True:
                bridge.request("GET", "/health", timeout=1)
        process.send_signal(sent)
        time.sleep(0.3)
        assert process.poll() is None, "the first one is for the loop"
        process.send_signal(sent)
        assert eventually(lambda: process.poll() is not None)
        assert process.returncode == 128 + sent
        bridge.process = None
