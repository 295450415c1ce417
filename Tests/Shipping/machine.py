"""A Debian system that is booted by systemd-nspawn, with a network of its own in which there is only loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from roots import COMMAND_SECONDS, Root, run

BOOT_SECONDS = 120.0
REQUESTER = Path(__file__).with_name("requester.py")


class Machine:
    """A booted root. Commands run in its namespaces, so that its systemd answers them; it ends with `stop`."""

    def __init__(self, root: Root, log: Path, read_only: dict[Path, str] | None = None) -> None:
        """`read_only`: directories of this machine, and where they are seen in the booted one."""
        self.root = root
        self.log = log
        # --register, --keep-unit: this machine need not run systemd itself.
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
                   "--directory", str(root.path), "--console=pipe", "--boot",
                   *(f"--bind-ro={source}:{target}" for source, target in (read_only or {}).items()),
                   "systemd.show_status=0"]  # fmt: skip
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        try:
            self.init = self._wait_for_init()
            self._wait_for_boot()
        except BaseException:
            self.stop()
            raise

    def _wait_for_init(self) -> int:
        """The process id, on this machine, of the booted systemd: the child of nspawn."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            for child in children.read_text().split():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        return int(child)
            time.sleep(0.2)
        raise AssertionError(f"nothing was booted\n{self.log.read_text(errors='replace')}")

    def _wait_for_boot(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        state = ""
        while time.monotonic() < deadline:
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            # Some unit or other fails in a container; what is tested here is looked at by itself.
            if state in {"running", "degraded"}:
                return
            time.sleep(0.5)
        raise AssertionError(f"not booted: {state}\n{self.log.read_text(errors='replace')}")

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid",
                "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]  # fmt: skip

    def run(
        self, *command: str, seconds: float = COMMAND_SECONDS, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return run(*self._inside(), *command, seconds=seconds, check=check)

    def shell(self, script: str) -> str:
        return self.run("/bin/bash", "-euc", script).stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def wait_until(self, unit: str, name: str, value: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (found := self.show(unit, name)) != value:
            assert time.monotonic() < deadline, f"{unit}: {name} is {found}, not {value}\n{self.journal(unit)}"
            time.sleep(0.3)

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "--lines=40", "--unit", unit, check=False).stdout

    @contextlib.contextmanager
    def asked(self, address: str) -> Iterator[Counter[str]]:
        """Asks for /health over and over while the block runs. Afterwards: how often it ended in which way."""
        results: Counter[str] = Counter()
        # The program is this machine's, only the network is the other's.
        asker = subprocess.Popen(
            ["nsenter", "--target", str(self.init), "--net", sys.executable, str(REQUESTER), address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield results
        finally:
            output, _ = asker.communicate(timeout=COMMAND_SECONDS)
            results.update(output.split())

    def stop(self) -> None:
        """At once: the root is thrown away. The end of the first process takes all others with it."""
        init = getattr(self, "init", None)
        if init is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
