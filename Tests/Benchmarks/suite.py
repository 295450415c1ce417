"""The benchmarks themselves; run.sh builds what they need and starts this.

Ends with 1 if anything was answered wrongly. How long something took never decides that.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import bench
import codex_turn
import finding
import profiles
import tools
from bench import Load, Server, Table, WrongResult
from turns import (
    EXEC_SWITCHES,
    DirectDriver,
    HTTPClient,
    Timing,
    exec_turn,
    exec_words,
)


@dataclass
class Scale:
    """How much is done: all of it, or so little that every path is only walked once."""

    smoke: bool

    def of(self, full: int, smoke: int) -> int:
        return smoke if self.smoke else full

    @property
    def rounds(self) -> int:
        return self.of(5, 1)


def skip(what: str, why: str) -> None:
    print(f"  SKIPPED {what}: {why}", flush=True)


# ---- first token


def codex_home(root: Path, name: str, model_port: int) -> Path:
    home = root / name
    home.mkdir()
    (home / "config.toml").write_text(codex_turn.MODEL_PROVIDER.format(port=model_port))
    return home


async def many_turns(
    make: Callable[[int], object],
    clients: int,
    turns: int,
    text: str,
    tokens: int,
    pause: float = 0,
) -> list[Timing]:
    timings: list[Timing] = []

    async def one(client: object) -> None:
        for _ in range(turns):
            if pause:
                await asyncio.sleep(pause)
            timings.append(await client.turn(text, tokens))  # type: ignore[attr-defined]

    await asyncio.gather(*(one(make(index)) for index in range(clients)))
    return timings


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] * 1000


async def over_http(
    server: Server,
    clients: int,
    turns: int,
    text: str,
    tokens: int,
    pause: float = 0,
) -> list[Timing]:
    pool = [HTTPClient(server.port, server.name) for _ in range(clients)]
    try:
        return await many_turns(pool.__getitem__, clients, turns, text, tokens, pause)
    finally:
        for client in pool:
            client.close()


@dataclass
class Case:
    clients: int
    turns: int
    # Seconds that each client lets pass before a turn.
    pause: float = 0


CASES = [Case(1, 20), Case(8, 6), Case(64, 2), Case(1, 5, pause=1)]
SMOKE_CASES = [Case(1, 1), Case(8, 1), Case(1, 1, pause=0.1)]
# The bridge with what a script has too: one engine process, no threads started ahead.
LIKE = "bridged without a head start"


async def first_token(scale: Scale) -> None:
    codex = os.environ.get("CODEX_BIN")
    if not codex:
        return skip("first-token", "no Codex: set CODEX_BIN")
    with bench.scratch() as root, ExitStack() as stack:
        model = stack.enter_context(codex_turn.model_server(root))
        homes = {
            name: codex_home(root, name, model.port)
            for name in ("bridge", "like", "direct", "exec", "gateway")
        }
        shared = {"CODEX_BIN": codex, "CODEX_MAX_CONCURRENT_TURNS": "64"}
        ours = stack.enter_context(
            bench.bridge(
                root,
                **shared,
                CODEX_HOME=str(homes["bridge"]),
                CODEX_ENGINES="1-4",  # as by default
            )
        )
        # As the script has it: one process, and each thread is started when its turn comes.
        state = root / "like-state"
        state.mkdir()
        like = stack.enter_context(
            bench.bridge(
                state,
                **shared,
                CODEX_HOME=str(homes["like"]),
                CODEX_ENGINES="1",
                BRIDGED_TEST_PACES="warm-threads=0",
            )
        )
        environment = bench.bare_environment()
        direct = DirectDriver(
            codex, str(root), environment | {"CODEX_HOME": str(homes["direct"])}
        )
        await direct.start()
        peer = None
        if os.environ.get("CODEX_GATEWAY"):
            peer = stack.enter_context(
                bench.gateway(root, codex=codex, home=homes["gateway"])
            )
        try:
            for case in SMOKE_CASES if scale.smoke else CASES:
                await first_token_at(
                    scale,
                    case,
                    ours,
                    like,
                    direct,
                    peer,
                    codex,
                    root,
                    homes["exec"],
                )
        finally:
            await direct.stop()


async def first_token_at(
    scale: Scale,
    case: Case,
    ours: Server,
    like: Server,
    direct: DirectDriver,
    peer: Server | None,
    codex: str,
    root: Path,
    exec_home: Path,
) -> None:
    clients, turns, pause = case.clients, case.turns, case.pause
    between = f", {pause:g} s between turns" if pause else ""
    table = Table(
        f"first-token: {clients} client(s), {turns} turns each and round{between}, real Codex, own model process"
    )
    text, tokens = "bench tokens=20 gap=1", 20
    environment = bench.bare_environment() | {"CODEX_HOME": str(exec_home)}

    async def bridged() -> list[Timing]:
        return await over_http(ours, clients, turns, text, tokens, pause)

    async def without_head_start() -> list[Timing]:
        return await over_http(like, clients, turns, text, tokens, pause)

    async def directly() -> list[Timing]:
        return await many_turns(lambda _: direct, clients, turns, text, tokens, pause)

    async def by_exec(switches: list[str]) -> list[Timing]:
        return [
            await exec_turn(codex, str(root), environment, text, tokens, switches)
            for _ in range(scale.of(3, 1))
        ]

    async def by_gateway() -> list[Timing]:
        assert peer is not None
        return await over_http(peer, 1, scale.of(5, 1), text, tokens)

    rivals: dict[str, Callable[[], Awaitable[list[Timing]]]] = {
        "bridged": bridged,
        LIKE: without_head_start,
        "direct": directly,
    }
    if clients == 1 and not pause:
        rivals["codex exec"] = lambda: by_exec([])
        rivals["codex exec, same switches"] = lambda: by_exec(EXEC_SWITCHES)
        if peer:
            rivals["codex-gateway"] = by_gateway

    async def measured(rival: Callable[[], Awaitable[list[Timing]]]) -> list[Timing]:
        # What one has left to do, such as threads to unload, would run into the next one's turns.
        await asyncio.sleep(0 if scale.smoke else 0.5)
        return await rival()

    for rival in rivals.values():
        await measured(
            rival
        )  # The first turn of a process pays for what is loaded once.
    for number in range(scale.rounds):
        order = list(rivals.items())
        for name, rival in order if number % 2 == 0 else reversed(order):
            timings = await measured(rival)
            table.add(
                f"{name}, first token", middle([timing.first for timing in timings])
            )
            table.add(
                f"{name}, whole turn", middle([timing.whole for timing in timings])
            )
    for row in table.values:
        table.show(row, "ms")
    for what in ("first token", "whole turn"):
        wanted = (lambda value: value <= 1) if what == "first token" else None
        table.ratio(
            f"{what} of direct",
            f"bridged, {what}",
            f"direct, {what}",
            "≤ 1",
            wanted,
        )
    for what in ("first token", "whole turn"):
        table.ratio(
            f"{what} of direct, without a head start",
            f"{LIKE}, {what}",
            f"direct, {what}",
            "≤ 1.05",
            (lambda value: value <= 1.05) if clients == 1 else None,
        )
    table.ratio(
        "exec per turn, of ours", "codex exec, whole turn", "bridged, whole turn"
    )
    table.ratio(
        "exec per turn with the same switches, of ours",
        "codex exec, same switches, whole turn",
        "bridged, whole turn",
        "≥ 5",
        lambda value: value >= 5,
    )
    table.ratio(
        "codex-gateway, of ours", "codex-gateway, whole turn", "bridged, whole turn"
    )
    # In rounds of their own: who asks meanwhile takes time from Codex.
    lag = bench.Lag(ours)
    for _ in range(scale.of(3, 1)):
        with lag.watched():
            await bridged()
    lag.show(table)


# ---- engines


async def engines(scale: Scale) -> None:
    """Whether several engine processes pay: the same turns through one bridge for each number of them."""
    codex = os.environ.get("CODEX_BIN")
    if not codex:
        return skip("engines", "no Codex: set CODEX_BIN")
    text, tokens = "bench tokens=20 gap=1", 20
    numbers = ("1", "1-4") if scale.smoke else ("1", "2", "4", "1-4")
    with bench.scratch() as root, ExitStack() as stack:
        model = stack.enter_context(codex_turn.model_server(root))
        bridges: dict[str, Server] = {}
        for number in numbers:
            directory = root / number
            directory.mkdir()
            settings = {
                "CODEX_BIN": codex,
                "CODEX_HOME": str(codex_home(directory, "home", model.port)),
                "CODEX_ENGINES": number,
                "CODEX_MAX_CONCURRENT_TURNS": "64",
            }
            bridges[number] = stack.enter_context(bench.bridge(directory, **settings))
            await over_http(bridges[number], scale.of(16, 2), 1, text, tokens)
        for clients, turns in (
            ((2, 1),) if scale.smoke else ((1, 20), (4, 8), (8, 6), (64, 2))
        ):
            table = Table(
                f"engines: {clients} client(s), {turns} turns each and round, real Codex, own model process"
            )
            for index in range(scale.rounds):
                for number in numbers if index % 2 == 0 else numbers[::-1]:
                    server = bridges[number]
                    pid = server.process.pid
                    cpu, began = codex_turn.whole_cpu_seconds(pid), time.perf_counter()
                    timings = await over_http(server, clients, turns, text, tokens)
                    taken = time.perf_counter() - began
                    cpu = codex_turn.whole_cpu_seconds(pid) - cpu
                    firsts = [timing.first for timing in timings]
                    table.add(f"{number}, first token", middle(firsts))
                    table.add(f"{number}, turns per second", len(timings) / taken)
                    table.add(f"{number}, CPU per turn", cpu / len(timings) * 1000)
            for row in table.values:
                table.show(row, "/s" if "second" in row else "ms")
            for number in numbers[1:]:
                for what in ("first token", "turns per second", "CPU per turn"):
                    name = f"{what}, {number} engines of 1"
                    table.ratio(name, f"{number}, {what}", f"1, {what}")


# ---- tokens


# As in Sources/Bridge/EventLoop/FlushQueue.swift: streams that are written to before the loop looks at its sockets again.
AT_ONCE = 8


def measure_tokens(
    server: Server, streams: int, tokens: int, lag: bench.Lag | None = None, **pace: int
) -> tuple[float, float]:
    """CPU microseconds per token, and tokens per second, from when all streams have begun."""
    words = " ".join(
        [
            f"tokens={tokens} together={streams}",
            *(f"{key}={value}" for key, value in pace.items()),
        ]
    )
    load = Load(
        "turns",
        server,
        "--connections",
        streams,
        "--text",
        f"bench {words}",
        "--tokens",
        tokens,
    )
    load.wait_started()
    before = server.cpu()
    # The probe's few requests a second are lost in what this costs.
    with lag.watched() if lag else nullcontext():
        result = load.result()
    cost = server.cpu() - before
    if result["tokens"] != streams * tokens:
        raise WrongResult(
            f"{server.name}: {result['tokens']} of {streams * tokens} tokens"
        )
    return cost / result["tokens"] * 1e6, result["tokens"] / result["text_seconds"]


def tokens(scale: Scale) -> None:
    with bench.scratch() as root, ExitStack() as stack:
        rivals = [
            stack.enter_context(bench.floor(root)),
            stack.enter_context(bench.bridge(root)),
            stack.enter_context(bench.floor(root, at_once=AT_ONCE)),
            stack.enter_context(bench.floor(root, has_pair=True)),
        ]
        ours = rivals[1]
        full = {1: 300_000, 50: 20_000, 500: 1200, 5000: 120}
        for streams, each in {1: 20, 50: 20}.items() if scale.smoke else full.items():
            table = Table(
                f"tokens: {streams} stream(s) of {each}, as fast as the engine writes"
            )
            compare_tokens(scale, table, rivals, ours, streams, each)
        streams, each = scale.of(500, 20), scale.of(100, 5)
        table = Table(f"tokens: {streams} streams at 50 tokens a second, {each} each")
        compare_tokens(scale, table, rivals, ours, streams, each, gap=20_000)
    gateway_tokens(scale)


def compare_tokens(
    scale: Scale,
    table: Table,
    rivals: list[Server],
    ours: Server,
    streams: int,
    each: int,
    **pace: int,
) -> None:
    lag = bench.Lag(ours)
    for number in range(scale.rounds):
        for server in rivals if number % 2 == 0 else rivals[::-1]:
            watch = lag if server is ours else None
            cost, rate = measure_tokens(server, streams, each, watch, **pace)
            table.add(f"{server.name}, CPU per token", cost)
            table.add(f"{server.name}, tokens per CPU second", 1e6 / cost)
            table.add(f"{server.name}, tokens per second", rate)
    for row in table.values:
        table.show(
            row, "µs" if "per token" in row else "/s", 3 if "per token" in row else 0
        )
    table.ratio(
        "tokens per CPU second, of the C floor",
        "bridged, tokens per CPU second",
        "C floor, tokens per CPU second",
        "≥ 0.85",
        lambda value: value >= 0.85,
    )
    table.ratio(
        f"the same, of the floor that writes to {AT_ONCE} at once",
        "bridged, tokens per CPU second",
        f"C floor with {AT_ONCE} writes at once, tokens per CPU second",
    )
    table.ratio(
        "the same, of the floor on libuv's socket pair",
        "bridged, tokens per CPU second",
        "C floor on a socket pair, tokens per CPU second",
        "≥ 0.85",
        lambda value: value >= 0.85,
    )
    lag.show(table)


def gateway_tokens(scale: Scale) -> None:
    if not os.environ.get("CODEX_GATEWAY"):
        return skip("codex-gateway", "it could not be installed")
    # It reads no line above 64 kB, and runs one turn at a time: of several clients all but one wait.
    sizes = {1: 20, 8: 20} if scale.smoke else {1: 3000, 50: 1000}
    with bench.scratch() as root, ExitStack() as stack:
        rivals = [
            stack.enter_context(bench.gateway(root)),
            stack.enter_context(bench.bridge(root)),
        ]
        for clients, each in sizes.items():
            table = Table(
                f"tokens: beside codex-gateway, {clients} client(s) at once, {each} each"
            )
            for server in rivals:
                whole_cost(
                    server, clients, each
                )  # Not counted: it pays for what is made once.
            for number in range(scale.rounds):
                for server in rivals if number % 2 == 0 else rivals[::-1]:
                    table.add(
                        f"{server.name}, CPU per token",
                        whole_cost(server, clients, each),
                    )
            for row in table.values:
                table.show(row, "µs", 2)
            table.ratio(
                "codex-gateway, of ours",
                "codex-gateway, CPU per token",
                "bridged, CPU per token",
                "≥ 50",
                lambda value: value >= 50,
            )


def whole_cost(server: Server, clients: int, tokens: int) -> float:
    """CPU microseconds per token, with what the turns cost besides."""
    text = f"bench tokens={tokens}"
    before = server.cpu()
    result = Load(
        "turns", server, "--connections", clients, "--text", text, "--tokens", tokens
    ).result()
    if result["tokens"] != clients * tokens:
        raise WrongResult(
            f"{server.name}: {result['tokens']} of {clients * tokens} tokens"
        )
    return (server.cpu() - before) / result["tokens"] * 1e6


# ---- memory


def settled(scale: Scale, server: Server) -> int:
    """Memory when what was queued for release is released; the bridge gives back what a burst has left after 2 s."""
    time.sleep(0.1 if scale.smoke else 3)
    return server.memory()


def per_connection(
    scale: Scale, server: Server, mode: str, count: int, *arguments: object
) -> float:
    before = settled(scale, server)
    load = Load(mode, server, "--connections", count, *arguments)
    load.wait_started()
    grown = settled(scale, server) - before
    load.process.kill()
    load.process.wait()
    return grown / count


def memory(scale: Scale) -> None:
    count = scale.of(10_000, 100)
    sessions = scale.of(100_000, 1000)
    table = Table(f"memory: {count} connections, {sessions} sessions")
    held = ("--text", "bench hold", "--hold")
    # Each in a process of its own: memory that was freed is not given back.
    for _ in range(scale.of(3, 1)):
        with bench.scratch() as root:
            with bench.bridge(root) as server:
                table.add("idle process", settled(scale, server) / 1024)
                table.add(
                    "idle connection, before its first request",
                    per_connection(scale, server, "idle", count, "--path", ""),
                )
            with bench.bridge(root) as server:
                table.add(
                    "idle connection, after a request",
                    per_connection(scale, server, "idle", count),
                )
            with bench.bridge(root) as server:
                table.add(
                    "open stream with its turn",
                    per_connection(scale, server, "turns", count, *held),
                )
            with bench.bridge(root) as server:
                empty = settled(scale, server)
            write_sessions(root, sessions)
            with bench.bridge(root) as server:
                table.add(
                    "session in the map", (settled(scale, server) - empty) / sessions
                )
    table.show("idle process", "KiB", 0)
    for row in list(table.values)[1:]:
        table.show(row, "bytes", 0)
    idle = table.median("idle process") / 1024
    table.judge("idle process", idle, "MiB", "≤ 15", lambda value: value <= 15)
    for row in list(table.values)[1:3]:
        table.judge(row, table.median(row), "B", "≤ 2048", lambda value: value <= 2048)
    table.values["open stream without its turn"] = [
        stream - connection
        for stream, connection in zip(
            table.values["open stream with its turn"],
            table.values["idle connection, after a request"],
            strict=True,
        )
    ]
    table.judge(
        "open stream and turn, beyond its connection",
        table.median("open stream without its turn"),
        "B",
        "≤ 4096",
        lambda value: value <= 4096,
    )
    peer_memory(scale, table)


def peer_memory(scale: Scale, table: Table) -> None:
    """Of codex-gateway no open streams: it runs one turn at a time, all others wait to begin."""
    if os.environ.get("CODEX_GATEWAY"):
        count = scale.of(1000, 20)
        with bench.scratch() as root, bench.gateway(root) as server:
            idle = settled(scale, server) / 1024
            words = ("--path", "/healthz")
            connection = per_connection(scale, server, "idle", count, *words)
        table.judge("codex-gateway, idle process", idle, "KiB")
        table.judge("codex-gateway, idle connection", connection, "B")
    codex = os.environ.get("CODEX_BIN")
    if codex:
        largest = exec_memory(codex)
        table.judge("codex exec, a process for each turn", largest / 1024, "KiB")


def exec_memory(codex: str) -> int:
    """The most memory that the process of one turn was seen to have, in bytes."""
    largest = 0
    with bench.scratch() as root, codex_turn.model_server(root) as model:
        home = codex_home(root, "exec", model.port)
        environment = bench.bare_environment() | {"CODEX_HOME": str(home)}
        words = exec_words(codex, "bench tokens=20", [])
        process = bench.spawn(
            "exec", words, root, env=environment, stdout=subprocess.DEVNULL
        )
        while process.poll() is None:
            # Once it has ended it has no memory to tell of.
            with suppress(OSError, WrongResult):
                largest = max(largest, bench.resident_bytes(process.pid))
            time.sleep(0.005)
    if process.returncode != 0:
        raise WrongResult(f"codex exec ended with {process.returncode}")
    return largest


def write_sessions(root: Path, count: int) -> None:
    ids = [f"user-{index:08d}-chat" for index in range(count)]
    sessions = {
        name: f"01a204cf-0000-7000-8000-{index:012x}" for index, name in enumerate(ids)
    }
    details = {
        name: {
            "model": "gpt-5.5",
            "created": 1764000000,
            "used": 1764000000,
            "turns": 3,
        }
        for name in ids
    }
    # With a generation, as the bridge leaves it: another map is first written anew.
    text = json.dumps(
        {"version": 1, "generation": count, "sessions": sessions, "details": details}
    )
    (root / ".codex_threads.json").write_text(text)


# ---- requests


PEERS = {"NGINX": bench.nginx, "NODE": bench.node, "HUMMINGBIRD": bench.hummingbird}
OURS_AND_NGINX = ("bridged", "nginx")
# How many connections are judged, and how many are looked at besides.
CONNECTIONS, OTHER_CONNECTIONS = 64, (1, 8, 512)


def requests(scale: Scale) -> None:
    with bench.scratch() as root, ExitStack() as stack:
        ours = stack.enter_context(bench.bridge(root))
        for path in ("/health", "/v1/models"):
            body = ours.get(path)[1]
            rivals = [ours]
            with ExitStack() as peers:
                for name, start in PEERS.items():
                    if os.environ.get(name):
                        rivals.append(peers.enter_context(start(root, body)))
                    else:
                        skip(name.lower(), "it is not there")
                for rival in rivals:
                    if rival.get(path)[1] != body:
                        raise WrongResult(f"{rival.name}: another body for {path}")
                measure_requests(scale, path, rivals, CONNECTIONS, scale.of(20, 1))
                if path == "/health":
                    pair = [rival for rival in rivals if rival.name in OURS_AND_NGINX]
                    for connections in OTHER_CONNECTIONS:
                        rounds = scale.of(10, 1)
                        measure_requests(scale, path, pair, connections, rounds)


def measure_requests(
    scale: Scale, path: str, rivals: list[Server], connections: int, rounds: int
) -> None:
    # Many short rounds: what else the machine does comes and goes within seconds, and a ratio of two rounds that lie
    # close together sees less of it.
    seconds = 0.5 if not scale.smoke else 0.2
    table = Table(
        f"requests: GET {path}, {connections} kept connection(s), {seconds} s each and round"
    )
    is_judged = connections == CONNECTIONS
    # Elsewhere there is nothing but the load: beside one client the probe would be a second one.
    lags = {server.name: bench.Lag(server) for server in rivals if is_judged}
    words = ("--connections", connections, "--seconds", seconds, "--path", path)
    for number in range(rounds):
        for server in rivals if number % 2 == 0 else rivals[::-1]:
            lag = lags.get(server.name)
            before = server.cpu()
            with lag.watched() if lag else nullcontext():
                result = Load("gets", server, *words).result()
            cost, done = server.cpu() - before, result["requests"]
            table.add(f"{server.name}, requests per CPU second", done / cost)
            table.add(f"{server.name}, requests per second", done / result["seconds"])
            table.add(f"{server.name}, median latency", result["whole_ms"][0])
            table.add(f"{server.name}, p99 latency", result["whole_ms"][2])
    for row in table.values:
        is_rate = row.endswith("second")
        table.show(row, "/s" if is_rate else "ms", 0 if is_rate else 3)
    ours = "bridged, requests per CPU second"
    wanted = (lambda value: value >= 1) if path == "/health" and is_judged else None
    table.ratio(
        "requests per CPU second, of nginx",
        ours,
        "nginx, requests per CPU second",
        "≥ 1.0",
        wanted,
    )
    for peer in ("node http", "hummingbird"):
        theirs = f"{peer}, requests per CPU second"
        table.ratio(f"requests per CPU second, of {peer}", ours, theirs)
    for lag in lags.values():
        lag.show(table)


# ---- start


FIRST_ANSWER = "first answer of /health"


def start(scale: Scale) -> None:
    table = Table("start: from the exec of the program on")
    engines = {"fake engine": str(bench.ENGINE)}
    if os.environ.get("CODEX_BIN"):
        engines["real Codex"] = os.environ["CODEX_BIN"]
    for _ in range(scale.of(15, 2)):
        for name, engine in engines.items():
            with bench.scratch() as root:
                for what, milliseconds in start_times(root, engine).items():
                    table.add(f"{what}, {name}", milliseconds)
    for row in table.values:
        table.show(row, "ms", 1)
    # What the machine itself needs for a process that does nothing, to read the rest against.
    for _ in range(scale.of(15, 2)):
        began = time.perf_counter()
        subprocess.run(["/bin/true"], check=True)
        table.add("a process that does nothing", (time.perf_counter() - began) * 1000)
    table.show("a process that does nothing", "ms", 1)
    for what in ("accepting", FIRST_ANSWER):
        median = table.median(f"{what}, fake engine")
        table.judge(what, median, "ms", "≤ 20", lambda value: value <= 20)


def start_times(root: Path, engine: str) -> dict[str, float]:
    """Milliseconds from the exec on."""
    port = bench.free_port()
    environment = bench.bridge_environment(root, PORT=str(port), CODEX_BIN=engine)
    if engine != str(bench.ENGINE):
        provider = codex_turn.MODEL_PROVIDER.format(port=9)
        (root / "codex-home" / "config.toml").write_text(provider)
    began = time.perf_counter()
    process = bench.spawn(
        "bridged",
        [bench.bridged(), "serve"],
        root,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    server = Server("bridged", process, port)
    times: dict[str, float] = {}

    def took(what: str) -> None:
        times[what] = (time.perf_counter() - began) * 1000

    with bench.running(server):
        with first_connection(server, began) as connection:
            took("accepting")
            # A socket that listens accepts before its program does: only an answer says that it is there.
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            status = connection.makefile("rb").readline()
            took(FIRST_ANSWER)
        if b" 200 " not in status:
            raise WrongResult(f"bridged: {status!r} from /health")
        bench.wait_for_status(server, "/ready", pause=0.001)
        took("ready")
    return times


def first_connection(server: Server, began: float) -> socket.socket:
    while time.perf_counter() - began < bench.START_SECONDS:
        if server.process.poll() is not None:
            break
        try:
            address = ("127.0.0.1", server.port)
            return socket.create_connection(address, bench.START_SECONDS)
        except ConnectionRefusedError:
            time.sleep(0.0002)
    raise WrongResult("bridged did not start")


# ---- sessions


def sessions(scale: Scale) -> None:
    counts = [
        scale.of(count, smoke)
        for count, smoke in ((100, 10), (10_000, 100), (100_000, 1000))
    ]
    turns = scale.of(100, 5)
    table = Table(
        f"sessions: {turns} turns, each the first of its session, one client after the other"
    )
    with bench.scratch() as root, ExitStack() as stack:
        print(f"  state on {file_system(root)}", flush=True)
        servers: list[tuple[int, Server]] = []
        for count in counts:
            directory = root / str(count)
            directory.mkdir()
            write_sessions(directory, count)
            servers.append((count, stack.enter_context(bench.bridge(directory))))
        for number in range(scale.of(3, 1)):
            for count, server in servers if number % 2 == 0 else servers[::-1]:
                before = server.cpu()
                result = first_turns(server, turns, f"new-{number}")
                cost = server.cpu() - before
                table.add(f"{count} sessions, median turn", result["whole_ms"][0])
                table.add(f"{count} sessions, p99 turn", result["whole_ms"][2])
                table.add(f"{count} sessions, CPU per turn", cost / turns * 1000)
        # In rounds of their own: who asks meanwhile is counted with the turns.
        lag = bench.Lag(servers[-1][1])
        for number in range(scale.of(3, 1)):
            with lag.watched():
                first_turns(servers[-1][1], turns, f"watched-{number}")
        for row in table.values:
            table.show(row, "ms", 3)
        lag.show(table)
    few, more, most = counts
    # Only these two append to the journal; with few sessions the map is replaced whole, which is other work.
    for what in ("median turn", "p99 turn", "CPU per turn"):
        table.ratio(
            f"{what}, {most} of {more} sessions",
            f"{most} sessions, {what}",
            f"{more} sessions, {what}",
            "≤ 1.1",
            (lambda value: value <= 1.1) if what == "median turn" else None,
        )
    for what in ("median turn", "p99 turn", "CPU per turn"):
        table.ratio(
            f"{what}, {most} of {few} sessions",
            f"{most} sessions, {what}",
            f"{few} sessions, {what}",
        )


def first_turns(server: Server, turns: int, session: str) -> bench.Json:
    """Turns of which each begins a session, with a name of its own."""
    words = ("--turns", turns, "--text", "bench tokens=5", "--session", session)
    return Load("turns", server, *words).result()


def file_system(path: Path) -> str:
    """Its type: what a flush to it costs is most of what a new session costs."""
    words = ["stat", "-f", "-c", "%T", str(path)]
    return subprocess.check_output(words, text=True).strip()


# ---- images


def png(size: int) -> bytes:
    """A valid grey image of about `size` bytes that cannot be compressed."""
    width = 2048
    height = max(1, size // (width + 1))
    noise = random.Random(1)
    rows = b"".join(b"\0" + noise.randbytes(width) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(rows, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def images(scale: Scale) -> None:
    size = scale.of(7_500_000, 100_000)
    url = "data:image/png;base64," + base64.b64encode(png(size)).decode()
    content = [
        {"type": "text", "text": "bench tokens=5"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    body = json.dumps(
        {
            "model": "gpt-5.5",
            "stream": True,
            "messages": [{"role": "user", "content": content}],
        }
    )
    turns = scale.of(10, 2)
    table = Table(
        f"images: requests of {len(body) / 1e6:.1f} MB, 4 connections, {turns} each and round"
    )
    with bench.scratch() as root, bench.bridge(root) as server:
        file = root / "body.json"
        file.write_text(body)
        lag = bench.Lag(server)
        for _ in range(scale.rounds):
            before = server.cpu()
            load = [("--connections", 4), ("--turns", turns), ("--body", file)]
            words = [word for pair in load for word in pair]
            with lag.watched():
                result = Load("turns", server, *words, "--tokens", 5).result()
            table.add("requests per second", result["requests"] / result["seconds"])
            table.add(
                "CPU per request", (server.cpu() - before) / result["requests"] * 1000
            )
            table.add(
                "CPU per megabyte",
                (server.cpu() - before) / result["requests"] / len(body) * 1e9,
            )
        # The bridge gives memory back when it has had nothing to do for a while.
        time.sleep(0 if scale.smoke else 3)
        table.add("memory afterwards", settled(scale, server) / 2**20)
        table.show("requests per second", "/s")
        table.show("CPU per request", "ms")
        table.show("CPU per megabyte", "ms")
        table.show("memory afterwards", "MiB", 1)
        lag.show(table)


# ----


def codex_turns(scale: Scale) -> None:
    if not os.environ.get("CODEX_BIN"):
        return skip("codex-turn", "no Codex: set CODEX_BIN")
    rounds, turns = scale.rounds, scale.of(20, 2)
    only = 1 if scale.smoke else None
    asyncio.run(codex_turn.codex_turn(rounds, turns, only))


def profile_turns(scale: Scale) -> None:
    if not os.environ.get("CODEX_BIN"):
        return skip("profiles", "no Codex: set CODEX_BIN")
    asyncio.run(profiles.profiles(scale.rounds, scale.of(20, 2)))


def tool_turns(scale: Scale) -> None:
    if not os.environ.get("CODEX_BIN"):
        return skip("tools", "no Codex: set CODEX_BIN")
    asyncio.run(tools.tools(scale.smoke))


def parked_turns(scale: Scale) -> None:
    if not os.environ.get("CODEX_BIN"):
        return skip("parked", "no Codex: set CODEX_BIN")
    asyncio.run(tools.parked(scale.smoke))


BENCHMARKS: dict[str, Callable[[Scale], object]] = {
    "first-token": lambda scale: asyncio.run(first_token(scale)),
    "tokens": tokens,
    "memory": memory,
    "requests": requests,
    "start": start,
    "sessions": sessions,
    "finding": lambda scale: finding.finding(
        [scale.of(count, smoke) for count, smoke in ((100, 10), (100_000, 100))], scale.of(60, 2)
    ),
    "images": images,
    "codex-turn": codex_turns,
    "profiles": profile_turns,
    "tools": tool_turns,
    "parked": parked_turns,
    "engines": lambda scale: asyncio.run(engines(scale)),
}


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}"


def versions() -> str:
    """Of what is measured and what it is measured with, as far as it is there."""
    asked = [
        [os.environ.get("NGINX"), "-v"],
        [os.environ.get("NODE"), "--version"],
        [os.environ.get("CODEX_BIN"), "--version"],
        ["swift", "--version"],
        ["pkg-config", "--modversion", "libuv"],
    ]
    # Where a program's answer does not say whose version it is.
    names = {"node": "node ", "pkg-config": "libuv "}
    found = []
    for program, *words in asked:
        if not program or not shutil.which(program):
            continue
        done = subprocess.run(
            [program, *words], check=False, capture_output=True, text=True
        )
        lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
        if done.returncode == 0 and lines:
            found.append(names.get(Path(program).name, "") + lines[0])
    return ", ".join(found)


def main() -> int:
    words = sys.argv[1:]
    scale = Scale("--smoke" in words)
    Table.judges = not scale.smoke
    names = [word for word in words if not word.startswith("-")] or list(BENCHMARKS)
    print(machine())
    print(versions(), flush=True)
    wrong: list[str] = []
    for name in names:
        began = time.monotonic()
        try:
            BENCHMARKS[name](scale)
        except WrongResult as error:
            print(f"  WRONG: {error}", flush=True)
            wrong.append(name)
        print(f"  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    print(
        f"\nwrong results: {', '.join(wrong)}" if wrong else "\nevery answer was right"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
