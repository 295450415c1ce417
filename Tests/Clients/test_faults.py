"""The engine and the clients misbehave; the bridge goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import openai
import pytest

from harness import (
    Bridge,
    async_client_of,
    client_of,
    eventually,
    parse_chat_stream,
    tokens,
)

StartBridge = Callable[..., Bridge]


async def collect(bridge: Bridge, names: list[str], directive: str) -> list[list[str]]:
    """Runs one stream per name at the same time; returns the deltas of each."""

    async def one(client: openai.AsyncOpenAI, name: str) -> list[str]:
        stream = await client.chat.completions.create(
            model="gpt-5.5",
            messages=[{"role": "user", "content": f"demo: {directive} id={name}"}],
            stream=True,
        )
        parts = [chunk.choices[0].delta.content async for chunk in stream]
        return [part for part in parts if part]

    async with async_client_of(bridge) as client:
        return await asyncio.gather(*(one(client, name) for name in names))


def test_fifty_streams_do_not_cross(fake: Bridge) -> None:
    names = [f"s{number}" for number in range(50)]
    found = asyncio.run(collect(fake, names, "tokens=40 delay=5"))
    for name, deltas in zip(names, found, strict=True):
        assert deltas == tokens(40, name)


def test_ten_streams_of_the_real_engine_do_not_cross(demo: Bridge) -> None:
    names = [f"s{number}" for number in range(10)]
    found = asyncio.run(collect(demo, names, "tokens=40 delay=5"))
    for name, deltas in zip(names, found, strict=True):
        assert deltas == tokens(40, name)


@pytest.mark.parametrize("accident", ["kill", "half-line"])
def test_an_engine_that_dies_in_a_stream(
    start_bridge: StartBridge, accident: str
) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream(f"demo: tokens=10 {accident}") as stream:
        stream.read_to_last_chunk()
        read = parse_chat_stream(stream.body)
    assert read.content == tokens(5)
    assert read.error is not None
    assert "codex_crashed" in (read.error["type"], read.error["code"])
    bridge.wait_ready()
    assert bridge.chat("demo: tokens=2").text == "t0 t1 "


def test_an_engine_that_dies_before_a_whole_answer(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    bridge.chat("hello", session_id="s")
    answer = bridge.chat("demo: tokens=10 kill", session_id="s")
    assert answer.status == 502
    assert "codex_crashed" in (answer.error["type"], answer.error["code"])
    assert answer.headers["x-should-retry"] == "false"
    bridge.wait_ready()
    assert "user: hello" in bridge.chat("demo: history", session_id="s").text


def test_a_crash_fails_every_running_turn_at_once(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    others = [bridge.open_stream("demo: tokens=1000 delay=50") for _ in range(5)]
    for other in others:
        other.read_until(b"t0 ")
    assert bridge.chat("demo: kill").status == 502
    started = time.monotonic()
    for other in others:
        other.read_to_last_chunk()
        read = parse_chat_stream(other.body)
        assert read.error is not None
        assert "codex_crashed" in (read.error["type"], read.error["code"])
        other.close()
    assert time.monotonic() - started < 10
    bridge.wait_ready()
    assert bridge.chat("demo: tokens=1").text == "t0 "


def test_an_engine_that_dies_between_turns(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="die-after-turns=1")
    for _ in range(3):
        assert bridge.chat("demo: tokens=1", session_id="s").text == "t0 "
        time.sleep(0.2)
        bridge.wait_ready()


def test_an_engine_that_cannot_start(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="exit-at-start=3", wait_ready=False)
    assert bridge.request("GET", "/health", key=None).json == {"status": "ok"}
    assert bridge.request("GET", "/ready", key=None).status == 503
    answer = bridge.chat("hello", timeout=60)
    assert answer.status == 503
    assert answer.error["type"] == "codex_unavailable"
    # The bridge keeps trying: once the engine is well again, so is the service.
    bridge.set_fake_options("")
    bridge.wait_ready()
    assert bridge.chat("demo: tokens=1").text == "t0 "


def test_a_slow_engine_is_not_ready_yet(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="slow-start=3", wait_ready=False)
    answer = bridge.request("GET", "/ready", key=None)
    assert answer.status == 503
    assert b"starting" in answer.body
    bridge.wait_ready()


def test_garbage_from_the_engine_is_skipped(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, options="garbage")
    assert bridge.chat("demo: tokens=3").text == "t0 t1 t2 "


def test_an_unreachable_model_ends_at_the_turn_timeout(
    start_bridge: StartBridge,
) -> None:
    """Codex itself would say `Reconnecting...` for ever."""
    bridge = start_bridge(fake=True, environment={"CODEX_TURN_TIMEOUT": "2s"})
    answer = bridge.chat("demo: reconnecting", timeout=30)
    assert answer.status == 504
    assert "turn_timeout" in (answer.error["type"], answer.error["code"])
    assert answer.headers["x-should-retry"] == "false"
    # The model was not heard of, so a stream has not begun either.
    answer = bridge.chat("demo: reconnecting", stream=True, timeout=30)
    assert answer.status == 504
    assert "turn_timeout" in (answer.error["type"], answer.error["code"])
    assert bridge.chat("demo: tokens=1").text == "t0 "


@pytest.mark.parametrize("streaming", [False, True])
def test_a_provider_that_cannot_be_reached(
    start_bridge: StartBridge, streaming: bool
) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_PROVIDER_WAIT": "1s"})
    answer = bridge.chat("demo: reconnecting", stream=streaming, timeout=30)
    assert answer.status == 503
    assert answer.error["code"] == "provider_unreachable"
    assert "waiting for network" in answer.error["message"]
    assert answer.headers["x-should-retry"] == "true"
    # Turns are accepted, and only who has a key learns more.
    told = bridge.request("GET", "/ready")
    assert told.status == 200
    assert told.json["warning"]["code"] == "provider_unreachable"
    assert "warning" not in bridge.request("GET", "/ready", key=None).json
    assert "the model provider cannot be reached" in bridge.log()
    assert bridge.chat("demo: tokens=1").text == "t0 "
    assert "warning" not in bridge.request("GET", "/ready").json


@pytest.mark.parametrize("options", ["", "ignore-interrupt"])
def test_a_silent_engine_ends_at_the_turn_timeout(
    start_bridge: StartBridge, options: str
) -> None:
    environment = {"CODEX_TURN_TIMEOUT": "2s"}
    bridge = start_bridge(fake=True, options=options, environment=environment)
    answer = bridge.chat("demo: hang", session_id="s", timeout=30)
    assert answer.status == 504
    assert "turn_timeout" in (answer.error["type"], answer.error["code"])
    # An engine that does not obey may be replaced, which takes a moment.
    assert eventually(lambda: bridge.chat("demo: tokens=1", timeout=30).status == 200)


def test_clients_that_leave_as_their_turn_ends(bridge: Bridge) -> None:
    """The interrupt may come too late, or meet another; neither is a dead end."""
    for number in range(10):
        with bridge.open_stream("demo: tokens=2", session_id="race") as stream:
            stream.read_until(b"t1 " if number % 2 else b"t0 ")
    answer = bridge.chat("demo: tokens=1", session_id="race", timeout=30)
    assert answer.text == "t0 "


def test_a_client_that_leaves_interrupts_its_turn(bridge: Bridge) -> None:
    """The same session answers promptly, although the first turn had a minute to go."""
    session = "left"
    with bridge.open_stream(
        "demo: tokens=1200 delay=50", session_id=session, model="gpt-5.5"
    ) as stream:
        stream.read_until(b"t3 ")
    started = time.monotonic()
    answer = bridge.chat(
        "demo: history", session_id=session, model="gpt-5.5", timeout=50
    )
    assert time.monotonic() - started < 20
    assert "turn_aborted" in answer.text


def test_a_client_that_leaves_a_whole_answer_interrupts_its_turn(
    bridge: Bridge,
) -> None:
    session = "left whole"
    with pytest.raises(TimeoutError):
        bridge.chat("demo: tokens=1200 delay=50", session_id=session, timeout=1)
    started = time.monotonic()
    answer = bridge.chat("demo: history", session_id=session, timeout=50)
    assert time.monotonic() - started < 20
    assert "turn_aborted" in answer.text


def test_openai_clients_can_close_a_stream(demo: Bridge, model: str) -> None:
    with client_of(demo) as client:
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "demo: tokens=1200 delay=50"}],
            stream=True,
            extra_body={"session_id": "closed"},
        )
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        stream.close()
        started = time.monotonic()
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "demo: tokens=1"}],
            extra_body={"session_id": "closed"},
        )
    assert answer.choices[0].message.content == "t0 "
    assert time.monotonic() - started < 20


def test_a_turn_can_be_left_to_finish(start_bridge: StartBridge) -> None:
    environment = {"CODEX_ON_DISCONNECT": "finish"}
    bridge = start_bridge(fake=True, environment=environment)
    with bridge.open_stream(
        "demo: tokens=40 delay=20 id=f", session_id="s", model="gpt-5.5"
    ) as stream:
        stream.read_until(b"f-1 ")
    history = bridge.chat("demo: history", session_id="s").text
    assert "".join(tokens(40, "f")).rstrip() in history
    assert "turn_aborted" not in history


def test_a_slow_client_does_not_hold_up_the_others(
    start_bridge: StartBridge,
) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream("demo: tokens=400000", session_id="slow") as slow:
        # Reads nothing more: its answer (80 MB of events) cannot fit anywhere.
        slow.read_until(b"t0 ")
        started = time.monotonic()
        assert bridge.chat("demo: tokens=5").text == "".join(tokens(5))
        assert time.monotonic() - started < 30
        # Past its bound it is dropped and its turn interrupted, so that its session is free again.
        answer = bridge.chat("demo: tokens=1", session_id="slow", timeout=50)
        assert answer.text == "t0 "


def test_sigterm_lets_a_turn_finish(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream("demo: tokens=50 delay=20") as stream:
        stream.read_until(b"t1 ")
        assert bridge.process is not None
        bridge.process.terminate()
        stream.read_to_last_chunk()
        assert parse_chat_stream(stream.body).content == tokens(50)
    assert bridge.process.wait(20) == 0


def test_sigterm_interrupts_after_the_drain_timeout(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_DRAIN_TIMEOUT": "1s"})
    with bridge.open_stream("demo: tokens=2000 delay=50") as stream:
        stream.read_until(b"t1 ")
        assert bridge.process is not None
        bridge.process.terminate()
        stream.read_to_last_chunk()
        assert parse_chat_stream(stream.body).error is not None
    assert bridge.process.wait(20) == 0


def test_sigterm_when_idle(start_bridge: StartBridge, engine_is_fake: bool) -> None:
    bridge = start_bridge(fake=engine_is_fake)
    assert bridge.stop(10) == 0


def test_nothing_is_left_open(start_bridge: StartBridge) -> None:
    """Descriptors after 200 requests of all kinds are those from before."""
    bridge = start_bridge(fake=True)
    bridge.chat("hello")
    before = bridge.descriptors
    for number in range(50):
        bridge.chat("demo: tokens=1")
        bridge.chat("demo: fail=other")
        with bridge.open_stream("demo: tokens=20 delay=5") as stream:
            stream.read_until(b"t0 ")
        bridge.request("GET", f"/nowhere/{number}")
    assert eventually(lambda: bridge.descriptors <= before, 10), (
        before,
        bridge.descriptors,
    )
