"""An engine that is stopped, floods, babbles, falls silent or dies, seen by HTTP clients.

What Tests/Clients/test_faults.py and BridgeFaultTests have is not repeated: here are the signals from outside, the noise,
the silence, and many turns at once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from conftest import Report
from harness import Answer, Bridge, descendants, eventually, parse_chat_stream, tokens
from load import ask, chat_request, resident_bytes, streamed_text, until

StartBridge = Callable[..., Bridge]
NOISES = [
    "binary",
    "not-utf8",
    "deep",
    "long-line",
    "wrong-types",
    "unknown-ids",
    "empty-lines",
]
# Ends that are none of the turn's own: it crashed, or took too long.
BROKEN = {
    "codex_crashed",
    "turn_timeout",
    "codex_unavailable",
    "codex_failing",
    "codex_unresponsive",
    "starting",
}
# A bound, not a figure: what takes longer counts as hanging.
BOUND_SECONDS = 90.0


def engine_of(bridge: Bridge) -> int:
    return descendants(bridge.pid)[0]


def end_of(answer: Answer) -> str:
    """`ok`, or the code of the error."""
    if answer.status == 200 and answer.headers["content-type"].startswith(
        "text/event-stream"
    ):
        error = parse_chat_stream(answer.body).error
    elif answer.status == 200:
        return "ok"
    else:
        error = answer.error
    return "ok" if error is None else str(error["code"] or error["type"])


def assert_broken(answer: Answer) -> None:
    assert answer.status in (502, 503, 504), (answer.status, answer.body)
    assert {answer.error["code"], answer.error["type"]} & BROKEN, answer.error


def assert_recovers(bridge: Bridge, session: str) -> None:
    """The service is well again by itself, and the session has forgotten nothing."""
    deadline = time.monotonic() + BOUND_SECONDS
    while (answer := bridge.chat("demo: history", session_id=session)).status != 200:
        # An engine that hangs is found out by its silence; until then a turn may still be given to it.
        assert_broken(answer)
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "user: remember me" in answer.text
    assert bridge.request("GET", "/ready", key=None).status == 200


@pytest.mark.parametrize("kind", NOISES)
def test_noise(start_bridge: StartBridge, kind: str, report: Report) -> None:
    """Is skipped, or ends the engine where the lines themselves are lost; never the bridge, never in silence."""
    bridge = start_bridge(fake=True)
    bridge.chat("remember me\ndemo: tokens=1", session_id="s")
    memory = resident_bytes(bridge.pid)
    answer = bridge.chat(
        f"demo: tokens=6 noise={kind}", session_id="s", timeout=BOUND_SECONDS
    )
    if answer.status == 200:
        assert answer.text == "".join(tokens(6))
    else:
        assert_broken(answer)
    assert_recovers(bridge, "s")
    if kind == "long-line":
        report(
            f"a line of 65 MB: {answer.status}, memory {(resident_bytes(bridge.pid) - memory) >> 20} MiB more"
        )
    else:
        assert answer.status == 200, "what is no message is skipped"


def test_an_engine_that_is_stopped_in_a_turn(start_bridge: StartBridge) -> None:
    """As by SIGSTOP, or a machine that swaps."""
    bridge = start_bridge(fake=True, environment={"CODEX_TURN_IDLE_TIMEOUT": "2s"})
    bridge.chat("remember me\ndemo: tokens=1", session_id="s")
    with bridge.open_stream("demo: tokens=1000 delay=20", session_id="t") as stream:
        stream.read_until(b"t3 ")
        os.kill(engine_of(bridge), signal.SIGSTOP)
        stream.socket.settimeout(BOUND_SECONDS)
        stream.read_to_last_chunk()
        error = parse_chat_stream(stream.body).error
    assert error is not None
    assert {error["code"], error["type"]} & BROKEN
    assert_recovers(bridge, "s")


def test_an_engine_that_is_stopped_between_turns(
    start_bridge: StartBridge, report: Report
) -> None:
    bridge = start_bridge(
        fake=True,
        environment={"CODEX_TURN_IDLE_TIMEOUT": "2s", "CODEX_TURN_TIMEOUT": "4s"},
    )
    bridge.chat("remember me\ndemo: tokens=1", session_id="s")
    os.kill(engine_of(bridge), signal.SIGSTOP)
    started = time.monotonic()
    answer = bridge.chat("demo: tokens=1", session_id="s", timeout=BOUND_SECONDS)
    report(
        f"answered {answer.status} after {time.monotonic() - started:.0f} s with a turn timeout of 4 s"
    )
    assert_broken(answer)
    assert_recovers(bridge, "s")


def test_an_idle_engine_that_is_stopped(
    start_bridge: StartBridge, report: Report
) -> None:
    """Nobody asks for a turn, and still the service tells that it could not run one."""
    bridge = start_bridge(fake=True)
    bridge.chat("remember me\ndemo: tokens=1", session_id="s")
    os.kill(engine_of(bridge), signal.SIGSTOP)
    started = time.monotonic()
    assert eventually(
        lambda: bridge.request("GET", "/ready", key=None).status == 503, BOUND_SECONDS
    )
    report(f"/ready was 503 after {time.monotonic() - started:.0f} s")
    answer = bridge.request("GET", "/ready", key=None)
    assert answer.json["reason"] == "codex_unresponsive"
    answer = bridge.chat("demo: tokens=1")
    assert_broken(answer)
    assert "retry-after" in answer.headers
    bridge.wait_ready()
    assert_recovers(bridge, "s")


def test_an_engine_that_is_stopped_for_a_moment(start_bridge: StartBridge) -> None:
    """Nobody has to die for it."""
    bridge = start_bridge(fake=True)
    with bridge.open_stream("demo: tokens=30 delay=20") as stream:
        stream.read_until(b"t3 ")
        engine = engine_of(bridge)
        os.kill(engine, signal.SIGSTOP)
        time.sleep(1)
        os.kill(engine, signal.SIGCONT)
        stream.read_to_last_chunk()
        assert parse_chat_stream(stream.body).content == tokens(30)
    assert engine_of(bridge) == engine


@pytest.mark.parametrize("silence", ["silent-after=6", "stop-reading=6"])
def test_an_engine_that_falls_silent(
    start_bridge: StartBridge, silence: str, report: Report
) -> None:
    """It answers nothing any more, or does not even read; large requests do not pile up for ever."""
    limits = {"CODEX_TURN_IDLE_TIMEOUT": "2s", "CODEX_TURN_TIMEOUT": "4s"}
    bridge = start_bridge(fake=True, options=silence, environment=limits)
    bridge.set_fake_options("")
    memory = resident_bytes(bridge.pid)
    request = chat_request("demo: tokens=1\n" + "x" * 500_000)

    async def run() -> list[Answer]:
        return await asyncio.gather(*(ask(bridge, request) for _ in range(20)))

    started = time.monotonic()
    answers = asyncio.run(asyncio.wait_for(run(), BOUND_SECONDS))
    ends = sorted({end_of(answer) for answer in answers})
    report(
        f"{silence}: {ends} after {time.monotonic() - started:.0f} s with a turn timeout of 4 s"
    )
    for answer in answers:
        if answer.status != 200:
            assert_broken(answer)
    bridge.wait_ready()
    assert bridge.chat("demo: tokens=1", timeout=BOUND_SECONDS).text == "t0 "
    assert eventually(lambda: resident_bytes(bridge.pid) - memory < 64 << 20)


def test_answers_out_of_order(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="shuffle")

    async def run() -> None:
        requests = [
            chat_request(
                f"demo: tokens=9 id=n{number}",
                stream=number % 2 == 0,
                session=f"s{number % 20}" if number % 3 else None,
            )
            for number in range(60)
        ]
        answers = await asyncio.gather(*(ask(bridge, request) for request in requests))
        for number, answer in enumerate(answers):
            text = answer.text if number % 2 else streamed_text(answer.body)
            assert text == "".join(tokens(9, f"n{number}"))

    asyncio.run(run())


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "strike",
    [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV],
    ids=lambda strike: strike.name,
)
def test_an_engine_that_is_killed_again_and_again(
    start_bridge: StartBridge, strike: signal.Signals, full: bool, report: Report
) -> None:
    """Every request ends, with its answer or a clear error, and no session is lost."""
    bridge = start_bridge(fake=True, environment={"CODEX_MAX_QUEUE": "1000"})
    bridge.chat("remember me\ndemo: tokens=1", session_id="s")
    rng = random.Random(3)
    ends: list[str] = []

    async def client(number: int, ending: asyncio.Event) -> None:
        while not ending.is_set():
            is_stream = rng.random() < 0.5
            session = f"s{number}" if rng.random() < 0.5 else None
            answer = await ask(
                bridge,
                chat_request(
                    "demo: tokens=20 delay=5", stream=is_stream, session=session
                ),
            )
            ends.append(end_of(answer))
            if answer.status != 200:
                await asyncio.sleep(0.1)

    async def run() -> None:
        ending = asyncio.Event()
        clients = [asyncio.create_task(client(number, ending)) for number in range(16)]
        for _ in range(15 if full else 3):
            # It backs off between its starts.
            assert await until(
                lambda: bridge.request("GET", "/ready", key=None).status == 200
            )
            await asyncio.sleep(rng.uniform(0.2, 1.0))
            for engine in descendants(bridge.pid)[:1]:
                os.kill(engine, strike)
        ending.set()
        await asyncio.wait_for(asyncio.gather(*clients), BOUND_SECONDS)

    asyncio.run(run())
    counts = {end: ends.count(end) for end in sorted(set(ends))}
    report(f"{counts}")
    assert counts.get("ok", 0) > 0
    assert set(counts) - {"ok"} <= BROKEN, counts
    assert_recovers(bridge, "s")


def test_ready_is_honest(start_bridge: StartBridge) -> None:
    """While there is no engine it says so, and a request that comes then is not lost in silence."""
    bridge = start_bridge(fake=True)
    bridge.set_fake_options("slow-start=2")
    os.kill(engine_of(bridge), signal.SIGKILL)
    assert eventually(
        lambda: bridge.request("GET", "/ready", key=None).status == 503, 10
    )
    answer = bridge.request("GET", "/ready", key=None)
    assert answer.json["status"] != "ok"
    assert bridge.request("GET", "/health", key=None).status == 200
    answer = bridge.chat("demo: tokens=1")
    assert answer.status == 200 or (
        answer.status == 503 and "retry-after" in answer.headers
    )
    bridge.wait_ready()
    assert bridge.chat("demo: tokens=1").status == 200
