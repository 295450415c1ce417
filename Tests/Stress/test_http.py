"""Requests that are malformed, cut short or ambiguous, sent to the whole bridge."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

import pytest
from harness import API_KEY, Bridge, checked_error
from wire import Refused, exchange, fixture, refused_requests, wire_bytes

REFUSED = list(refused_requests())
H1SPEC = fixture("h1spec-requests")["cases"]
NEXT = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# Nothing is expected to come; what would come, comes at once.
SILENCE_SECONDS = 1.0


@pytest.fixture(scope="module")
def any_host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """h1spec speaks to example.com."""
    bridge = Bridge(
        tmp_path_factory.mktemp("h1spec"),
        fake=True,
        environment={"CODEX_ALLOWED_HOSTS": "*"},
    )
    yield bridge.start()
    bridge.stop()


def test_the_tables_are_as_large_as_promised() -> None:
    assert len(H1SPEC) == 33
    assert len(REFUSED) >= 60
    assert len({case.name for case in REFUSED}) == len(REFUSED)


def turns_started(bridge: Bridge) -> int:
    text = bridge.request("GET", "/metrics").body.decode()
    lines = [
        line for line in text.splitlines() if line.startswith("codexbridge_turns_total")
    ]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_it_is_refused_once_and_ends_the_connection(
    fake: Bridge, case: Refused
) -> None:
    before = turns_started(fake)
    answer = exchange(fake.address, case.data + NEXT)
    assert answer.ended, f"the connection stays open after {answer.received!r}"
    refusals = answer.answers()
    assert [refusal.status for refusal in refusals] == [case.status]
    refusal = refusals[0]
    assert refusal.headers["connection"] == "close"
    assert refusal.headers["x-request-id"]
    assert "server" not in refusal.headers
    checked_error(refusal.json)
    # The next request on a connection of its own is served, and tells that no turn has run.
    assert turns_started(fake) == before


@pytest.mark.parametrize(
    "case",
    [case for case in H1SPEC if "statuses" in case],
    ids=lambda case: case["name"],
)
def test_h1spec(any_host: Bridge, case: dict[str, Any]) -> None:
    host, port = any_host.address
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(wire_bytes(case["request"]))
        received = connection.recv(1 << 16)
    status = int(received.split(b" ", 2)[1])
    assert any(low <= status <= high for low, high in case["statuses"]), received
    if "echo" in case:
        assert case["echo"].encode() in received


def test_h1spec_fragments_are_waited_for(any_host: Bridge) -> None:
    cases = [case for case in H1SPEC if case.get("waits")]
    assert len(cases) == 15
    connections = {socket.create_connection(any_host.address): case for case in cases}
    for connection, case in connections.items():
        connection.sendall(wire_bytes(case["request"]))
    time.sleep(SILENCE_SECONDS)
    answered, _, _ = select.select(list(connections), [], [], 0)
    assert [connections[connection]["name"] for connection in answered] == []
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/health", "example.com"),
        ("/health", "localhost.example.com"),
        ("/health", "127.0.0.1.example.com"),
        ("/health", ""),
        ("http://example.com/health", "localhost"),
    ],
)
def test_a_host_that_is_not_ours_is_refused(
    fake: Bridge, target: str, host: str
) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answers = exchange(fake.address, request.encode()).answers()
    assert [answer.status for answer in answers] == [403]
    checked_error(answers[0].json)


def test_bodies_above_the_limit(start_bridge: Any) -> None:
    """By its declared length at once; in chunks when the limit is passed."""
    bridge = start_bridge(fake=True, environment={"CODEX_JSON_LIMIT": "64kb"})
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
    )
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    for data in [
        f"{head}Content-Length: 65537\r\n\r\n".encode() + b" " * 65537,
        f"{head}Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n".encode(),
        f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 5 + b"0\r\n\r\n",
        f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        + b"FFFFFFFFFFFF\r\n"
        + b" " * 70_000,
    ]:
        answers = exchange(bridge.address, data + LAST).answers()
        # Its end is known and near, so that the connection may be kept; or it is closed.
        assert [answer.status for answer in answers] in ([413], [413, 200])
        assert "CODEX_JSON_LIMIT" in answers[0].error["message"]
        assert bridge.request("GET", "/health", key=None).status == 200
