"""More than there is room for, and the end of a life: drain, restart, kill."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Report
from harness import Answer, Bridge, descendants, eventually, tokens
from load import (
    Client,
    ask,
    chat_request,
    has_ended,
    ratio,
    streamed_text,
    wait_for_end,
)
from test_service_manager import Manager
from wire import Address, exchange

StartBridge = Callable[..., Bridge]
CAPACITY = 8
QUEUE = 8
# What a turn takes at the least, so that capacity means something.
TURN = "demo: tokens=10 delay=20"
# A bound, not a figure: what takes longer counts as hanging.
BOUND_SECONDS = 60.0


def test_overload(start_bridge: StartBridge, full: bool, report: Report) -> None:
    """Ten times what there is room for: what is accepted is served as fast as at capacity, the rest is told at once."""
    limits = {
        "CODEX_MAX_CONCURRENT_TURNS": str(CAPACITY),
        "CODEX_MAX_QUEUE": str(QUEUE),
    }
    bridge = start_bridge(fake=True, environment=limits)
    seconds = 60.0 if full else 4.0
    accepted: list[float] = []
    refused: list[float] = []

    async def client(number: int, until: float) -> None:
        while time.monotonic() < until:
            started = time.monotonic()
            # A connection each: nothing is hidden by keeping one.
            answer = await asyncio.wait_for(
                ask(bridge, chat_request(TURN, stream=number % 2 == 0)), BOUND_SECONDS
            )
            took = time.monotonic() - started
            if answer.status == 200:
                text = answer.text if number % 2 else streamed_text(answer.body)
                assert text == "".join(tokens(10))
                accepted.append(took)
                continue
            refused.append(took)
            assert answer.status == 429
            assert answer.error["code"] == "rate_limit_exceeded"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["x-should-retry"] == "true"
            await asyncio.sleep(0.1)

    async def run(clients: int, seconds: float) -> list[float]:
        accepted.clear()
        until = time.monotonic() + seconds
        await asyncio.gather(*(client(number, until) for number in range(clients)))
        return list(accepted)

    alone = asyncio.run(run(1, 2))
    at_capacity = asyncio.run(run(CAPACITY, 3))
    assert refused == []
    report(f"at capacity: {ratio(at_capacity, alone)}")
    overloaded = asyncio.run(run(10 * CAPACITY, seconds))
    report(
        f"at ten times capacity, queue of {QUEUE} included: {ratio(overloaded, alone)}"
    )
    report(f"{len(refused)} refusals: {ratio(refused, alone)}")
    assert refused, "nobody was refused"
    assert len(overloaded) >= CAPACITY
    assert asyncio.run(run(1, 0.5)), "it does not recover"


def test_one_session_does_not_starve_the_others(
    start_bridge: StartBridge, report: Report
) -> None:
    """A session with a full queue of its own leaves room for everybody else."""
    limits = {
        "CODEX_MAX_CONCURRENT_TURNS": "2",
        "CODEX_MAX_QUEUE": "64",
        "CODEX_SESSION_QUEUE": "32",
    }
    bridge = start_bridge(fake=True, environment=limits)
    ended: list[str] = []

    async def one(session: str) -> None:
        answer = await ask(
            bridge, chat_request("demo: tokens=5 delay=20", session=session)
        )
        assert answer.status == 200, answer.body
        ended.append(session)

    async def run() -> None:
        greedy = [asyncio.create_task(one("greedy")) for _ in range(30)]
        await asyncio.sleep(0.2)
        await asyncio.wait_for(
            asyncio.gather(*(one(f"s{n}") for n in range(5))), BOUND_SECONDS
        )
        before = ended.count("greedy")
        report(
            f"five other sessions were served when {before} of 30 turns of the greedy one were over"
        )
        assert before < 30
        await asyncio.gather(*greedy)

    asyncio.run(run())


def start_of_turns(
    bridge: Bridge, count: int, text: str
) -> tuple[list[threading.Thread], list[Answer]]:
    """That many turns, streamed and not, in sessions and not, each on a thread; they have begun when this returns."""
    answers: list[Answer] = []
    begun = threading.Semaphore(0)

    def one(number: int) -> None:
        request = chat_request(
            text, stream=number % 2 == 0, session=f"s{number}" if number % 3 else None
        )
        request = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        begun.release()
        answers.extend(
            exchange(bridge.address, request, seconds=BOUND_SECONDS).answers()
        )

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()

    def running() -> bool:
        metrics = bridge.request("GET", "/metrics").body.decode()
        return f"codexbridge_turns_running {count}" in metrics

    assert eventually(running), "they have not begun"
    return threads, answers


def whole_text(answer: Answer) -> str:
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    return streamed_text(answer.body) if is_stream else answer.text


def test_drain_under_load(start_bridge: StartBridge, full: bool) -> None:
    """SIGTERM: what was accepted is answered whole, what comes later is refused, and the exit is clean."""
    count = 200 if full else 40
    limits = {"CODEX_MAX_CONCURRENT_TURNS": str(count)}
    bridge = start_bridge(fake=True, environment=limits)
    threads, answers = start_of_turns(bridge, count, "demo: tokens=40 delay=50")
    engines = descendants(bridge.pid)
    process = bridge.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert eventually(lambda: not accepts(bridge.address), 10), (
        "it still accepts connections"
    )
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * count
    assert {whole_text(answer) for answer in answers} == {"".join(tokens(40))}
    assert process.wait(30) == 0
    assert all(has_ended(engine) for engine in engines)
    again = start_bridge(fake=True, again=bridge)
    assert "user: demo: tokens=40" in again.chat("demo: history", session_id="s1").text


def accepts(address: Address) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionError:
        return False
    return True


def test_a_kept_connection_learns_that_it_ends(start_bridge: StartBridge) -> None:
    """A client with a connection of before is refused with 503, or its connection closes; it never hangs."""
    bridge = start_bridge(fake=True)

    async def run() -> None:
        busy = await Client.connect(bridge)
        busy.writer.write(chat_request("demo: tokens=40 delay=50", stream=True))
        _, fields = await busy.head()
        kept = await Client.connect(bridge)
        assert (
            await kept.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ).status == 200
        assert bridge.process is not None
        bridge.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        try:
            answer = await asyncio.wait_for(
                kept.ask(chat_request("demo: tokens=1")), 20
            )
            assert answer.status == 503
            assert answer.headers["connection"] == "close"
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        assert streamed_text(await busy.body(fields)) == "".join(tokens(40))
        busy.close()

    asyncio.run(run())
    assert bridge.process is not None
    assert bridge.process.wait(30) == 0


def test_a_second_sigterm_ends_at_once(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_DRAIN_TIMEOUT": "60s"})
    with bridge.open_stream("demo: tokens=2000 delay=50") as stream:
        stream.read_until(b"t1 ")
        engines = descendants(bridge.pid)
        process = bridge.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        # Long before the drain time is over.
        process.wait(20)
    assert all(wait_for_end(engine) for engine in engines)


@pytest.mark.parametrize("engine_options", ["", "ignore-eof"])
@pytest.mark.parametrize("is_fake", [True, False], ids=["fake", "codex"])
def test_the_engine_does_not_outlive_a_killed_bridge(
    start_bridge: StartBridge, is_fake: bool, engine_options: str
) -> None:
    if engine_options and not is_fake:
        pytest.skip("an option of the fake engine")
    bridge = start_bridge(fake=is_fake, options=engine_options)
    with bridge.open_stream("demo: tokens=2000 delay=20", model="gpt-5.5") as stream:
        stream.read_until(b"t1 ")
        engines = descendants(bridge.pid)
        assert engines
        bridge.kill()
        gone = all(wait_for_end(engine) for engine in engines)
        for engine in engines:
            if not has_ended(engine):
                os.kill(engine, signal.SIGKILL)
        assert gone, "the engine outlives the bridge"


# -- rolling restart


def test_a_rolling_restart_refuses_nobody(
    tmp_path: Path, full: bool, report: Report
) -> None:
    """One bridge after the other on one socket, with clients connecting and turns running all the time."""
    manager = Manager(tmp_path)
    address = manager.listen()
    ends: Counter[str] = Counter()
    ending = threading.Event()

    def client(number: int) -> None:
        while not ending.is_set():
            request = chat_request("demo: tokens=10 delay=10", stream=number % 2 == 0)
            request = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            try:
                answers = exchange(address, request, seconds=BOUND_SECONDS).answers()
            except ConnectionError as error:
                ends[repr(error)] += 1
                continue
            if len(answers) != 1:
                ends["closed without an answer"] += 1
            elif answers[0].status == 200 and whole_text(answers[0]) == "".join(
                tokens(10)
            ):
                ends["answered"] += 1
            else:
                ends[f"{answers[0].status} {answers[0].error['code']}"] += 1
                time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    try:
        manager.start()
        for thread in threads:
            thread.start()
        for _ in range(20 if full else 4):
            time.sleep(1.0)
            assert manager.stop() == 0
            manager.start()
        time.sleep(1.0)
        ending.set()
        for thread in threads:
            thread.join()
    finally:
        ending.set()
        manager.close()
    report(f"{dict(ends)}")
    assert ends["answered"] > 0
    # An engine that starts is said so, with the time to come again; nothing is refused, lost or cut off.
    assert set(ends) <= {"answered", "503 starting"}, ends
