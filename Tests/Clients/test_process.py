"""The bridge as a process: what it is started with, its signals, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import (
    Bridge,
    RawStream,
    children,
    eventually,
    parse_chat_stream,
    tokens,
)

StartBridge = Callable[..., Bridge]

# Between the tokens of a turn that a signal must not cut, so that it is still under way.
SLOW = "demo: tokens=50 delay=20"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


# -- descriptors


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_standard_descriptors_that_are_closed_at_the_start(
    tmp_path: Path, engine_is_fake: bool, closed: tuple[int, ...]
) -> None:
    """Pipes of the event loop would take their numbers, and Codex would never start."""
    bridge = Bridge(tmp_path, fake=engine_is_fake)
    port = free_port()
    bridge.base_url = f"http://127.0.0.1:{port}"
    redirections = " ".join(f"{number}>&-" for number in closed)
    demo = "" if engine_is_fake else "--demo"
    (tmp_path / "bridged.stderr").touch()
    bridge.process = subprocess.Popen(
        ["/bin/bash", "-c", f'exec "$0" serve {demo} {redirections}', os.environ["BRIDGED_BIN"]],
        cwd=tmp_path,
        env=bridge.environ() | {"PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    try:
        assert eventually(lambda: accepts(port))
        bridge.wait_ready()
        assert bridge.chat("demo: tokens=3").text == "".join(tokens(3))
        for number in range(3):
            assert os.readlink(f"/proc/{bridge.pid}/fd/{number}") == "/dev/null"
    finally:
        assert bridge.stop() == 0


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# -- signals


def finishes(stream: RawStream) -> bool:
    stream.read_to_last_chunk()
    return parse_chat_stream(stream.body).content == tokens(50)


@pytest.mark.parametrize(
    "signals",
    [
        # A terminal that closes: the kernel and the shell both tell.
        [signal.SIGHUP, signal.SIGHUP],
        # systemd, to what a person who has logged out leaves behind.
        [signal.SIGTERM, signal.SIGHUP],
    ],
)
def test_a_hang_up_lets_a_turn_finish(
    start_bridge: StartBridge, signals: list[signal.Signals]
) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream(SLOW) as stream:
        stream.read_until(b"t1 ")
        assert bridge.process is not None
        for number in signals:
            bridge.process.send_signal(number)
            assert eventually(lambda: "stopping" in bridge.log())
        assert finishes(stream)
    assert bridge.process.wait(20) == 0


def test_a_second_signal_of_a_person_ends_at_once(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream("demo: tokens=5000 delay=20") as stream:
        stream.read_until(b"t1 ")
        assert bridge.process is not None
        bridge.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: "stopping" in bridge.log())
        bridge.process.send_signal(signal.SIGTERM)
        # Two that arrive together are one to the kernel.
        time.sleep(0.2)
        bridge.process.send_signal(signal.SIGTERM)
        assert bridge.process.wait(20) != 0


def test_nohup_is_obeyed(
    start_bridge: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is ignored here is ignored in what is started: that is all nohup(1) does.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        bridge = start_bridge(fake=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert bridge.process is not None
    bridge.process.send_signal(signal.SIGHUP)
    # A turn later it would have been told.
    assert bridge.chat("demo: tokens=3").text == "".join(tokens(3))
    assert bridge.request("GET", "/ready", key=None).status == 200
    assert "stopping" not in bridge.log()
    assert bridge.stop() == 0


def test_a_terminal_that_closes_cuts_no_turn(tmp_path: Path) -> None:
    """The session of a terminal, as under ssh: its shell, and the bridge in the foreground."""
    bridge = Bridge(tmp_path, fake=True)
    port = free_port()
    bridge.base_url = f"http://127.0.0.1:{port}"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        environ = bridge.environ() | {"PORT": str(port)}
        program = os.environ["BRIDGED_BIN"]
        os.execve(program, [program, "serve"], environ)
    try:
        assert eventually(
            lambda: (
                accepts(port)
                and bridge.request("GET", "/ready", key=None).status == 200
            )
        )
        with bridge.open_stream(SLOW) as stream:
            stream.read_until(b"t1 ")
            os.close(terminal)
            assert finishes(stream)
        # It would be gone by the signal otherwise.
        assert eventually(lambda: not is_running(pid))
        _, status = os.waitpid(pid, 0)
        pid = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# -- the largest size of a file


def test_files_that_may_not_grow_are_an_error_and_no_end(
    start_bridge: StartBridge,
) -> None:
    """`ulimit -f`: the signal that comes with the error would end the bridge."""
    bridge = start_bridge(fake=True)
    assert bridge.process is not None
    # Long names, so that the map is larger than the log, which must still be written.
    for number in range(40):
        name = f"{number}-{'n' * 240}"
        assert bridge.chat("demo: tokens=1", session_id=name).status == 200
    # The database may not grow either, which nobody is told: it is there for those who come back.
    largest = (bridge.state / ".codex_threads.json").stat().st_size
    assert largest > 8_000
    soft, hard = resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (largest, hard))
    refused = []
    for number in range(100):
        answer = bridge.chat("demo: tokens=1", session_id=f"{number}-{'x' * 240}")
        if answer.status != 200:
            refused.append(answer)
        if len(refused) > 1:
            break
    assert refused[-1].status == 503
    assert refused[-1].error["code"] == "session_not_saved"
    assert "File too large" in bridge.log()
    # The others go on.
    assert bridge.chat("demo: tokens=3").text == "".join(tokens(3))
    assert bridge.process.poll() is None
    resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (soft, hard))
    assert eventually(
        lambda: bridge.chat("demo: tokens=1", session_id="new").status == 200
    )
    assert bridge.stop() == 0


# -- what commands leave running

FULL_ACCESS = {
    "CODEX_SANDBOX_MODE": "danger-full-access",
    "CODEX_ENGINES": "1",
    "CODEX_DRAIN_TIMEOUT": "1s",
}


class Daemons:
    """Processes that commands of the model put out of Codex's reach. Each writes its id to a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bystanders: list[subprocess.Popen[bytes]] = []

    def command(self, name: str, *, deaf: bool = False) -> str:
        """A shell command that starts one, in a session of its own; `deaf` ones ignore SIGTERM."""
        trap = "trap \\'\\' TERM; " if deaf else ""
        # A child of its own too, as servers have.
        body = f"{trap}echo $$ > {self.directory}/{name}; sleep 300 & while :; do sleep 0.2; done"
        return f"setsid bash -c $'{body}' > /dev/null 2>&1 &"

    def is_started(self, name: str) -> bool:
        path = self.directory / name
        return path.exists() and path.read_text().strip() != ""

    def pid(self, name: str) -> int:
        return int((self.directory / name).read_text())

    def family(self, name: str) -> list[int]:
        pid = self.pid(name)
        return [pid, *children(pid)]

    def bystander(self, **environ: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["sleep", "300"], env=os.environ | environ, start_new_session=True
        )
        self.bystanders.append(process)
        return process

    def end(self) -> None:
        for process in self.bystanders:
            process.kill()
            process.wait()
        for path in self.directory.iterdir():
            if self.is_started(path.name) and is_running(int(path.read_text())):
                os.killpg(int(path.read_text()), signal.SIGKILL)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    directory = tmp_path / "daemons"
    directory.mkdir()
    found = Daemons(directory)
    yield found
    found.end()


