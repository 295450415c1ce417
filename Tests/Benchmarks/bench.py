"""What the benchmarks share: starting the rivals, reading what they cost, and printing the table.

Rates are work per CPU second of the server's process, so that other load on the machine matters less; rivals take
turns within one run, and what is printed are medians and ratios of that run.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
BUILT = REPO / ".build" / "benchmarks"
LOAD = BUILT / "load"
FLOOR = BUILT / "floor"
ENGINE = BUILT / "fake_engine"
KEY = "bench-key"
START_SECONDS = 60.0

Json = dict[str, Any]


class WrongResult(Exception):
    """A rival did not do its work, so that its figures mean nothing."""


# ---- what a process costs


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # A thread may end while one looks.
            for child in children.read_text().split():
                found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time in nanosecond steps, with that of threads that have ended, which `/proc/PID/task` no longer has."""
    return time.clock_gettime(process_clock(pid))


def process_clock(pid: int) -> int:
    """What clock_getcpuclockid(3) gives for a process; Python has no name for it."""
    return (~pid << 3) | 2


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise WrongResult(f"no memory figure of process {pid}")


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- rivals


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One running rival. `workers` are the processes whose CPU and memory count."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    workers: list[int] = field(default_factory=list)

    def cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in self.workers)

    def memory(self) -> int:
        return sum(resident_bytes(pid) for pid in self.workers)

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait_for_status(
    server: Server, path: str, seconds: float = START_SECONDS, pause: float = 0.02
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if server.get(path)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(pause)
    raise WrongResult(f"{server.name} does not answer {path}")


def spawn(
    name: str, command: list[str], directory: Path, **kwargs: Any
) -> subprocess.Popen[bytes]:
    log = (directory / f"{name}.log").open("ab")
    with log:
        return subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stderr=log, **kwargs
        )


