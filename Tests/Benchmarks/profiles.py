"""What the plain chat costs beside the agent: the same turns through one bridge, under each profile and model family."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import ExitStack

import bench
import codex_turn
from bench import Server, Table
from turns import HTTPClient, Timing

MODELS = ("gpt-5.5", "gpt-6.1-sol")
BASES = {"agent": "/agent/v1", "chat": "/chat/v1"}
SYSTEM = "You are a helpful assistant. Answer in the language of the question."
TOKENS = 20
TEXT = f"bench tokens={TOKENS} gap=1"
# English text has about four bytes a token; the model's own count differs, its ratio hardly.
BYTES_PER_TOKEN = 4


async def profiles(rounds: int, turns: int) -> None:
    with bench.scratch() as root, ExitStack() as stack:
        model = stack.enter_context(codex_turn.model_server(root))
        home = root / "home"
        home.mkdir()
        (home / "config.toml").write_text(
            codex_turn.MODEL_PROVIDER.format(port=model.port)
        )
        directory = root / "bridge"
        directory.mkdir()
        settings = {"CODEX_BIN": os.environ["CODEX_BIN"], "CODEX_HOME": str(home)}
        bridge = stack.enter_context(bench.bridge(directory, **settings))
        await first_chat(bridge)
        for name in MODELS:
            await compare(name, bridge, model, rounds, turns)


async def first_chat(bridge: Server) -> None:
    """The first turn of all waits for the process and its catalogue of models."""
    table = Table("profiles: the first turns of a bridge, real Codex, own model process")
    for row, base in (
        ("agent, first turn", "agent"),
        ("chat, first turn, its process included", "chat"),
        ("chat, second turn", "chat"),
    ):
        client = HTTPClient(bridge.port, bridge.name, BASES[base], system=SYSTEM)
        table.add(row, (await client.turn(TEXT, TOKENS)).first * 1000)
        table.show(row, "ms")
        client.close()


async def compare(
    name: str, bridge: Server, model: Server, rounds: int, turns: int
) -> None:
    table = Table(f"profiles: {name}, 1 client, {turns} turns a round, one-off")
    clients = {
        profile: HTTPClient(bridge.port, bridge.name, base, name, SYSTEM)
        for profile, base in BASES.items()
    }
    for client in clients.values():
        for _ in range(min(3, turns)):  # What is loaded once, and the threads ahead.
            await client.turn(TEXT, TOKENS)
    pid = bridge.process.pid
    for index in range(rounds):
        order = list(clients) if index % 2 == 0 else list(clients)[::-1]
        for profile in order:
            cpu = codex_turn.whole_cpu_seconds(pid)
            timings: list[Timing] = []
            for _ in range(turns):
                timings.append(await clients[profile].turn(TEXT, TOKENS))
            time.sleep(0.2)  # What is done after the answer is the turn's too.
            cpu = codex_turn.whole_cpu_seconds(pid) - cpu
            sent = int(model.get("/bytes")[1])
            first = statistics.median(timing.first for timing in timings)
            table.add(f"{profile}, first token", first * 1000)
            table.add(f"{profile}, CPU per turn", cpu / turns * 1000)
            table.add(f"{profile}, bytes upstream", sent)
            table.add(f"{profile}, tokens billed", sent / BYTES_PER_TOKEN)
    for client in clients.values():
        client.close()
    units = {"first token": "ms", "CPU per turn": "ms"}
    for what in ("first token", "CPU per turn", "bytes upstream", "tokens billed"):
        for profile in BASES:
            table.show(f"{profile}, {what}", units.get(what, ""))
        table.ratio(f"{what}, chat of agent", f"chat, {what}", f"agent, {what}")
