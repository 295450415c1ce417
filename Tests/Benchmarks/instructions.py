"""Instructions per token and per request; instructions.sh builds what this needs and starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bench
from bench import Load, Server

EXPECTED = Path(__file__).with_name("instructions.txt")
TOLERANCE = 0.10
# A machine that is too busy puts two bursts into one turn of the loop, which costs less. What has changed for good
# is outside each time.
ATTEMPTS = 3


def count(work: Callable[[Server], None], **settings: str) -> int:
    """All instructions of one life of the bridge that does `work`."""
    with bench.scratch() as root:
        words = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={root}/out",
            bench.bridged(),
        ]
        environment = bench.bridge_environment(root, **settings)
        process = bench.spawn(
            "valgrind", [*words, "serve"], root, env=environment, stdout=subprocess.PIPE
        )
        server = Server("bridged", process, bench.first_line_port(process, "bridged"))
        with bench.running(server):
            # Each time it is asked counts too.
            bench.wait_for_status(server, "/ready", pause=0.5)
            work(server)
        found = re.search(r"Collected : (\d+)", (root / "valgrind.log").read_text())
        if not found:
            raise bench.WrongResult("callgrind has no total")
        return int(found[1])


def difference(
    work: Callable[[Server, int], None],
    short: int,
    long: int,
    units: int = 1,
    **settings: str,
) -> float:
    """Instructions per unit of work."""
    more = count(lambda server: work(server, long), **settings) - count(
        lambda server: work(server, short), **settings
    )
    return more / ((long - short) * units)


def tokens(burst: int, streams: int, *words: str) -> Callable[[Server, int], None]:
    """Bursts far enough apart that each is one turn of the loop."""

    def work(server: Server, bursts: int) -> None:
        each = bursts * burst
        text = f"bench tokens={each} together={streams} burst={burst} gap=40000"
        arguments = ("--connections", streams, "--text", text, "--tokens", each)
        Load("turns", server, *arguments, *words).result()

    return work


def requests(server: Server, number: int) -> None:
    Load("gets", server, "--requests", number, "--path", "/health").result()


def turns(server: Server, number: int) -> None:
    Load(
        "turns", server, "--turns", number, "--text", "bench tokens=1", "--tokens", 1
    ).result()


MEASURES: dict[str, Callable[[], float]] = {
    "token, in bursts of 20 for one stream": lambda: difference(
        tokens(20, 1), 10, 110, 20
    ),
    "token, one at a time for each of 20 streams": lambda: difference(
        tokens(1, 20), 10, 110, 20
    ),
    "token of a response, one at a time for each of 20 streams": lambda: difference(
        tokens(1, 20, "--path", "/v1/responses"), 10, 110, 20
    ),
    "request of /health": lambda: difference(requests, 200, 2200),
    "turn of one token": lambda: difference(turns, 20, 220),
    # Fewer than are remembered, so that none is forgotten.
    "turn of one token that is remembered": lambda: difference(
        turns, 5, 55, CODEX_CONTINUE="memory"
    ),
}


def toolchain() -> str:
    """What else decides about a count: other compilers and processors make other instructions."""
    done = subprocess.run(
        ["swift", "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Swift version (\d+\.\d+)", done.stdout)
    return (
        f"Swift {found[1] if found else 'unknown'} on {os.uname().machine}, glibc "
        + os.confstr("CS_GNU_LIBC_VERSION").split()[-1]
    )


def update() -> None:
    lines = [f"{round(measure()):>8}  {name}\n" for name, measure in MEASURES.items()]
    EXPECTED.write_text(f"# {toolchain()}\n" + "".join(lines))
    print(EXPECTED.read_text(), end="")


def stays_within(name: str, expected: int) -> bool:
    for attempt in range(ATTEMPTS):
        value = MEASURES[name]()
        change = value / expected - 1
        print(
            f"{value:>8.0f} instructions per {name} ({change:+.1%} of {expected})",
            flush=True,
        )
        if abs(change) <= TOLERANCE:
            return True
        if attempt + 1 < ATTEMPTS:
            print("         once more, in case the machine was too busy", flush=True)
    return False


def main() -> int:
    if "--update" in sys.argv:
        update()
        return 0
    head, *lines = EXPECTED.read_text().splitlines()
    counted_with = head.removeprefix("# ")
    if counted_with != toolchain():
        print(f"not compared: counted with {counted_with}, this is {toolchain()}")
        return 0
    moved = []
    for line in lines:
        value, name = line.split(maxsplit=1)
        if not stays_within(name, int(value)):
            moved.append(name)
    if moved:
        print("OUTSIDE ±10 %: find out why, or --update:", "; ".join(moved))
    return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
