"""What functions of the client cost: a turn with one call through the bridge beside a script that drives
`codex app-server` itself, and turns that wait for their outputs.

Both run in this process, against the same kind of Codex and the same model, and take turns.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import bench
import codex_turn
from bench import Json, Server, Table, WrongResult
from model import NAMESPACE
from turns import DirectDriver, DirectTurn, HTTPClient, check, delta

NAME = "look_up"
DESCRIPTION = "Looks a word up."
PARAMETERS: Json = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
OUTPUT = "a structure that carries a road over a river"
TOKENS = 20
TEXT = f"bench tokens={TOKENS} gap=1 call={NAME}"
# The same for a stand-in of Codex that answers at once, so that what is left is the bridge and nothing else.
STAND_IN = Path(__file__).resolve().parents[1] / "Clients" / "fake_codex.py"
STAND_IN_TEXT = f"demo: call={NAME}:{{}} round tokens={TOKENS}"
PLAIN_TEXT = f"bench tokens={TOKENS} gap=1"

# As Sources/Bridge/Engine/Codex/CodexPayload.swift has them.
THREAD: Json = {
    "dynamicTools": [
        {
            "type": "namespace",
            "name": NAMESPACE,
            "description": "Functions of the application that the user works with.",
            "tools": [
                {
                    "type": "function",
                    "name": NAME,
                    "description": DESCRIPTION,
                    "inputSchema": PARAMETERS,
                }
            ],
        }
    ],
    "experimentalRawEvents": True,
    "config": {
        "web_search": "disabled",
        "tool_output_token_limit": 1_000_000,
        "features.code_mode.direct_only_tool_namespaces": [NAMESPACE],
    },
}


@dataclass
class ToolTiming:
    """Seconds of the two halves of a turn."""

    # From the question until all calls are known and may be run.
    call: float
    # From its output to the end of the answer: the round.
    round: float


class Rival(Protocol):
    async def tool_turn(self) -> ToolTiming: ...


# ---- over HTTP


@dataclass
class Asked:
    """A turn that waits for the output of its call."""

    messages: list[Json]
    call_id: str


class ToolClient(HTTPClient):
    """A client with a function, in a session of its own or in none."""

    def __init__(
        self, server: Server, session: str | None = None, text: str = TEXT
    ) -> None:
        super().__init__(server.port, server.name)
        self.text = text
        function = {
            "name": NAME,
            "description": DESCRIPTION,
            "parameters": PARAMETERS,
        }
        self.fields: Json = {"tools": [{"type": "function", "function": function}]}
        if session is not None:
            self.fields["session_id"] = session

    async def tool_turn(self) -> ToolTiming:
        await self.connect()
        began = time.perf_counter()
        asked = await self.ask()
        called = time.perf_counter()
        await self.bring_output(asked)
        return ToolTiming(called - began, time.perf_counter() - called)

    async def ask(self, session: str | None = None) -> Asked:
        """Returns with the end of the answer that has the call. `session` replaces that of the client."""
        await self.connect()
        question = {"role": "user", "content": self.text}
        fields = self.fields | ({"session_id": session} if session else {})
        calls: list[Json] = []
        reason = None
        async for event in self.events(self.request(fields | {"messages": [question]})):
            calls += delta(event).get("tool_calls") or []
            for choice in event.get("choices") or []:
                reason = choice.get("finish_reason") or reason
        names = [call["function"]["name"] for call in calls]
        if names != [NAME] or reason != "tool_calls":
            raise WrongResult(f"{self.name}: not one call, but {names}, {reason}")
        call = {key: value for key, value in calls[0].items() if key != "index"}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return Asked([question, said], call["id"])

    async def bring_output(self, asked: Asked, session: str | None = None) -> None:
        output = {"role": "tool", "tool_call_id": asked.call_id, "content": OUTPUT}
        fields = self.fields | ({"session_id": session} if session else {})
        request = self.request(fields | {"messages": [*asked.messages, output]})
        pieces = [
            delta(event).get("content") or "" async for event in self.events(request)
        ]
        check(pieces, TOKENS, self.name)


# ---- directly


@dataclass
class DirectToolTurn(DirectTurn):
    # The id of the request that Codex waits for an answer to. It may come after the response has told of the call.
    call: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    # Once this is there, all calls of the response are known.
    response: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class ToolDriver(DirectDriver):
    """The script, with the function."""

    text = TEXT

    def take(self, message: Json, turn: DirectTurn) -> None:
        assert isinstance(turn, DirectToolTurn)
        if message["method"] == "item/tool/call":
            turn.call.set_result(message["id"])
        elif message["method"] == "rawResponse/completed":
            if not turn.response.done():
                turn.response.set_result(None)
        else:
            super().take(message, turn)

    async def tool_turn_of(self, thread: str, began: float) -> ToolTiming:
        ended = asyncio.get_running_loop().create_future()
        turn = self.turns[thread] = DirectToolTurn(began, ended)
        content = [{"type": "text", "text": self.text}]
        await self.call("turn/start", threadId=thread, input=content, summary="auto")
        await turn.response
        called = time.perf_counter() - began
        request = await turn.call
        items = [{"type": "inputText", "text": OUTPUT}]
        self.send({"id": request, "result": {"contentItems": items, "success": True}})
        whole = await ended
        del self.turns[thread]
        check(turn.pieces, TOKENS, "direct")
        return ToolTiming(called, whole - called)


@dataclass
class DirectClient:
    """One of the script's users. Those in a session have a thread, which stays loaded."""

    driver: ToolDriver
    is_in_session: bool
    thread: str | None = None

    async def tool_turn(self) -> ToolTiming:
        began = time.perf_counter()
        if not self.is_in_session:
            thread = await self.driver.start_thread(ephemeral=True)
            timing = await self.driver.tool_turn_of(thread, began)
            self.driver.let_go(thread)
            return timing
        if self.thread is None:
            self.thread = await self.driver.start_thread(ephemeral=False)
        return await self.driver.tool_turn_of(self.thread, began)


