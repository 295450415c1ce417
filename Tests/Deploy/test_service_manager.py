"""The protocols of systemd over real sockets, with the built bridged: notify, watchdog, activation."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import API_KEY, FAKE_CODEX

START_SECONDS = 30.0


class Manager:
    """A service manager: starts bridged, hears what it says, and may hand it a socket."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("home", "state", "work"):
            (root / name).mkdir()
        self.path = str(root / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path)
        self.listener: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        if self.listener is not None:
            self.listener.close()

    def listen(self) -> tuple[str, int]:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        host, port = self.listener.getsockname()
        return str(host), int(port)

    def start(self, *, address: str | None = None, **environ: str) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "NOTIFY_SOCKET": address or self.path,
            "PORT": "0",
            "CODEX_BIN": str(FAKE_CODEX),
            "CODEX_HOME": str(self.root / "home"),
            "CODEX_WORKDIR": str(self.root / "work"),
            "CODEX_STATE_DIR": str(self.root / "state"),
            "CODEX_BRIDGE_API_KEY": API_KEY,
        } | environ
        for name in ("LD_LIBRARY_PATH", "TMPDIR"):
            if name in os.environ:
                env.setdefault(name, os.environ[name])
        # As systemd does it: the pid goes into the environment of the process that has it already.
        script = 'WATCHDOG_PID=$$ LISTEN_PID=$$ exec "$0" serve'
        if self.listener is not None:
            env["LISTEN_FDS"] = "1"
            script += f" 3<&{self.listener.fileno()}"
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/bash", "-c", script, os.environ["BRIDGED_BIN"]],
                cwd=self.root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.listener.fileno()] if self.listener else [],
            )

    def hear(self, seconds: float = START_SECONDS) -> dict[str, str]:
        """The next message."""
        self.notify.settimeout(seconds)
        text = self.notify.recv(65536).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def hear_of(self, name: str, seconds: float = START_SECONDS) -> dict[str, str]:
        deadline = time.monotonic() + seconds
        while True:
            message = self.hear(max(0.01, deadline - time.monotonic()))
            if name in message:
                return message

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(tmp_path)
    yield found
    found.close()


def request(address: tuple[str, int]) -> socket.socket:
    """Connects and asks for /health, without waiting for the answer."""
    connection = socket.create_connection(address, timeout=START_SECONDS)
    host = f"{address[0]}:{address[1]}"
    connection.sendall(
        f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    return connection


def answer(connection: socket.socket) -> str:
    with connection:
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received.decode().split("\r\n", 1)[0]


def address_in(status: str) -> tuple[str, int]:
    host, _, port = status.rpartition("http://")[2].rpartition(":")
    return host, int(port)


def test_ready_is_said_once_it_serves(manager: Manager) -> None:
    manager.start()
    message = manager.hear()
    assert message["READY"] == "1"
    assert message["STATUS"].startswith("Serving http://127.0.0.1:")
    assert answer(request(address_in(message["STATUS"]))) == "HTTP/1.1 200 OK"


def test_the_end_is_announced_and_clean(manager: Manager) -> None:
    manager.start()
    manager.hear_of("READY")
    assert manager.stop() == 0
    assert manager.hear_of("STOPPING", 1)["STOPPING"] == "1"


def test_an_abstract_socket_will_do(manager: Manager) -> None:
    name = f"codexbridge-test-{os.getpid()}"
    manager.notify.close()
    manager.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.notify.bind("\0" + name)
    manager.start(address="@" + name)
    assert manager.hear()["READY"] == "1"


def test_a_manager_that_does_not_listen_is_no_trouble(manager: Manager) -> None:
    address = manager.listen()
    manager.start(address=str(manager.root / "nowhere"), WATCHDOG_USEC="100000")
    assert answer(request(address)) == "HTTP/1.1 200 OK"
    assert manager.stop() == 0


def test_nothing_is_said_ready_when_it_cannot_start(manager: Manager) -> None:
    manager.start(CODEX_SANDBOX_MODE="nonsense")
    assert manager.process is not None
    assert manager.process.wait(START_SECONDS) != 0
    with pytest.raises(TimeoutError):
        manager.hear(0.05)


def test_the_watchdog_is_fed_at_half_its_limit(manager: Manager) -> None:
    manager.start(WATCHDOG_USEC="1000000")
    manager.hear_of("READY")
    times = []
    for _ in range(4):
        assert manager.hear_of("WATCHDOG", 5)["WATCHDOG"] == "1"
        times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    # Half a second each; generous for a busy machine, and an average is not thrown by one late timer.
    assert 0.3 < sum(gaps) / len(gaps) < 0.9


def test_a_stuck_process_does_not_feed_the_watchdog(manager: Manager) -> None:
    manager.start(WATCHDOG_USEC="200000")
    manager.hear_of("WATCHDOG")
    assert manager.process is not None
    manager.process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    manager.notify.setblocking(False)
    with pytest.raises(BlockingIOError):
        while manager.notify.recv(65536):
            pass
    with pytest.raises(TimeoutError):
        manager.hear(0.5)


def test_without_a_limit_there_is_no_watchdog(manager: Manager) -> None:
    manager.start()
    manager.hear_of("READY")
    with pytest.raises(TimeoutError):
        manager.hear_of("WATCHDOG", 0.5)


def test_a_socket_that_was_handed_over_is_served(manager: Manager) -> None:
    address = manager.listen()
    # Before anything runs: the connection waits in the socket.
    early = request(address)
    manager.start()
    status = manager.hear_of("READY")["STATUS"]
    assert address_in(status) == address
    assert answer(early) == "HTTP/1.1 200 OK"
    assert answer(request(address)) == "HTTP/1.1 200 OK"


def test_no_connection_is_refused_during_a_restart(manager: Manager) -> None:
    address = manager.listen()
    manager.start()
    manager.hear_of("READY")
    assert answer(request(address)) == "HTTP/1.1 200 OK"
    assert manager.stop() == 0
    in_the_gap = [request(address) for _ in range(5)]
    manager.start()
    manager.hear_of("READY")
    for connection in in_the_gap:
        assert answer(connection) == "HTTP/1.1 200 OK"


def test_a_socket_for_another_process_is_left_alone(manager: Manager) -> None:
    """LISTEN_PID that is not ours: the descriptors were meant for somebody else."""
    address = manager.listen()
    manager.start()
    manager.hear_of("READY")
    assert manager.stop() == 0
    assert manager.listener is not None
    manager.listener.close()
    manager.listener = None
    manager.start(LISTEN_FDS="0")
    assert address_in(manager.hear_of("READY")["STATUS"]) != address


def test_a_socket_open_to_the_world_needs_a_key_of_ones_own(manager: Manager) -> None:
    manager.listener = socket.create_server(("0.0.0.0", 0))
    manager.start(CODEX_BRIDGE_API_KEY="123321")
    assert manager.process is not None
    assert manager.process.wait(START_SECONDS) != 0
    assert "default key" in (manager.root / "log").read_text()
