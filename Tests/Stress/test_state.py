"""What a client has been told is kept: across kills, full disks, damaged files and many sessions."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import Report
from disks import full_disk, read_only
from harness import Bridge, checked_error, descendants, eventually
from load import chat_request, resident_bytes, streamed_text, wait_for_end
from wire import exchange

StartBridge = Callable[..., Bridge]
MAP = ".codex_threads.json"
JOURNAL = ".codex_threads.journal"
# More than the map is rewritten for: changes go to the journal.
MANY_SESSIONS = 1_500
CLIENTS = 6
# Above every process id there can be.
PID_OF_NOBODY = 1 << 22 | 1
# Turns take a few milliseconds with the fake engine: enough of them run when the blow falls.
LIFE_SECONDS = (0.0, 0.5)
LIFE_SECONDS_WITH_CODEX = (0.2, 2.0)


def session_map(bridge: Bridge) -> dict[str, str]:
    """What a bridge that starts now would find. The journal is read first: meanwhile, the map may only get newer."""
    path, journal = bridge.state / MAP, bridge.state / JOURNAL
    try:
        lines = journal.read_text().split("\n")[:-1]
    except FileNotFoundError:
        lines = []
    if not path.exists():
        return {}
    saved = json.loads(path.read_text())
    sessions = dict(saved["sessions"])
    for line in map(json.loads, lines):
        if line["generation"] <= saved["generation"]:
            continue
        if line.get("forgotten"):
            sessions.pop(line["id"], None)
        else:
            sessions[line["id"]] = line["thread"]
    return sessions


@dataclass
class Promises:
    """What the bridge has told clients, over all its lives."""

    # The texts each session has had an answer to.
    answered: dict[str, list[str]] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def kept(self, session: str, text: str) -> None:
        with self.lock:
            self.answered.setdefault(session, []).append(text)

    def sessions(self) -> list[str]:
        with self.lock:
            return list(self.answered)

    def check_map(self, bridge: Bridge) -> None:
        found = session_map(bridge)
        for session in self.sessions():
            assert session in found, f"{session} was answered and is not in the map"
            known = self.threads.setdefault(session, found[session])
            assert known == found[session], f"{session} has moved to another thread"


def talk(
    bridge: Bridge, promises: Promises, rng: random.Random, ending: threading.Event
) -> None:
    """One client: turns of new and known sessions, in one piece and streamed, until the bridge is gone."""
    number = 0
    while not ending.is_set():
        number += 1
        text = f"word-{rng.randrange(10**9)}"
        known = promises.sessions()
        session = (
            rng.choice(known)
            if known and rng.random() < 0.4
            else f"s-{rng.randrange(10**9)}"
        )
        try:
            if number % 2:
                answer = bridge.chat(
                    f"{text}\ndemo: tokens=2", session_id=session, timeout=30
                )
                is_kept = answer.status == 200 and answer.text == "t0 t1 "
            else:
                request = chat_request(
                    f"{text}\ndemo: tokens=2", stream=True, session=session
                )
                request = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                answers = exchange(bridge.address, request).answers()
                is_kept = [a.status for a in answers] == [200]
                is_kept = is_kept and streamed_text(answers[0].body) == "t0 t1 "
        except (
            OSError,
            http.client.HTTPException,
            AssertionError,
            AttributeError,
            ValueError,
        ):
            # Cut off by the kill, which may leave http.client without a socket: nothing was promised.
            continue
        if is_kept:
            promises.kept(session, text)


def check_histories(bridge: Bridge, promises: Promises, sessions: list[str]) -> None:
    for session in sessions:
        history = bridge.chat("demo: history", session_id=session).text
        for text in promises.answered[session]:
            assert text in history, f"{session} has forgotten {text}"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("engine", "others"), [("fake", 0), ("fake", MANY_SESSIONS), ("codex", 0)]
)
def test_kills_under_load(
    start_bridge: StartBridge, engine: str, others: int, full: bool, report: Report
) -> None:
    is_fake = engine == "fake"
    rounds = (1_000 if full else 5) if is_fake else (30 if full else 2)
    rng = random.Random(4)
    promises = Promises()
    bridge = start_bridge(fake=is_fake)
    if others:
        begin_with(bridge, others)
    for _ in range(rounds):
        ending = threading.Event()
        clients = [
            threading.Thread(
                target=talk,
                args=(bridge, promises, random.Random(rng.random()), ending),
            )
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(rng.uniform(*(LIFE_SECONDS if is_fake else LIFE_SECONDS_WITH_CODEX)))
        try:
            engines = descendants(bridge.pid)
            bridge.kill()
        finally:
            ending.set()
        for client in clients:
            client.join()
        assert all(map(wait_for_end, engines)), "the engine outlives the bridge"
        promises.check_map(bridge)
        bridge.start()
        # A few each time; many more in the end.
        some = promises.sessions()
        check_histories(bridge, promises, rng.sample(some, min(2, len(some))))
    everything = promises.sessions()
    assert everything, "no turn was ever completed"
    last = rng.sample(everything, min(100 if is_fake else 20, len(everything)))
    check_histories(bridge, promises, last)
    turns = sum(len(texts) for texts in promises.answered.values())
    report(
        f"{rounds} kills: {len(everything)} sessions, {turns} answered turns, none lost"
    )


@pytest.mark.parametrize("name", [MAP, JOURNAL])
def test_what_a_kill_left_half_written_is_swept(
    start_bridge: StartBridge, name: str
) -> None:
    bridge = start_bridge(fake=True)
    bridge.chat("demo: tokens=1", session_id="s")
    bridge.kill()
    left = bridge.state / f"{name}.{PID_OF_NOBODY}.tmp"
    left.write_text("{")
    bridge.start()
    assert bridge.chat("demo: tokens=1", session_id="s").status == 200
    assert not left.exists()


# -- a map that cannot be written


@contextmanager
def occupied(bridge: Bridge) -> Iterator[None]:
    """Works everywhere, root or not: a directory stands where the new map is to be written first."""
    place = bridge.state / f"{MAP}.{bridge.pid}.tmp"

    def occupy() -> bool:
        try:
            place.mkdir()
        except FileExistsError:
            # The map is being written just now.
            return False
        return True

    assert eventually(occupy)
    yield
    place.rmdir()


def remount(path: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(path)], check=True)


TROUBLES = [full_disk, read_only, occupied]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_a_map_that_cannot_be_written(
    start_bridge: StartBridge, request: pytest.FixtureRequest, trouble: Any
) -> None:
    """New sessions are refused and say why, old ones and one-off requests go on, and it mends itself."""
    environment = {}
    if trouble is not occupied:
        environment["CODEX_STATE_DIR"] = str(request.getfixturevalue("small_disk"))
    bridge = start_bridge(fake=True, environment=environment)
    bridge.state = Path(bridge.environ()["CODEX_STATE_DIR"])
    assert bridge.chat("demo: tokens=1", session_id="old").status == 200
    before = session_map(bridge)
    with trouble(bridge):
        # The first one finds out; what it is told must be true too.
        first = bridge.chat("demo: tokens=1", session_id="first")
        second = bridge.chat("demo: tokens=1", session_id="second")
        for name, answer in (("first", first), ("second", second)):
            assert answer.status == 200 or checked_error(answer.json)
            if answer.status == 200:
                assert name in session_map(bridge), "promised and not on disk"
        assert 500 <= second.status < 600
        assert bridge.chat("demo: tokens=1", session_id="old").status == 200
        assert bridge.chat("demo: tokens=1").status == 200
        assert bridge.request("GET", "/health", key=None).status == 200
        assert session_map(bridge) == before
        assert "cannot" in bridge.log()
    assert eventually(
        lambda: bridge.chat("demo: tokens=1", session_id="new").status == 200
    )
    assert session_map(bridge).keys() >= {"old", "new"}
    assert bridge.stop() == 0
    assert session_map(bridge).keys() >= {"old", "new"}


@contextmanager
def occupied_journal(bridge: Bridge) -> Iterator[None]:
    """Works everywhere, root or not: a directory stands where the journal is to be."""
    place = bridge.state / JOURNAL
    place.unlink(missing_ok=True)
    place.mkdir()
    yield
    place.rmdir()


@pytest.mark.parametrize(
    "trouble",
    [full_disk, read_only, occupied_journal],
    ids=lambda trouble: trouble.__name__,
)
def test_a_journal_that_cannot_be_written(
    start_bridge: StartBridge, request: pytest.FixtureRequest, trouble: Any
) -> None:
    """As with the map; and no half line is left in the middle of it."""
    environment = {}
    if trouble is not occupied_journal:
        environment["CODEX_STATE_DIR"] = str(request.getfixturevalue("small_disk"))
    bridge = start_bridge(fake=True, environment=environment)
    bridge.state = Path(bridge.environ()["CODEX_STATE_DIR"])
    begin_with(bridge, MANY_SESSIONS)
    promised = {"old"}
    assert bridge.chat("demo: tokens=1", session_id="old").status == 200
    with trouble(bridge):
        # The last block of a journal on a full disk may have room for some lines.
        for number in range(100):
            answer = bridge.chat("demo: tokens=1", session_id=f"new-{number}")
            if answer.status != 200:
                break
            promised.add(f"new-{number}")
        assert 500 <= answer.status < 600
        checked_error(answer.json)
        assert bridge.chat("demo: tokens=1", session_id="old").status == 200
        assert bridge.chat("demo: tokens=1").status == 200
        if trouble is not occupied_journal:
            assert session_map(bridge).keys() >= promised
    assert eventually(
        lambda: bridge.chat("demo: tokens=1", session_id="late").status == 200
    )
    promised.add("late")
    bridge.kill()
    assert session_map(bridge).keys() >= promised
    bridge.start()
    assert len(bridge.request("GET", "/v1/sessions?limit=5").json["data"]) == 5
    assert bridge.stop() == 0
    assert not (bridge.state / JOURNAL).exists()
    found = session_map(bridge)
    assert found.keys() >= promised
    assert len(found) >= MANY_SESSIONS + len(promised)


def test_a_state_directory_that_is_read_only_from_the_start(
    start_bridge: StartBridge, small_disk: Path
) -> None:
    remount(small_disk, "ro")
    bridge = start_bridge(fake=True, environment={"CODEX_STATE_DIR": str(small_disk)})
    assert bridge.chat("demo: tokens=1").status == 200
    answer = bridge.chat("demo: tokens=1", session_id="s")
    assert answer.status >= 500
    checked_error(answer.json)
    remount(small_disk, "rw")
    assert eventually(
        lambda: bridge.chat("demo: tokens=1", session_id="s").status == 200
    )


GOOD = {"version": 1, "sessions": {"a": "thread-a"}, "details": {}}
DAMAGED = {
    "empty": b"",
    "truncated": json.dumps(GOOD).encode()[:-9],
    "zeros": bytes(4096),
    "garbage": bytes(range(256)) * 16,
    "another file": b"# notes\n\n- milk\n",
    "a list": b"[]",
    "no sessions": b'{"threads":{}}',
    "sessions of another type": b'{"sessions":["a"]}',
    "a thread that is no text": b'{"sessions":{"a":5}}',
    "nested too deep": b'{"sessions":' + b"[" * 100_000,
    "not UTF-8": b'{"sessions":{"\xff\xfe":"t"}}',
    "twice": json.dumps(GOOD).encode() * 2,
    "a UTF-16 file": json.dumps(GOOD).encode("utf-16"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_map_is_set_aside(
    start_bridge: StartBridge, tmp_path: Path, name: str
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / MAP).write_bytes(DAMAGED[name])
    bridge = start_bridge(fake=True, environment={"CODEX_STATE_DIR": str(state)})
    assert bridge.chat("demo: tokens=1", session_id="new").status == 200
    kept = [path for path in state.iterdir() if "damaged" in path.name]
    assert [path.read_bytes() for path in kept] == [DAMAGED[name]]
    assert "damaged" in bridge.log()
    assert set(json.loads((state / MAP).read_text())["sessions"]) == {"new"}


FOREIGN = {
    "the original's": {"sessions": {"a": "thread-a"}},
    "with members of a later version": {
        "version": 9,
        "sessions": {"a": "thread-a"},
        "details": {"a": {"colour": "blue", "turns": "many"}},
        "more": [1],
    },
    "with a thread that is gone": {
        "sessions": {"a": "00000000-0000-4000-8000-000000000000"}
    },
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_map_that_somebody_else_wrote(
    start_bridge: StartBridge, tmp_path: Path, name: str
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / MAP).write_text(json.dumps(FOREIGN[name]))
    bridge = start_bridge(fake=True, environment={"CODEX_STATE_DIR": str(state)})
    listed = bridge.request("GET", "/v1/sessions").json
    assert "a" in json.dumps(listed)
    # Its thread is not one of this engine: a clear error or a new thread, but an answer.
    answer = bridge.chat("demo: tokens=1", session_id="a")
    assert answer.status == 200 or checked_error(answer.json)
    assert bridge.chat("demo: tokens=1", session_id="b").status == 200
    assert not [path for path in state.iterdir() if "damaged" in path.name]


@pytest.mark.parametrize(
    "kind", ["a directory", "a FIFO", "a link to nowhere", "a link to a file"]
)
def test_a_map_that_is_no_file(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    path = state / MAP
    if kind == "a directory":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    else:
        target = tmp_path / "elsewhere"
        path.symlink_to(target)
        if kind == "a link to a file":
            target.write_text(json.dumps(GOOD))
    bridge = Bridge(
        tmp_path / "bridge", fake=True, environment={"CODEX_STATE_DIR": str(state)}
    )
    try:
        bridge.start()
    except AssertionError as refusal:
        # Refused at the start, with the file's name.
        assert MAP in str(refusal)
        return
    try:
        assert bridge.chat("demo: tokens=1", session_id="new").status == 200
        assert "new" in json.loads(path.read_text())["sessions"]
    finally:
        bridge.stop()


# -- growth


def grown_map(sessions: int) -> str:
    names = [f"session-{number:08}" for number in range(sessions)]
    details = {
        "model": "gpt-6.1-sol",
        "created": 1_700_000_000,
        "used": 1_700_000_000,
        "turns": 3,
    }
    return json.dumps(
        {
            "version": 1,
            "sessions": {
                name: f"01890000-0000-7000-8000-{number:012}"
                for number, name in enumerate(names)
            },
            "details": dict.fromkeys(names, details),
        }
    )


def begin_with(bridge: Bridge, sessions: int) -> None:
    """Starts it again with so many sessions."""
    bridge.stop()
    (bridge.state / MAP).write_text(grown_map(sessions))
    bridge.start()


def test_growth(start_bridge: StartBridge, full: bool, report: Report) -> None:
    """A turn that makes a session writes that session and no other: it costs the same with many."""
    turns = 30
    first = 0.0
    for sessions in (100, 10_000, 100_000) if full else (100, 10_000):
        bridge = start_bridge(fake=True, wait_ready=False)
        bridge.stop()
        (bridge.state / MAP).write_text(grown_map(sessions))
        started = time.monotonic()
        bridge.start()
        starting = time.monotonic() - started
        took = []
        for number in range(turns):
            begun = time.monotonic()
            assert (
                bridge.chat("demo: tokens=1", session_id=f"new-{number}").status == 200
            )
            took.append(time.monotonic() - begun)
        middle = statistics.median(took)
        first = first or middle
        size = (bridge.state / MAP).stat().st_size
        memory = resident_bytes(bridge.pid) >> 20
        assert len(session_map(bridge)) == sessions + turns
        begun = time.monotonic()
        assert bridge.stop() == 0
        report(
            f"{sessions} sessions: a new one's turn takes {middle / first:.1f} x that with 100"
            f" ({middle * 1000:.1f} ms), the map {size / 1024:.0f} KiB, memory {memory} MiB,"
            f" start {starting:.1f} s, stop {time.monotonic() - begun:.1f} s"
        )
        assert not (bridge.state / JOURNAL).exists()
        assert len(session_map(bridge)) == sessions + turns


def test_two_bridges_on_one_map(start_bridge: StartBridge) -> None:
    """The second is refused with a clear message, or the map would lose what one of them writes."""
    first = start_bridge(fake=True)
    assert first.chat("demo: tokens=1", session_id="s").status == 200
    second = Bridge(first.root, fake=True)
    with pytest.raises(AssertionError) as refusal:
        second.start()
    second.stop()
    assert str(first.state) in str(refusal.value) or MAP in str(refusal.value)
    assert first.chat("demo: tokens=1", session_id="t").status == 200
    # A lock that outlives its owner would be worse than none.
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    again = start_bridge(fake=True, again=first)
    assert session_map(again).keys() >= {"s", "t"}