def leave_one_behind(bridge: Bridge, daemons: Daemons, session: str) -> None:
    """A turn that completes, with a daemon that it was asked for."""
    # Codex ends what is still in the command's own session when the command ends.
    command = f"{daemons.command('wanted')} until test -s {daemons.directory}/wanted; do sleep 0.1; done"
    answer = bridge.chat(f"demo: run={command}; echo started", session_id=session)
    assert "started" in answer.text
    assert eventually(lambda: daemons.is_started("wanted"))


def begin(bridge: Bridge, daemons: Daemons, session: str) -> RawStream:
    """A turn that has put two processes out of reach and goes on."""
    command = f"{daemons.command('plain')} {daemons.command('deaf', deaf=True)} sleep 300"
    stream = bridge.open_stream(f"demo: run={command}", session_id=session)
    assert eventually(
        lambda: daemons.is_started("plain") and daemons.is_started("deaf")
    )
    return stream


def assert_ended(daemons: Daemons, families: list[int]) -> None:
    assert eventually(lambda: not [pid for pid in families if is_running(pid)])
    assert is_running(daemons.pid("wanted")), "a turn that completed has left it"


def client_leaves(bridge: Bridge, stream: RawStream) -> None:
    stream.close()


def engine_is_killed(bridge: Bridge, stream: RawStream) -> None:
    [engine] = children(bridge.pid)
    os.kill(engine, signal.SIGKILL)
    # An error with a status of its own, or an event of the stream: it depends on what Codex has told before.
    stream.read_until(b"codex_crashed")


def bridge_stops(bridge: Bridge, stream: RawStream) -> None:
    assert bridge.stop() == 0


