"""Slow, greedy and absent clients, while a normal one is served."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable

import pytest
from conftest import Report
from harness import API_KEY, Bridge, descendants, eventually, tokens
from load import (
    Client,
    NormalClient,
    ask,
    chat_request,
    connect_many,
    descriptors,
    processor_seconds,
    raise_descriptor_limit,
    ratio,
    resident_bytes,
    streamed_text,
    unloaded,
    until,
)

StartBridge = Callable[..., Bridge]
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Descriptors that are no connections of clients: files, pipes, the loop's own.
SPARE_DESCRIPTORS = 100
# Everything the bridge may keep for a client that takes nothing: the engine's events not yet rendered, what is rendered
# and not yet sent, and the rest that a connection costs.
STALLED_STREAM_BYTES = 3 << 20
# After a burst of requests of 9 MB each.
LEFT_BEHIND_BYTES = 10 << 20


def gauge(bridge: Bridge, name: str) -> int:
    text = bridge.request("GET", "/metrics").body.decode()
    return next(
        int(float(line.split()[1]))
        for line in text.splitlines()
        if line.startswith(f"{name} ")
    )


def connections_possible(wanted: int) -> int:
    possible = raise_descriptor_limit() - SPARE_DESCRIPTORS
    if possible < wanted:
        pytest.skip(
            f"{wanted} connections wanted, the descriptor limit lets {possible} be"
        )
    return wanted


SLOWHTTPTEST = {
    "head": ["-H", "-i", "1", "-x", "24"],
    # The key goes in with the type of the body, for there is no option for it.
    "body": [
        "-B",
        "-i",
        "1",
        "-s",
        "8192",
        "-x",
        "24",
        "-f",
        f"text/json\r\nAuthorization: Bearer {API_KEY}",
    ],
    "read": ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "32", "-k", "3"],
}


@pytest.mark.parametrize("mode", SLOWHTTPTEST)
def test_slowhttptest(
    start_bridge: StartBridge, mode: str, full: bool, report: Report
) -> None:
    program = shutil.which("slowhttptest")
    if program is None:
        pytest.skip("NOT ATTACKED: there is no slowhttptest here")
    count = connections_possible(1_000)
    seconds = 120 if full else 5
    bridge = start_bridge(fake=True)
    before = unloaded(bridge)
    path = "/dashboard" if mode == "read" else "/v1/chat/completions"
    options = ["-c", str(count), "-r", "500", "-l", str(seconds), "-p", "5"]
    with NormalClient(bridge) as client:
        attack = subprocess.Popen(
            [program, *SLOWHTTPTEST[mode], *options, "-u", f"{bridge.base_url}{path}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        most = 0
        while attack.poll() is None:
            most = max(most, gauge(bridge, "codexbridge_connections"))
            time.sleep(0.2)
    client.check()
    report(f"{mode}: {most} connections at once; {ratio(client.seconds, before)}")


def test_slow_clients_that_have_a_key(
    start_bridge: StartBridge, full: bool, report: Report
) -> None:
    """Heads, and bodies of requests that would be served, one byte after the other."""
    count = connections_possible(1_000)
    seconds = 60 if full else 4
    bridge = start_bridge(fake=True)
    before = unloaded(bridge)
    request = chat_request("demo: tokens=1")
    body = request.index(b"\r\n\r\n") + 4

    async def trickle(client: Client, start: int) -> None:
        client.writer.write(request[:start])
        for index in range(start, start + seconds):
            await asyncio.sleep(1)
            client.writer.write(request[index : index + 1])

    async def attack() -> None:
        clients = await connect_many(bridge, count)
        await asyncio.gather(
            *(
                trickle(client, 4 if number % 2 else body)
                for number, client in enumerate(clients)
            ),
            return_exceptions=True,
        )
        for client in clients:
            client.close()

    with NormalClient(bridge) as client:
        asyncio.run(attack())
    client.check()
    report(f"{count} connections; {ratio(client.seconds, before)}")
    assert eventually(lambda: gauge(bridge, "codexbridge_connections") <= 1, 20)


def test_idle_connections(
    start_bridge: StartBridge, full: bool, report: Report
) -> None:
    count = connections_possible(10_000 if full else 1_000)
    bridge = start_bridge(fake=True)
    unloaded(bridge)

    async def run() -> None:
        # What the first connections cost is not theirs alone: allocators take more than they give.
        for client in await connect_many(bridge, 100):
            await client.ask(HEALTH)
            client.close()
        memory = resident_bytes(bridge.pid)
        clients = await connect_many(bridge, count)
        for client in clients:
            assert (await client.ask(HEALTH)).status == 200
        report(
            f"{count} idle: {(resident_bytes(bridge.pid) - memory) // count} bytes each"
        )
        assert (await ask(bridge, chat_request("demo: tokens=1"))).text == "t0 "
        for client in clients:
            assert (await client.ask(HEALTH)).status == 200
            client.close()

    asyncio.run(run())
    assert eventually(lambda: gauge(bridge, "codexbridge_connections") <= 1)
    assert bridge.chat("demo: tokens=1").text == "t0 "


def test_open_streams(start_bridge: StartBridge, full: bool, report: Report) -> None:
    """All of them wait at the same time, and then each gets its own answer."""
    count = connections_possible(10_000 if full else 500)
    silence = 90_000 if full else 4_000
    limits = {"CODEX_MAX_CONCURRENT_TURNS": str(count), "CODEX_MAX_QUEUE": str(count)}
    bridge = start_bridge(fake=True, environment=limits)
    unloaded(bridge)

    # The engine is given only so many calls at a time, and a turn takes two.
    starting = asyncio.Semaphore(1_000)

    async def one(client: Client, number: int, headers: list[int]) -> None:
        text = f"demo: tokens=5 id=s{number} first={silence}"
        async with starting:
            client.writer.write(chat_request(text, stream=True))
            status, fields = await client.head()
        assert status == 200, await client.body(fields)
        headers.append(number)
        body = await client.body(fields)
        assert streamed_text(body) == "".join(tokens(5, f"s{number}"))
        client.close()

    async def run() -> None:
        for _ in range(20):
            await ask(bridge, chat_request("demo: tokens=1", stream=True))
        memory = resident_bytes(bridge.pid)
        clients = await connect_many(bridge, count)
        idle = resident_bytes(bridge.pid)
        begun: list[int] = []
        tasks = [
            asyncio.create_task(one(client, number, begun))
            for number, client in enumerate(clients)
        ]
        assert await until(
            lambda: len(begun) == count or any(task.done() for task in tasks), 240
        )
        # One that is over already has failed, and tells why.
        for task in tasks:
            if task.done():
                task.result()
        assert len(begun) == count
        running = resident_bytes(bridge.pid)
        await asyncio.gather(*tasks)
        report(
            f"{count} streams: {(running - memory) // count} bytes each,"
            f" {(idle - memory) // count} of them for the connection alone"
        )

    asyncio.run(run())
    assert eventually(lambda: gauge(bridge, "codexbridge_turns_running") == 0)
    assert bridge.chat("demo: tokens=1").text == "t0 "


@pytest.mark.parametrize(
    "directive",
    ["tokens=100000", f"tokens=6000 delay=4 id={'x' * 4000}"],
    ids=["flood", "steady"],
)
def test_readers_that_stop(
    start_bridge: StartBridge, directive: str, full: bool, report: Report
) -> None:
    """What waits for them is bounded, they are dropped, their turns end, and nobody else notices.

    Once as fast as the engine can, which leaves it no time for others, and once no faster than large models are.
    """
    is_flood = "delay" not in directive
    count = 100 if full and not is_flood else 10
    limits = {"CODEX_MAX_CONCURRENT_TURNS": str(count + 10)}
    bridge = start_bridge(fake=True, environment=limits)
    before = unloaded(bridge)
    memory = most = resident_bytes(bridge.pid)
    with NormalClient(bridge) as client:
        streams = [
            bridge.open_stream(f"demo: {directive}", session_id=f"stopped-{number}")
            for number in range(count)
        ]
        for stream in streams:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.read_until(b"HTTP/1.1 200")
        deadline = time.monotonic() + 200
        while (
            gauge(bridge, "codexbridge_turns_running") > 1
            and time.monotonic() < deadline
        ):
            most = max(most, resident_bytes(bridge.pid))
            time.sleep(0.1)
        for stream in streams:
            stream.close()
    client.check(1)
    each = (most - memory) // count
    report(
        f"{count} readers stopped: at most {each} bytes each; {ratio(client.seconds, before)}"
    )
    assert each < STALLED_STREAM_BYTES
    # Their sessions are free again: the turns have been interrupted, not forgotten.
    for number in (0, count - 1):
        answer = bridge.chat("demo: tokens=1", session_id=f"stopped-{number}")
        assert answer.text == "t0 "


def test_large_requests_leave_no_memory_behind(
    start_bridge: StartBridge, report: Report
) -> None:
    """What they took is used again by the next ones, whichever thread reads them, and given back when it is quiet."""
    bridge = start_bridge(fake=True)
    bridge.chat("demo: tokens=1")
    memory = resident_bytes(bridge.pid)
    many = {f"key{number}": number for number in range(400_000)}
    for _ in range(5):
        assert bridge.chat("a" * (9 << 20) + "\ndemo: tokens=1").status == 200
        assert bridge.chat("demo: tokens=1", **many, n=2).status == 400
    most = resident_bytes(bridge.pid) - memory

    def left() -> int:
        return resident_bytes(bridge.pid) - memory

    assert eventually(lambda: left() < LEFT_BEHIND_BYTES, 30), left()
    report(f"10 requests of 9 MB: {most >> 20} MiB more, {left() >> 20} left behind")


def limit_descriptors(bridge: Bridge, limit: int | None) -> None:
    """None lifts the limit again. Only the soft one: the hard one could not be raised."""
    _, hard = resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE, (limit or hard, hard))


def test_out_of_descriptors(start_bridge: StartBridge, report: Report) -> None:
    bridge = start_bridge(fake=True)
    unloaded(bridge)
    room = 30

    async def run() -> None:
        kept = await connect_many(bridge, 5)
        for client in kept:
            assert (await client.ask(HEALTH)).status == 200
        stream = await Client.connect(bridge)
        stream.writer.write(chat_request("demo: tokens=60 delay=50", stream=True))
        _, fields = await stream.head()
        limit = descriptors(bridge.pid) + room
        # Lowered while it runs: what is open stays open.
        limit_descriptors(bridge, limit)
        spent = processor_seconds(bridge.pid)
        started = time.monotonic()
        clients = await connect_many(bridge, room * 4)
        for client in clients:
            client.writer.write(HEALTH)
        await asyncio.sleep(2)
        assert descriptors(bridge.pid) <= limit
        for client in kept:
            # Whoever is in is served, sessions are written, and turns run.
            assert (await client.ask(HEALTH)).status == 200
            answer = await client.ask(chat_request("demo: tokens=2"))
            assert answer.text == "t0 t1 "
        assert streamed_text(await stream.body(fields)) == "".join(tokens(60))
        busy = (processor_seconds(bridge.pid) - spent) / (time.monotonic() - started)
        report(
            f"{busy:.0%} of a processor while {room * 4} connections wanted {room} places"
        )
        for client in [*clients, *kept, stream]:
            client.close()

    asyncio.run(run())
    # It recovers without help, and still within the low limit.
    assert eventually(lambda: gauge(bridge, "codexbridge_connections") <= 1)
    for number in range(room * 2):
        assert (
            bridge.chat("demo: tokens=1", session_id=f"after-{number % 3}").text
            == "t0 "
        )


def test_an_engine_that_dies_while_there_are_no_descriptors(
    start_bridge: StartBridge,
) -> None:
    """It cannot be started again until there are some; then it is."""
    bridge = start_bridge(fake=True)
    assert bridge.chat("demo: tokens=1", session_id="s").text == "t0 "
    with bridge.open_stream("demo: tokens=100 delay=100", session_id="t") as stream:
        stream.read_until(b"t0 ")
        limit_descriptors(bridge, descriptors(bridge.pid))
        engine = descendants(bridge.pid)[0]
        subprocess.run(["kill", "-9", str(engine)], check=True)
        stream.read_to_last_chunk()
        assert b"codex_crashed" in stream.received
    time.sleep(2)
    limit_descriptors(bridge, None)
    bridge.wait_ready()
    assert "user: demo: tokens=1" in bridge.chat("demo: history", session_id="s").text


def test_clients_that_come_and_go(start_bridge: StartBridge, full: bool) -> None:
    """Reset, half closed, closed in the middle of everything: nothing is left of them."""
    # The pipes of further processes would be counted too.
    bridge = start_bridge(fake=True, environment={"CODEX_ENGINES": "1"})
    bridge.chat("demo: tokens=1")
    before = bridge.descriptors
    request = chat_request("demo: tokens=50 delay=20", stream=True)

    async def visit(number: int) -> None:
        client = await Client.connect(bridge)
        is_whole = number % 3 == 0
        client.writer.write(
            request if is_whole else request[: number * 7 % len(request)]
        )
        if is_whole and number % 4 == 0:
            await client.reader.read(100)
        if number % 5 == 0 and client.writer.can_write_eof():
            client.writer.write_eof()
        if number % 2:
            client.writer.transport.abort()
        else:
            client.close()

    async def run() -> None:
        for start in range(0, 5_000 if full else 500, 50):
            await asyncio.gather(*(visit(start + number) for number in range(50)))

    with NormalClient(bridge) as client:
        asyncio.run(run())
    client.check()
    assert eventually(lambda: gauge(bridge, "codexbridge_turns_running") == 0)
    assert eventually(lambda: bridge.descriptors <= before), (
        before,
        bridge.descriptors,
    )