@contextmanager
def scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bridge-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def bare_environment() -> dict[str, str]:
    """Of the caller's environment only what every program needs."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def bridge_environment(directory: Path, **settings: str) -> dict[str, str]:
    home = directory / "codex-home"
    home.mkdir(exist_ok=True)
    own_settings = directory / "config" / "bridged"
    own_settings.mkdir(parents=True, exist_ok=True)
    # Empty, so that the settings file of the machine is not read.
    (own_settings / "bridged.env").touch(0o600)
    return (
        bare_environment()
        | {
            "XDG_CONFIG_HOME": str(directory / "config"),
            "PORT": "0",
            "CODEX_BIN": str(ENGINE),
            "CODEX_HOME": str(home),
            "CODEX_STATE_DIR": str(directory),
            "CODEX_WORKDIR": str(directory),
            "CODEX_BRIDGE_API_KEY": KEY,
            "CODEX_MAX_CONCURRENT_TURNS": "10000",
            "CODEX_MAX_QUEUE": "20000",
            # What is compared with runs each turn on a thread of its own, which is forgotten.
            "CODEX_CONTINUE": "off",
            # Turns that wait for each other must not be spread over several processes.
            "CODEX_ENGINES": "1",
            "CODEX_ENGINE_MAX_TURNS": "0",
            "CODEX_JSON_LIMIT": "32mb",
            "CODEX_IMAGE_LIMIT": "32mb",
        }
        | settings
    )


def bridged() -> str:
    return os.environ["BRIDGED_BIN"]


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


def first_line_port(process: subprocess.Popen[bytes], name: str) -> int:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if "listening on " not in line:
        process.kill()
        raise WrongResult(f"{name} did not start: {line!r}")
    return int(line.split("listening on ")[1].split()[0].rstrip("/").rsplit(":", 1)[1])


@contextmanager
def bridge(directory: Path, **settings: str) -> Iterator[Server]:
    process = spawn(
        "bridged",
        [bridged(), "serve"],
        directory,
        env=bridge_environment(directory, **settings),
        stdout=subprocess.PIPE,
    )
    server = Server(
        "bridged", process, first_line_port(process, "bridged"), [process.pid]
    )
    with running(server):
        wait_for_status(server, "/ready")
        yield server


@contextmanager
def floor(
    directory: Path, at_once: int | None = None, has_pair: bool = False
) -> Iterator[Server]:
    """With `at_once` it looks at its sockets again after so many writes, as the bridge does; with `has_pair` it reads
    from the socket pair that libuv makes."""
    words = [str(FLOOR), str(ENGINE)]
    name = "C floor"
    if at_once is not None:
        words.append(str(at_once))
        name += f" with {at_once} writes at once"
    if has_pair:
        words.append("pair")
        name += " on a socket pair"
    process = spawn("floor", words, directory, stdout=subprocess.PIPE)
    with running(
        Server(name, process, first_line_port(process, "floor"), [process.pid])
    ) as server:
        yield server


@contextmanager
def gateway(
    directory: Path, *, codex: str = str(ENGINE), home: Path | None = None
) -> Iterator[Server]:
    """codex-gateway, which finds its engine as `codex` on PATH."""
    programs = directory / "gateway-bin"
    programs.mkdir(exist_ok=True)
    link = programs / "codex"
    link.unlink(missing_ok=True)
    # A script and not a link: the real engine looks for its helpers beside itself.
    link.write_text(f'#!/bin/sh\nexec {codex} "$@"\n')
    link.chmod(0o755)
    port = free_port()
    environment = bare_environment()
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    environment["CODEX_HOME"] = str(home or directory / "codex-home")
    Path(environment["CODEX_HOME"]).mkdir(exist_ok=True)
    process = spawn(
        "codex-gateway",
        [
            os.environ["CODEX_GATEWAY"],
            "--port",
            str(port),
            "--token",
            KEY,
            "--cwd",
            str(directory),
        ],
        directory,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    server = Server("codex-gateway", process, port, [process.pid])
    with running(server):
        wait_for_status(server, "/healthz")
        yield server


NGINX = """daemon off; worker_processes 1; error_log stderr crit; pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{body}'; }} }} }}
"""


@contextmanager
def nginx(directory: Path, body: str) -> Iterator[Server]:
    port = free_port()
    configuration = directory / "nginx.conf"
    quoted = body.replace("\\", "\\\\").replace("'", "\\'").replace("$", "")
    configuration.write_text(NGINX.format(directory=directory, port=port, body=quoted))
    program = os.environ["NGINX"]
    process = spawn(
        "nginx", [program, "-p", str(directory), "-c", str(configuration)], directory
    )
    server = Server("nginx", process, port)
    with running(server):
        wait_for_status(server, "/health")
        server.workers = family(process.pid)[1:]
        yield server


NODE = """const body = Buffer.from(process.argv[2]);
require('http').createServer((request, answer) => {
  answer.writeHead(200, {'Content-Type': 'application/json', 'Content-Length': body.length}); answer.end(body);
}).listen(Number(process.argv[1]), '127.0.0.1');"""


@contextmanager
def node(directory: Path, body: str) -> Iterator[Server]:
    port = free_port()
    process = spawn(
        "node", [os.environ["NODE"], "-e", NODE, str(port), body], directory
    )
    with running(Server("node http", process, port, [process.pid])) as server:
        wait_for_status(server, "/health")
        yield server


@contextmanager
def hummingbird(directory: Path, body: str) -> Iterator[Server]:
    port = free_port()
    texts = [word for path in ("/health", "/v1/models") for word in (path, body)]
    process = spawn(
        "hummingbird",
        [os.environ["HUMMINGBIRD"], str(port), *texts],
        directory,
        stdout=subprocess.DEVNULL,
    )
    with running(Server("hummingbird", process, port, [process.pid])) as server:
        wait_for_status(server, "/health")
        yield server


# ---- load


class Load:
    """The C client at work. Its errors are wrong results."""

    def __init__(self, mode: str, server: Server, *arguments: object) -> None:
        self.name = server.name
        words = [
            str(LOAD),
            mode,
            "--port",
            str(server.port),
            "--key",
            KEY,
            *map(str, arguments),
        ]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait_started(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.strip() != "started":
            self.process.kill()
            raise WrongResult(f"{self.name}: the clients did not begin: {line!r}")

    def result(self) -> Json:
        output, _ = self.process.communicate()
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if not lines:
            raise WrongResult(
                f"{self.name}: the clients ended without a word ({self.process.returncode})"
            )
        result: Json = json.loads(lines[-1])
        if result["errors"]:
            raise WrongResult(f"{self.name}: {result['errors']} wrong answers")
        return result

    def end(self) -> Json:
        """Lets connections go that are only held."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None
        return self.result()


