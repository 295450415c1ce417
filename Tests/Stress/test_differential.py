"""The bridge reads a request as nginx and Node do, or refuses it.

A request that two servers in a row read differently is how requests are smuggled. nginx forwards to Node here, and what
Node says it has got from nginx tells how nginx read it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import servers
from conftest import Report
from harness import Bridge
from wire import Address, Exchange, exchange, fixture, refused_requests, wire_bytes

ACCEPTED = fixture("accepted-requests")["cases"]
# What says that a server could not, or would not, read a request: syntax, sizes, versions, codings, expectations.
FRAMING_STATUSES = {400, 408, 413, 414, 417, 431, 501, 505}
DAMAGED_REQUESTS = 1_000
DAMAGED_REQUESTS_IN_FULL = 50_000
# Asked side by side: most of the time is spent waiting for a server that says nothing.
AT_ONCE = 48
TELLING = b"\r\n\t :;,/0aF%\x00\x7f\x80\xff"
# Whoever says nothing for so long waits for more; where that makes a difference, it is given the longer time.
SILENCE_SECONDS = 0.3
LONG_SILENCE_SECONDS = 5.0
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class Others:
    node: Address
    nginx: Address

    def __iter__(self) -> Iterator[tuple[str, Address]]:
        return iter([("node", self.node), ("nginx", self.nginx)])


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    missing = servers.missing_programs()
    if missing:
        pytest.skip(f"NOT COMPARED: there is no {' and no '.join(missing)} here")
    with (
        servers.node() as node,
        servers.nginx(tmp_path_factory.mktemp("nginx"), node) as nginx,
    ):
        yield Others(node, nginx)


@dataclass
class Reading:
    """How a server has read some bytes."""

    statuses: list[int]
    is_refused: bool
    ended: bool

    def agrees(self, requests: int) -> bool:
        return not self.is_refused and len(self.statuses) == requests


def reading(answer: Exchange, data: bytes) -> Reading:
    # nginx serves HTTP/0.9 as such: without a head.
    answers = answer.answers(heads=heads_of(data), simple=True)
    found = [found.status for found in answers]
    # Closing without a word is a refusal; staying silent is waiting for more.
    silent = answer.ended and not found
    is_refused = silent or any(status in FRAMING_STATUSES for status in found)
    return Reading(found, is_refused, answer.ended)


def heads_of(data: bytes) -> set[int]:
    """Which answers have no body: only the first request of a sequence is ever a HEAD here."""
    return {0} if data.lstrip(b"\r\n").startswith(b"HEAD ") else set()


def ask(address: Address, data: bytes, seconds: float = SILENCE_SECONDS) -> Reading:
    return reading(exchange(address, data, seconds=seconds), data)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["name"])
def test_it_is_read_as_the_others_read_it(
    others: Others, fake: Bridge, case: dict[str, Any]
) -> None:
    data = wire_bytes(case["request"])
    ours = exchange(fake.address, data)
    assert ours.ended
    assert reading(ours, data).agrees(case["requests"]), ours.received
    bodies = {}
    for name, address in others:
        theirs = exchange(address, data, seconds=LONG_SILENCE_SECONDS)
        agrees = reading(theirs, data).agrees(case["requests"])
        if name not in case.get("may differ", {}):
            # The other way round too, or an explanation would outlive what it explains.
            assert agrees == (name not in case.get("differs", {})), (name, theirs)
        if agrees:
            answers = theirs.answers(heads=heads_of(data))
            bodies[name] = [
                answer.json["length"]
                for answer in answers
                if answer.status == 200 and answer.body
            ]
    if len(bodies) == 2 and all(bodies.values()):
        assert bodies["node"] == bodies["nginx"], (
            "they do not agree on the lengths of bodies"
        )


def test_what_we_refuse(others: Others, report: Report) -> None:
    """How much stricter the bridge is; a figure, since the table is refused in test_http.py already."""
    cases = list(refused_requests())
    for name, address in others:
        refused = sum(ask(address, case.data + LAST).is_refused for case in cases)
        report(
            f"of {len(cases)} requests that the bridge refuses, {name} refuses {refused}"
        )


def is_stricter(name: str, data: bytes) -> bool:
    """What the others refuse for reasons of their own."""
    if name == "nginx":
        # RFC 9110 §5.5 lets tabs stand around a value; nginx takes them for a part of it.
        return b"\t" in data
    if max(data.lstrip(b"\r\n").partition(b"\r\n")[0]) > 0x7F:
        # In a target Node wants such bytes escaped; to nginx and the bridge they are a path that is not there.
        return True
    # Node refuses, instead of ignoring, what follows a request that is the connection's last, and tabs after a length.
    return b"HTTP/1.0" in data or b"\t\r\n" in data


def damaged(rng: random.Random, samples: list[bytes]) -> bytes:
    data = bytearray(rng.choice(samples))
    for _ in range(rng.randint(1, 2)):
        index = rng.randrange(len(data) - len(LAST))
        match rng.randrange(3):
            case 0:
                data[index] = rng.choice(TELLING)
            case 1:
                data.insert(index, rng.choice(TELLING))
            case _:
                del data[index]
    return bytes(data)


@pytest.mark.timeout(7200)
def test_damaged_requests(
    others: Others, fake: Bridge, full: bool, report: Report
) -> None:
    """What one of them refuses the bridge does not serve, and what it serves they read as so many requests too."""
    usable = [
        case
        for case in ACCEPTED
        if case["requests"] == 2 and not case.keys() & {"differs", "may differ"}
    ]
    # A refusal has a body, so that the answers to a HEAD could not be told apart.
    samples = [wire_bytes(case["request"]) for case in usable if case["name"] != "HEAD"]
    rng = random.Random(1)
    count = DAMAGED_REQUESTS_IN_FULL if full else DAMAGED_REQUESTS
    refused: Counter[str] = Counter()
    differing: list[Difference] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        requests = [damaged(rng, samples) for _ in range(count)]
        for found in pool.map(lambda data: compared(fake, others, data), requests):
            refused.update(found.refused)
            differing += found.differing
    report(
        f"of {count} damaged requests the bridge, Node and nginx refuse {dict(refused)}"
    )
    assert differing == []


Difference = tuple[bytes, str, Reading, Reading]


@dataclass
class Compared:
    """Who refused a request, and who read it otherwise than the bridge without a reason that is known."""

    refused: list[str] = field(default_factory=list)
    differing: list[Difference] = field(default_factory=list)


def compared(fake: Bridge, others: Others, data: bytes) -> Compared:
    result = Compared()
    ours = ask(fake.address, data)
    if ours.is_refused:
        result.refused.append("ours")
    for name, address in others:
        theirs = ask(address, data)
        if theirs.is_refused:
            result.refused.append(name)
        if ours.is_refused or theirs.agrees(len(ours.statuses)):
            continue
        ours = ask(fake.address, data, LONG_SILENCE_SECONDS)
        theirs = ask(address, data, LONG_SILENCE_SECONDS)
        # A body that nobody wants is not waited for: its request is answered and the connection closed.
        has_closed = ours.ended and len(ours.statuses) == 1
        # 404 and 405 are refusals too, of what the others call malformed: methods and targets.
        has_refused = theirs.is_refused and max(ours.statuses, default=400) >= 400
        if not (
            has_closed
            or has_refused
            or (theirs.is_refused and is_stricter(name, data))
            or theirs.agrees(len(ours.statuses))
        ):
            result.differing.append((data, name, theirs, ours))
    return result