@pytest.mark.parametrize("cut", [client_leaves, engine_is_killed, bridge_stops])
def test_what_a_cut_turn_leaves_running_is_ended(
    start_bridge: StartBridge, daemons: Daemons, cut: Callable[[Bridge, RawStream], None]
) -> None:
    bridge = start_bridge(environment=FULL_ACCESS)
    leave_one_behind(bridge, daemons, "s")
    others = [
        daemons.bystander(),
        daemons.bystander(CODEX_THREAD_ID="01a2273c-0000-7000-8000-cf988f60d869"),
    ]
    stream = begin(bridge, daemons, "s")
    families = daemons.family("plain") + daemons.family("deaf")
    cut(bridge, stream)
    assert_ended(daemons, families)
    assert all(process.poll() is None for process in others)
    if bridge.process is not None:
        # The session goes on, and what its next turn starts is left alone.
        assert "again" in bridge.chat("demo: run=echo again", session_id="s").text
        assert eventually(lambda: "what a cut turn had left running" in bridge.log())
    assert eventually(lambda: not (bridge.state / ".codex_commands.json").exists())


@pytest.fixture
def far_bridge(far_root: Path) -> Iterator[Bridge]:
    bridge = Bridge(
        far_root / "bridge",
        environment={
            "CODEX_SANDBOX_MODE": "workspace-write",
            "CODEX_APPROVAL_POLICY": "on-request",
        },
    )
    yield bridge.start()
    bridge.stop()


def test_what_a_person_let_out_of_the_sandbox_is_ended_with_its_turn(
    far_bridge: Bridge, daemons: Daemons
) -> None:
    bridge = far_bridge
    stream = bridge.open_stream(
        f"demo: escalate run={daemons.command('plain')} sleep 300"
    )
    assert eventually(lambda: bridge.request("GET", "/v1/approvals").json["data"])
    [approval] = bridge.request("GET", "/v1/approvals").json["data"]
    path = f"/v1/approvals/{approval['id']}"
    assert bridge.request("POST", path, {"decision": "accept"}).status == 200
    assert eventually(lambda: daemons.is_started("plain"))
    family = daemons.family("plain")
    stream.close()
    assert eventually(lambda: not [pid for pid in family if is_running(pid)])


def test_what_a_killed_bridge_leaves_running_is_ended_at_the_next_start(
    start_bridge: StartBridge, daemons: Daemons
) -> None:
    bridge = start_bridge(environment=FULL_ACCESS)
    leave_one_behind(bridge, daemons, "s")
    stream = begin(bridge, daemons, "s")
    families = daemons.family("plain") + daemons.family("deaf")
    assert eventually(lambda: (bridge.state / ".codex_commands.json").exists())
    bridge.kill()
    stream.close()
    # Else there would be nothing to show.
    time.sleep(0.5)
    assert [pid for pid in families if is_running(pid)]
    stranger = daemons.bystander(
        CODEX_THREAD_ID="01a2273c-0000-7000-8000-cf988f60d869"
    )
    bridge.start()
    assert_ended(daemons, families)
    assert stranger.poll() is None
    assert eventually(lambda: not (bridge.state / ".codex_commands.json").exists())
    assert bridge.stop() == 0


def test_a_turn_that_completes_leaves_what_it_was_asked_for(
    start_bridge: StartBridge, daemons: Daemons
) -> None:
    bridge = start_bridge(environment=FULL_ACCESS)
    leave_one_behind(bridge, daemons, "s")
    assert bridge.stop() == 0
    bridge.start()
    assert is_running(daemons.pid("wanted"))
    assert bridge.chat("demo: tokens=1", session_id="s").status == 200
    assert is_running(daemons.pid("wanted"))


def test_notes_that_make_no_sense_are_no_trouble(
    start_bridge: StartBridge, daemons: Daemons
) -> None:
    bridge = start_bridge(fake=True)
    assert bridge.stop() == 0
    bystander = daemons.bystander(CODEX_THREAD_ID="t")
    notes = bridge.state / ".codex_commands.json"
    # The last one is of a bridge that runs: this one's, whose turns are its own.
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    running = f'"bridge":{{"pid":{os.getpid()},"started":{started}}}'
    for contents in (
        "", "{", "[]", '{"turns":5}', '{"turns":[5,{},{"thread":7,"since":1}]}',
        '{"turns":[{"thread":"t","since":9e99},{"thread":"t","since":5,"until":-1}]}',
        f'{{{running},"turns":[{{"thread":"t","since":0}}]}}',
    ):  # fmt: skip
        notes.write_text(contents)
        bridge.start()
        assert bridge.chat("demo: tokens=1").status == 200
        assert bridge.stop() == 0
        assert bystander.poll() is None, contents
    notes.write_text('{"turns":[{"thread":"t","since":0}]}')
    bridge.start()
    assert eventually(lambda: bystander.poll() is not None)
    assert bystander.returncode == -signal.SIGTERM