# ---- rounds


@dataclass
class Case:
    clients: int
    turns: int
    rounds: int


CASES = (Case(1, 4, 30), Case(8, 2, 15))
SMOKE_CASES = (Case(1, 1, 1), Case(8, 1, 1))
STAND_IN_CASE = Case(1, 20, 30)
# The script is run with two processes of Codex, since one of them is faster than another: what these differ by is not ours.
SCRIPTS = ("direct", "direct again")
# Without Codex's.
CPU = "bridged, its own CPU for a turn"
# Milliseconds that the bridge may take beyond the script.
MAX_MORE = 3


def codex_home(directory: Path, model: Server) -> str:
    home = directory / "home"
    home.mkdir(parents=True)
    text = codex_turn.MODEL_PROVIDER.format(port=model.port)
    (home / "config.toml").write_text(text)
    return str(home)


async def tools(is_smoke: bool) -> None:
    stand_in = SMOKE_CASES[:1] if is_smoke else (STAND_IN_CASE,)
    await compare_all(str(STAND_IN), STAND_IN_TEXT, stand_in)
    await compare_all(os.environ["CODEX_BIN"], TEXT, SMOKE_CASES if is_smoke else CASES)


async def compare_all(codex: str, text: str, cases: tuple[Case, ...]) -> None:
    with bench.scratch() as root, ExitStack() as stack:
        model = stack.enter_context(codex_turn.model_server(root))
        ours = root / "bridge"
        home = codex_home(ours, model)
        # One process of Codex, as the script has.
        server = stack.enter_context(
            bench.bridge(ours, CODEX_BIN=codex, CODEX_HOME=home, CODEX_ENGINES="1")
        )
        drivers = {name: driver(root / name, model, codex) for name in SCRIPTS}
        for script in drivers.values():
            script.text = text
            await script.start()
        try:
            for is_in_session in (False, True):
                for case in cases:
                    await compare(server, drivers, case, is_in_session)
        finally:
            for script in drivers.values():
                await script.stop()


