"""What it costs to find the conversation of a request that names none, beside many that are remembered: turns of chats without a
name, and of the same chats with one."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path

import bench
from bench import Json, Server, Table

# Answers that are noted of each remembered conversation.
ANSWERS = 3
# As many answers as are looked for at most.
LONG_HISTORY = 64
TEXT = "bench tokens=1"


def finding(counts: list[int], rounds: int) -> None:
    table = Table(f"finding: {rounds} rounds of 5 turns, each with the whole chat; a memory of conversations on disk")
    with bench.scratch() as root, ExitStack() as stack:
        servers = {count: start(root / str(count), count, stack) for count in counts}
        for number in range(rounds):
            for count, server in list(servers.items())[:: 1 if number % 2 == 0 else -1]:
                add_round(table, server, count, number)
        for count, server in servers.items():
            table.add(f"{count} remembered, memory of the bridge in MiB", server.memory() / (1 << 20))
            path, = (root / str(count)).rglob("state.db")
            table.add(f"{count} remembered, state.db in MiB", path.stat().st_size / (1 << 20))
    for row in table.values:
        table.show(row, "" if row.endswith("MiB") else "ms", 3)
    for count in counts:
        what = f"{count} remembered"
        table.difference(
            f"{what}, finding", f"{what}, unnamed", f"{what}, named", "≤ 1 ms", lambda value: value <= 1
        )
        table.difference(
            f"{what}, finding none of {LONG_HISTORY} answers", f"{what}, unknown", f"{what}, unknown, named"
        )


def start(directory: Path, count: int, stack: ExitStack) -> Server:
    """A bridge that remembers so many conversations of an earlier process."""
    directory.mkdir()
    settings = {"CODEX_CONTINUE": "disk", "CODEX_MAX_SESSIONS": str(10 * count)}
    with bench.bridge(directory, **settings) as server:
        Client(server).turn([user("bench tokens=1")])
    path, = directory.rglob("state.db")
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO point_threads VALUES (?, ?, ?, 'agent', 1, 1764000000)",
            ((thread(index), "default", f"conversation_{index:024d}") for index in range(count)),
        )
        database.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, 1)",
            (
                (thread(index), number, f"turn-{number}", os.urandom(32), os.urandom(32), os.urandom(32))
                for index in range(count)
                for number in range(ANSWERS)
            ),
        )
    return stack.enter_context(bench.bridge(directory, **settings))


def thread(index: int) -> str:
    return f"01a204cf-0000-7000-8000-{index:012x}"


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(text: str) -> Json:
    return {"role": "assistant", "content": text}


class Client:
    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def turn(self, messages: list[Json], **fields: str) -> tuple[float, str, str]:
        """Its milliseconds, its answer, and what has become of its conversation."""
        body = json.dumps({"messages": messages, **fields})
        headers = {"Authorization": f"Bearer {bench.KEY}", "Content-Type": "application/json"}
        began = time.perf_counter()
        self.connection.request("POST", "/v1/chat/completions", body, headers)
        response = self.connection.getresponse()
        text = response.read()
        took = (time.perf_counter() - began) * 1000
        if response.status != 200:
            raise bench.WrongResult(f"a turn is answered with {response.status}: {text[:200]!r}")
        content = json.loads(text)["choices"][0]["message"]["content"]
        return took, content, response.headers.get("x-bridge-session-state", "")


def add_round(table: Table, server: Server, count: int, number: int) -> None:
    what = f"{count} remembered"
    client = Client(server)
    for name, fields in (("unnamed", {}), ("named", {"session_id": f"s{number}"})):
        messages = [user(f"{TEXT} {name} {number}")]
        times = []
        for turn in range(5):
            took, answer, state = client.turn(messages, **fields)
            if state != ("continued" if turn else "new"):
                raise bench.WrongResult(f"turn {turn} of a chat that is {name} is {state}")
            if turn:
                times.append(took)
            messages += [assistant(answer), user(f"{TEXT} {turn}")]
        table.add(f"{what}, {name}", sorted(times)[len(times) // 2])
    strange = [part for index in range(LONG_HISTORY) for part in (user(f"{number} {index}"), assistant("?"))]
    strange.append(user(TEXT))
    table.add(f"{what}, unknown", client.turn(strange)[0])
    table.add(f"{what}, unknown, named", client.turn(strange, session_id=f"strange-{number}")[0])
