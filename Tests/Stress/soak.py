#!/usr/bin/env python3
"""Thousands of turns of every kind with the real Codex, and whether anything grows.

CODEX_BIN and BRIDGED_BIN as for the tests. Prints a table while it runs and a verdict in the end; the exit status is 1 if
something was lost or is left, so that it can stand in a pipeline.

  soak.py [--minutes 30] [--clients 6] [--interval 30] [--record FILE]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1] / "Clients"),
    str(Path(__file__).parent),
]

from harness import (
    Bridge,
    children,
    descendants,
    eventually,
    parse_chat_stream,
    tokens,
)
from load import descriptors, process_state, status_number

# 1x1, transparent.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
# Sessions that come back again and again; others are used once.
LASTING_SESSIONS = 20
ENGINES = 2
# Growth between the first and the last third of the samples that counts as flat: allocators settle, maps and
# histories grow by what they hold.
FLAT_GROWTH = 0.15
FLAT_BYTES = 8 << 20


@dataclass
class Sample:
    seconds: int
    turns: int
    failures: int
    bridge_kib: int
    bridge_fds: int
    bridge_threads: int
    engines: int
    engine_kib: int
    engine_fds: int
    engine_threads: int
    children: int
    zombies: int
    files: int

    @classmethod
    def header(cls) -> str:
        return " ".join(f"{field.name:>14}" for field in fields(cls))

    def row(self) -> str:
        return " ".join(f"{getattr(self, field.name):>14}" for field in fields(self))


class Soak:
    def __init__(self, bridge: Bridge, temporary: Path, seed: int) -> None:
        self.bridge = bridge
        self.temporary = temporary
        self.seed = seed
        self.started = time.monotonic()
        self.ending = threading.Event()
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []

    # -- requests

    def client(self, number: int) -> None:
        rng = random.Random(self.seed * 1000 + number)
        kinds = [
            self.one_off,
            self.streamed,
            self.session,
            self.session,
            self.new_session,
            self.cancelled,
            self.image,
            self.failing,
            self.refused,
        ]
        while not self.ending.is_set():
            kind = rng.choice(kinds)
            try:
                kind(rng)
            except (
                OSError,
                http.client.HTTPException,
                AssertionError,
                ValueError,
                KeyError,
            ) as error:
                self.failures.append(f"{kind.__name__}: {error!r}"[:300])
            self.done[kind.__name__] += 1

    def one_off(self, rng: random.Random) -> None:
        name = f"o{rng.randrange(10**6)}"
        answer = self.bridge.chat(f"demo: tokens=20 id={name}", model="gpt-5.5")
        assert answer.text == "".join(tokens(20, name))

    def streamed(self, rng: random.Random) -> None:
        name = f"s{rng.randrange(10**6)}"
        with self.bridge.open_stream(
            f"demo: tokens=50 delay=2 id={name}", model="gpt-5.5"
        ) as stream:
            stream.read_to_last_chunk()
            assert parse_chat_stream(stream.body).content == tokens(50, name)

    def session(self, rng: random.Random) -> None:
        self.in_session(rng, f"lasting-{rng.randrange(LASTING_SESSIONS)}")

    def new_session(self, rng: random.Random) -> None:
        self.in_session(rng, f"once-{rng.randrange(10**12)}")

    def in_session(self, rng: random.Random, session: str) -> None:
        name = f"n{rng.randrange(10**6)}"
        answer = self.bridge.chat(
            f"demo: tokens=5 id={name}", session_id=session, model="gpt-5.5"
        )
        # Others may be in the session's queue; it is long enough for all of us.
        assert answer.text == "".join(tokens(5, name))

    def cancelled(self, rng: random.Random) -> None:
        session = f"cancelled-{rng.randrange(LASTING_SESSIONS)}"
        with self.bridge.open_stream(
            "demo: tokens=2000 delay=10", session_id=session, model="gpt-5.5"
        ) as stream:
            stream.read_until(b"t1 ")

    def image(self, rng: random.Random) -> None:
        url = f"data:image/png;base64,{PIXEL}"
        content = [
            {"type": "text", "text": "demo: tokens=2"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": content}]}
        if rng.random() < 0.5:
            body["session_id"] = f"images-{rng.randrange(LASTING_SESSIONS)}"
        answer = self.bridge.request("POST", "/v1/chat/completions", body)
        assert answer.text == "t0 t1 "

    def failing(self, _: random.Random) -> None:
        answer = self.bridge.chat("demo: fail=context_length_exceeded", model="gpt-5.5")
        assert answer.status >= 400
        assert answer.error["message"]

    def refused(self, rng: random.Random) -> None:
        bodies = [
            b"{",
            b'{"messages":[]}',
            json.dumps({"messages": 5}).encode(),
            os.urandom(200),
        ]
        answer = self.bridge.request("POST", "/v1/chat/completions", rng.choice(bodies))
        assert answer.status == 400
        assert answer.error["message"]

    # -- samples

    def sample(self) -> Sample:
        pid = self.bridge.pid
        below = descendants(pid)
        engines = children(pid)
        return Sample(
            seconds=int(time.monotonic() - self.started),
            turns=self.done.total(),
            failures=len(self.failures),
            bridge_kib=status_number(pid, "VmRSS"),
            bridge_fds=descriptors(pid),
            bridge_threads=status_number(pid, "Threads"),
            engines=len(engines),
            engine_kib=sum(status_number(engine, "VmRSS") for engine in engines),
            engine_fds=sum(descriptors(engine) for engine in engines),
            engine_threads=sum(status_number(engine, "Threads") for engine in engines),
            children=len(below),
            zombies=sum(process_state(child) == "Z" for child in below),
            files=sum(1 for path in self.temporary.rglob("*") if path.is_file()),
        )

    def run(self, minutes: float, clients: int, interval: float) -> list[Sample]:
        threads = [
            threading.Thread(target=self.client, args=(n,)) for n in range(clients)
        ]
        self.one_off(random.Random(0))
        eventually(lambda: len(children(self.bridge.pid)) == ENGINES)
        samples = [self.sample()]
        print(Sample.header())
        print(samples[0].row(), flush=True)
        for thread in threads:
            thread.start()
        deadline = self.started + minutes * 60
        while (left := deadline - time.monotonic()) > 0:
            self.ending.wait(min(interval, left))
            samples.append(self.sample())
            print(samples[-1].row(), flush=True)
        self.ending.set()
        for thread in threads:
            thread.join()
        # Everything is over when the interrupted turns are.
        eventually(lambda: self.sample().bridge_fds <= samples[0].bridge_fds, 30)
        samples.append(self.sample())
        print(samples[-1].row(), flush=True)
        return samples


def mean(values: list[int]) -> float:
    return sum(values) / len(values)


def complaints(soak: Soak, samples: list[Sample]) -> list[str]:
    """What is wrong; nothing if the soak is passed."""
    first, last = samples[0], samples[-1]
    # The start is left out: caches fill, the engine loads its threads.
    settled = samples[len(samples) // 5 :]
    third = max(1, len(settled) // 3)
    found = [f"failed: {failure}" for failure in soak.failures[:10]]
    for name in ("bridge_kib", "engine_kib"):
        before = mean([getattr(sample, name) for sample in settled[:third]]) * 1024
        after = mean([getattr(sample, name) for sample in settled[-third:]]) * 1024
        if after - before > max(FLAT_BYTES, before * FLAT_GROWTH):
            found.append(
                f"{name} grow: {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB"
            )
    # The pool of threads is made when it is first used, so that the start has fewer.
    for name, least in (
        ("bridge_fds", first.bridge_fds),
        ("bridge_threads", settled[0].bridge_threads),
        ("children", first.children),
    ):
        if getattr(last, name) > least:
            found.append(
                f"{name}: {least} at the start, {getattr(last, name)} in the end"
            )
    for name in ("engine_fds", "engine_threads"):
        values = [getattr(sample, name) for sample in settled]
        before, after = mean(values[:third]), mean(values[-third:])
        if after > before * (1 + FLAT_GROWTH):
            found.append(f"{name} grow: {before:.0f}, then {after:.0f}")
    if any(sample.zombies for sample in samples[-2:]):
        found.append("there are zombies")
    if last.files > first.files:
        found.append(
            f"temporary files: {first.files} at the start, {last.files} in the end"
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument(
        "--interval", type=float, default=30.0, help="seconds between two samples"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, help="writes the samples there, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        root = Path(directory)
        temporary = root / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = str(temporary)
        # A number of processes that does not change: what one more holds is not growth.
        environment = {"CODEX_SESSION_QUEUE": "100", "CODEX_ENGINES": str(ENGINES)}
        bridge = Bridge(root / "bridge", environment=environment).start()
        soak = Soak(bridge, temporary, options.seed)
        try:
            samples = soak.run(options.minutes, options.clients, options.interval)
            found = complaints(soak, samples)
        finally:
            status = bridge.stop(60)
        if status != 0:
            found.append(f"the bridge ended with {status}")
    print("requests:", dict(soak.done))
    first, last = samples[0], samples[-1]
    print(
        f"bridge {first.bridge_kib} -> {last.bridge_kib} KiB,"
        f" engine {first.engine_kib} -> {last.engine_kib} KiB over {last.turns} requests"
    )
    if options.record:
        options.record.write_text(
            json.dumps([vars(sample) for sample in samples], indent=1)
        )
    print("\n".join(["NOT PASSED", *found]) if found else "passed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