def driver(directory: Path, model: Server, codex: str) -> ToolDriver:
    environment = bench.bare_environment() | {
        "CODEX_HOME": codex_home(directory, model)
    }
    return ToolDriver(codex, str(directory), environment, thread=THREAD)


async def compare(
    server: Server, drivers: dict[str, ToolDriver], case: Case, is_in_session: bool
) -> None:
    kind = "in sessions" if is_in_session else "one-off"
    text = drivers[SCRIPTS[0]].text
    table = Table(
        f"tools: {case.clients} client(s), {case.turns} turns each and round, {kind}; a call, its output, {TOKENS} tokens;"
        f" {'real Codex, own model process' if text == TEXT else 'a stand-in of Codex'}"
    )
    numbers = range(case.clients)
    bridged = [
        ToolClient(
            server, f"{case.clients}-{number}" if is_in_session else None, text
        )
        for number in numbers
    ]
    rivals: dict[str, list[Rival]] = {"bridged": [*bridged]}
    for name, script in drivers.items():
        rivals[name] = [DirectClient(script, is_in_session) for _ in numbers]
    for clients in rivals.values():
        # The first turns pay for what is made once: in a session its thread.
        await asyncio.gather(*(client.tool_turn() for client in clients))
    for index in range(case.rounds):
        order = list(rivals.items())
        for name, clients in order if index % 2 == 0 else reversed(order):
            await asyncio.sleep(0.1)  # What the other one has left to do.
            cpu = server.cpu()
            timings = await many(clients, case.turns)
            add(table, name, timings)
            if name == "bridged":
                table.add(CPU, (server.cpu() - cpu) / len(timings) * 1000)
    for client in bridged:
        client.close()
    show(table, is_judged=case.clients == 1)


async def many(clients: list[Rival], turns: int) -> list[ToolTiming]:
    async def one(client: Rival) -> list[ToolTiming]:
        return [await client.tool_turn() for _ in range(turns)]

    each = await asyncio.gather(*(one(client) for client in clients))
    return [timing for timings in each for timing in timings]


PARTS: dict[str, Callable[[ToolTiming], float]] = {
    "question to call": lambda timing: timing.call,
    "output to end": lambda timing: timing.round,
    "whole turn": lambda timing: timing.call + timing.round,
}


def add(table: Table, name: str, timings: list[ToolTiming]) -> None:
    for part, seconds in PARTS.items():
        median = statistics.median(map(seconds, timings))
        table.add(f"{name}, {part}", median * 1000)


def show(table: Table, *, is_judged: bool) -> None:
    for part in PARTS:
        for name in ("bridged", *SCRIPTS):
            table.show(f"{name}, {part}", "ms")
    table.show(CPU, "ms")
    for part in PARTS:
        is_round = part != "whole turn" and is_judged
        table.difference(
            f"{part}, more than direct",
            f"bridged, {part}",
            f"direct, {part}",
            f"≤ {MAX_MORE}",
            (lambda value: value <= MAX_MORE) if is_round else None,
        )
    for part in PARTS:
        again, first = (f"{name}, {part}" for name in (SCRIPTS[1], SCRIPTS[0]))
        table.difference(f"{part}, direct again more than direct", again, first)
    for part in PARTS:
        table.ratio(f"{part}, of direct", f"bridged, {part}", f"direct, {part}")


# ---- parked


# As in Sources/Bridge/Turns/TurnLeases.swift: of more, the oldest does not stay as it is.
MAX_PARKED = 200
# Connections over which they are begun; more would count with the turns' descriptors.
CONNECTIONS = 8
MOMENTS = ("before", "while they wait", "afterwards")


@dataclass
class Scale:
    turns: int
    rounds: int
    plain_turns: int
    # Seconds until what was queued for release is released.
    settling: float


def scale(is_smoke: bool) -> Scale:
    return Scale(20, 1, 2, 0.1) if is_smoke else Scale(MAX_PARKED, 3, 20, 3)


