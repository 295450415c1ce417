"""Responses that a client has seen complete are kept: across kills, full disks, damaged files and in great numbers."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Report
from disks import full_disk, read_only
from harness import Bridge, Json, checked_error, eventually
from load import resident_bytes
from responses import post, text_of

StartBridge = Callable[..., Bridge]
DATABASE = "state.db"


def kept(bridge: Bridge, response: Json) -> bool:
    found = bridge.request("GET", f"/v1/responses/{response['id']}")
    return found.status == 200 and bool(found.json == response)


@pytest.mark.parametrize("trouble", [full_disk, read_only], ids=lambda trouble: trouble.__name__)
def test_a_database_that_cannot_be_written(
    start_bridge: StartBridge, small_disk: Path, trouble: Any
) -> None:
    """What cannot be kept is not told as complete; what is kept is found, chat goes on, and it mends itself."""
    bridge = start_bridge(fake=True, environment={"CODEX_STATE_DIR": str(small_disk)})
    bridge.state = small_disk
    old = post(bridge, {"input": "demo: tokens=1 id=old"}).json
    with trouble(bridge):
        answers = [post(bridge, {"input": f"demo: tokens=1 id=x{number}"}) for number in range(2)]
        for answer in answers:
            if answer.status == 200:
                assert kept(bridge, answer.json), "promised and not kept"
            else:
                assert answer.status >= 500
                checked_error(answer.json)
        if trouble is full_disk:
            # What is open for writing stays so on a file system that becomes read-only over itself.
            assert answers[-1].status >= 500
            assert post(bridge, {"input": "demo: tokens=1", "background": True}).status >= 500
            assert "cannot be kept" in bridge.log()
        assert kept(bridge, old)
        assert bridge.chat("demo: tokens=1").status == 200
        assert post(bridge, {"input": "demo: tokens=1", "store": False}).status == 200
    assert eventually(lambda: post(bridge, {"input": "demo: tokens=1"}).status == 200)
    assert kept(bridge, old)
    after = post(bridge, {"input": "demo: tokens=1", "previous_response_id": old["id"]})
    assert after.status == 200, after.body


def test_a_damaged_database(start_bridge: StartBridge) -> None:
    """It is set aside and told; chat and new responses work."""
    bridge = start_bridge(fake=True)
    old = post(bridge, {"input": "demo: tokens=1"}).json
    bridge.stop()
    path = bridge.state / DATABASE
    size = path.stat().st_size
    path.write_bytes(b"nonsense" * (size // 8))
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    bridge = start_bridge(fake=True, again=bridge)
    assert bridge.chat("demo: tokens=1").status == 200
    new = post(bridge, {"input": "demo: tokens=1"})
    assert new.status == 200
    assert kept(bridge, new.json)
    assert bridge.request("GET", f"/v1/responses/{old['id']}").status == 404
    answer = post(bridge, {"input": "x", "previous_response_id": old["id"]})
    assert answer.json["error"]["code"] == "previous_response_not_found"
    assert Path(f"{path}.damaged").exists()
    assert "damaged" in bridge.log()


def test_kills(start_bridge: StartBridge, full: bool, report: Report) -> None:
    """A response that a client has seen complete is there, whole, whatever ends the bridge."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    bridge = start_bridge(fake=True)
    told: list[Json] = []
    rounds = 100 if full else 3
    for _ in range(rounds):
        running = threading.Event()
        running.set()

        def ask(number: int) -> None:
            while running.is_set():
                try:
                    answer = post(bridge, {"input": f"demo: tokens=3 id=c{number}"})
                except (OSError, ValueError):
                    return
                if answer.status == 200:
                    told.append(answer.json)

        with ThreadPoolExecutor() as pool:
            for number in range(4):
                pool.submit(ask, number)
            time.sleep(chance.uniform(0.1, 0.6))
            os.kill(bridge.pid, signal.SIGKILL)
            running.clear()
        bridge.stop()
        bridge = start_bridge(fake=True, again=bridge)
    assert told
    lost = [response["id"] for response in told if not kept(bridge, response)]
    assert not lost, f"seed {seed}"
    report(f"{rounds} kills: {len(told)} responses were told as complete, none lost")


def test_many_responses(start_bridge: StartBridge, full: bool, report: Report) -> None:
    """Start, memory and latency are as before with many of them."""
    bridge = start_bridge(fake=True)
    first: dict[str, float] = {}
    for many in (0, 10_000 if full else 200):
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: post(bridge, {"input": "demo: tokens=1"}).status, range(many)))
        assert set(made) <= {200}
        bridge.stop()
        begun = time.monotonic()
        bridge = start_bridge(fake=True, again=bridge)
        found = {"start": time.monotonic() - begun}
        for name, body in (("chat", None), ("response", {"input": "demo: tokens=1"})):
            took = []
            for _ in range(40):
                begun = time.monotonic()
                answer = bridge.chat("demo: tokens=1") if body is None else post(bridge, body)
                assert answer.status == 200
                took.append(time.monotonic() - begun)
            found[name] = statistics.median(took)
        found["memory"] = resident_bytes(bridge.pid)
        first = first or found
        size = (bridge.state / DATABASE).stat().st_size >> 20
        ratios = ", ".join(f"{name} {found[name] / first[name]:.2f} x" for name in found)
        report(
            f"{many} responses ({size} MiB): {ratios} that without; start {found['start']:.2f} s, a chat"
            f" {found['chat'] * 1000:.1f} ms, a response {found['response'] * 1000:.1f} ms, memory {int(found['memory']) >> 20} MiB"
        )
    sample = post(bridge, {"input": "demo: tokens=2"}).json
    assert text_of(sample)
    assert kept(bridge, sample)
