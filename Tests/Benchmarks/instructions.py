"""Instructions per token and per request; instructions.sh builds what this needs and starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bench
from bench import Load, Server

EXPECTED = Path(__file__).with_name("instructions.txt")
TOLERANCE = 0.10


def count(work: Callable[[Server], None]) -> int:
    """All instructions of one life of the bridge that does `work`."""
    with bench.scratch() as root:
        words = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={root}/out",
            bench.bridged(),
        ]
        environment = bench.bridge_environment(root)
        process = bench.spawn(
            "valgrind", [*words, "serve"], root, env=environment, stdout=subprocess.PIPE
        )
        server = Server("bridged", process, bench.first_line_port(process, "bridged"))
        with bench.running(server):
            bench.wait_for_status(server, "/ready")
            work(server)
        found = re.search(r"Collected : (\d+)", (root / "valgrind.log").read_text())
        if not found:
            raise bench.WrongResult("callgrind has no total")
        return int(found[1])


def difference(
    work: Callable[[Server, int], None], short: int, long: int, units: int = 1
) -> float:
    """Instructions per unit of work."""
    more = count(lambda server: work(server, long)) - count(
        lambda server: work(server, short)
    )
    return more / ((long - short) * units)


def tokens(burst: int, streams: int) -> Callable[[Server, int], None]:
    """Bursts far enough apart that each is one turn of the loop."""

    def work(server: Server, bursts: int) -> None:
        each = bursts * burst
        text = f"bench tokens={each} together={streams} burst={burst} gap=20000"
        arguments = ("--connections", streams, "--text", text, "--tokens", each)
        Load("turns", server, *arguments).result()

    return work


def requests(server: Server, number: int) -> None:
    Load("gets", server, "--requests", number, "--path", "/health").result()


def turns(server: Server, number: int) -> None:
    Load(
        "turns", server, "--turns", number, "--text", "bench tokens=1", "--tokens", 1
    ).result()


MEASURES: dict[str, Callable[[], float]] = {
    "token, in bursts of 20 for one stream": lambda: difference(
        tokens(20, 1), 20, 220, 20
    ),
    "token, one at a time for each of 20 streams": lambda: difference(
        tokens(1, 20), 20, 220, 20
    ),
    "request of /health": lambda: difference(requests, 200, 2200),
    "turn of one token": lambda: difference(turns, 20, 220),
}


def main() -> int:
    measured = {name: round(measure()) for name, measure in MEASURES.items()}
    if "--update" in sys.argv:
        EXPECTED.write_text(
            "".join(f"{value:>8}  {name}\n" for name, value in measured.items())
        )
    lines = [line.split(maxsplit=1) for line in EXPECTED.read_text().splitlines()]
    expected = {name: int(value) for value, name in lines}
    failed = False
    for name, value in measured.items():
        change = value / expected[name] - 1
        within = abs(change) <= TOLERANCE
        failed = failed or not within
        verdict = "" if within else "   OUTSIDE ±10 %: find out why, or --update"
        print(
            f"{value:>8} instructions per {name} ({change:+.1%} of {expected[name]}){verdict}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