async def parked(is_smoke: bool) -> None:
    for is_in_session in (False, True):
        size = scale(is_smoke)
        kind = "each in a session of its own" if is_in_session else "one-off"
        table = Table(
            f"parked: {size.turns} turns that wait for the output of a call at once, {kind}; real Codex"
        )
        for _ in range(size.rounds):
            with bench.scratch() as root, ExitStack() as stack:
                model = stack.enter_context(codex_turn.model_server(root))
                home = codex_home(root, model)
                server = stack.enter_context(
                    bench.bridge(
                        root,
                        CODEX_BIN=os.environ["CODEX_BIN"],
                        CODEX_HOME=home,
                        CODEX_ENGINES="1",
                    )
                )
                await park(table, server, size, is_in_session)
        show_parked(table, size)


async def park(table: Table, server: Server, size: Scale, is_in_session: bool) -> None:
    plain = HTTPClient(server.port, server.name)
    clients = [ToolClient(server) for _ in range(CONNECTIONS)]
    names = [
        f"parked-{number}" if is_in_session else None for number in range(size.turns)
    ]
    for _ in range(2):  # What is loaded once.
        await asyncio.gather(*(client.tool_turn() for client in clients))
        await plain.turn(PLAIN_TEXT, TOKENS)
    await measure(table, "before", server, plain, size)
    began = time.perf_counter()
    asked: list[list[tuple[str | None, Asked]]] = await asyncio.gather(
        *(
            ask_all(client, names[number::CONNECTIONS])
            for number, client in enumerate(clients)
        )
    )
    table.add("to begin them", (time.perf_counter() - began) * 1000 / size.turns)
    await measure(table, "while they wait", server, plain, size)
    began = time.perf_counter()
    await asyncio.gather(*map(bring_all, clients, asked))
    table.add("to end them", (time.perf_counter() - began) * 1000 / size.turns)
    await measure(table, "afterwards", server, plain, size)
    for client in (plain, *clients):
        client.close()


async def ask_all(
    client: ToolClient, names: list[str | None]
) -> list[tuple[str | None, Asked]]:
    return [(name, await client.ask(name)) for name in names]


async def bring_all(client: ToolClient, asked: list[tuple[str | None, Asked]]) -> None:
    for name, turn in asked:
        await client.bring_output(turn, name)


async def measure(
    table: Table, moment: str, server: Server, plain: HTTPClient, size: Scale
) -> None:
    turns = [await plain.turn(PLAIN_TEXT, TOKENS) for _ in range(size.plain_turns)]
    firsts = [timing.first * 1000 for timing in turns]
    table.add(f"first token of a plain turn, {moment}", statistics.median(firsts))
    await asyncio.sleep(size.settling)
    bridge, *codex = bench.family(server.process.pid)
    for name, processes in (("bridge", [bridge]), ("Codex", codex)):
        memory = sum(map(bench.resident_bytes, processes))
        table.add(f"{name}, memory {moment}", memory / 2**20)
        descriptors = sum(map(bench.open_descriptors, processes))
        table.add(f"{name}, descriptors {moment}", descriptors)


def show_parked(table: Table, size: Scale) -> None:
    for name in ("bridge", "Codex"):
        for what, unit, digits in (("memory", "MiB", 1), ("descriptors", "", 0)):
            for moment in MOMENTS:
                table.show(f"{name}, {what} {moment}", unit, digits)
    for name in ("bridge", "Codex"):
        for what, unit, factor in (("memory", "KiB", 1024), ("descriptors", "", 1)):
            before, waiting, _ = (
                table.median(f"{name}, {what} {moment}") for moment in MOMENTS
            )
            more = (waiting - before) * factor / size.turns
            table.judge(f"{name}, {what} of each", more, unit)
    for row in ("to begin them", "to end them"):
        table.show(row, "ms each")
    plain = "first token of a plain turn"
    for moment in MOMENTS:
        table.show(f"{plain}, {moment}", "ms")
    for moment in MOMENTS[1:]:
        table.ratio(
            f"{plain} {moment}, of before", f"{plain}, {moment}", f"{plain}, before"
        )