class Lag:
    """How long a server's loop lets others wait while it works, in milliseconds.

    Measured from outside by a client that asks for `/health` each 5 ms, since the bridge's own histogram has only two
    samples a second. On a machine with other work the client meets the scheduler as well: how long the server waited
    for a processor while it had work is shown beside it, and what is judged then is not the server.
    """

    # More than this share of the time, and the figure is the machine's.
    MAX_WAITING = 0.02

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answers: list[float] = []
        self.waiting: list[float] = []
        self.before = self.own_histogram() if server.name == "bridged" else {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        probe = Load("probe", self.server)
        waited, began = self.waited_seconds(), time.monotonic()
        try:
            yield
        finally:
            waited = self.waited_seconds() - waited
            share = waited / (time.monotonic() - began)
            result = probe.end()
        self.answers.append(result["whole_ms"][2])
        self.waiting.append(share)

    def waited_seconds(self) -> float:
        """How long the server's loop was ready to run and did not."""
        try:
            pid = self.server.workers[0]
            return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0.0

    def own_histogram(self) -> dict[str, int]:
        """Cumulative counts by upper bound in seconds."""
        mark = "codexbridge_loop_lag_seconds_bucket{le="
        lines = self.server.get("/metrics")[1].splitlines()
        return {
            line.split('"')[1]: int(float(line.rsplit(" ", 1)[1]))
            for line in lines
            if line.startswith(mark)
        }

    def own_p99(self) -> float:
        """The bound that 99 of 100 of the bridge's own timers kept."""
        after = self.own_histogram()
        total = after["+Inf"] - self.before["+Inf"]
        for bound, count in after.items():
            if count - self.before[bound] >= 0.99 * total and bound != "+Inf":
                return float(bound) * 1000
        return float("inf")

    def show(self, table: Table) -> None:
        name = self.server.name
        answers, worst = statistics.median(self.answers), max(self.answers)
        if name != "bridged":
            table.judge(f"{name}, p99 of an answer meanwhile", answers, "ms")
            table.judge("the same in the worst round", worst, "ms")
            return
        waiting = statistics.median(self.waiting)
        is_ours = waiting <= self.MAX_WAITING
        table.judge(
            "loop lag, p99 of an answer meanwhile",
            answers,
            "ms",
            "< 5",
            (lambda value: value < 5) if is_ours else None,
        )
        table.judge("the same in the worst round", worst, "ms")
        table.judge("loop lag, 99 of 100 own timers within", self.own_p99(), "ms")
        table.judge("share of the time without a processor", waiting, "×")
        if not is_ours:
            print("  The machine was too busy to judge the lag.", flush=True)


# ---- results


class Table:
    """What one benchmark found: values per rival and round, then medians, ratios and the target."""

    # Off where so little is done that the figures mean nothing.
    judges = True

    def __init__(self, title: str) -> None:
        print(f"\n== {title}", flush=True)
        self.title = title
        self.values: dict[str, list[float]] = {}

    def add(self, row: str, value: float) -> None:
        self.values.setdefault(row, []).append(value)

    def median(self, row: str) -> float:
        return statistics.median(self.values[row])

    def show(self, row: str, unit: str, digits: int = 2) -> None:
        values = self.values[row]
        spread = (
            f"  ({min(values):.{digits}f}–{max(values):.{digits}f})"
            if len(values) > 1
            else ""
        )
        print(
            f"  {row:<46} {self.median(row):>12.{digits}f} {unit}{spread}", flush=True
        )

    def ratio(
        self,
        name: str,
        top: str,
        bottom: str,
        target: str = "",
        meets: Callable[[float], bool] | None = None,
    ) -> None:
        """The median of the rounds' own ratios: what disturbs a round disturbs both sides of it. Half of them are within
        what is told behind it."""
        if top not in self.values or bottom not in self.values:
            return
        pairs = zip(self.values[top], self.values[bottom], strict=False)
        ratios = [a / b for a, b in pairs if b]
        spread = ""
        if len(ratios) > 1:
            low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
            spread = f"  ({low:.3f}–{high:.3f})"
        self.judge(name, statistics.median(ratios), f"×{spread}", target, meets)

    def difference(
        self,
        name: str,
        more: str,
        less: str,
        target: str = "",
        meets: Callable[[float], bool] | None = None,
    ) -> None:
        """The median of the rounds' own differences in milliseconds, as `ratio`."""
        pairs = zip(self.values[more], self.values[less], strict=True)
        differences = [a - b for a, b in pairs]
        spread = ""
        if len(differences) > 1:
            low, _, high = statistics.quantiles(differences, n=4, method="inclusive")
            spread = f"  ({low:.2f}–{high:.2f})"
        self.judge(name, statistics.median(differences), f"ms{spread}", target, meets)

    def judge(
        self,
        name: str,
        value: float,
        unit: str,
        target: str = "",
        meets: Callable[[float], bool] | None = None,
    ) -> None:
        verdict = ""
        if meets and self.judges:
            verdict = f"   target {target}: {'met' if meets(value) else 'MISSED'}"
        print(f"  {name:<46} {value:>12.3f} {unit}{verdict}", flush=True)
