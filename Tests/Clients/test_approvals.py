"""What becomes of a request for approval (`demo: approval` of the fake always asks)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from harness import Answer, Bridge, eventually

StartBridge = Callable[..., Bridge]
ASKING = {"CODEX_APPROVAL_POLICY": "on-request"}
TEXT = "demo: approval tokens=2"


def test_with_the_policy_never_it_is_declined_at_once(fake: Bridge) -> None:
    """The default: nobody has been told that he may be asked."""
    assert fake.chat(TEXT, timeout=20).text == "decision:decline t0 t1 "


def test_without_a_wait_it_is_declined_at_once(start_bridge: StartBridge) -> None:
    environment = {**ASKING, "CODEX_APPROVAL_WAIT": "0"}
    bridge = start_bridge(fake=True, environment=environment)
    assert bridge.chat(TEXT, timeout=20).text == "decision:decline t0 t1 "


def test_when_nobody_answers_it_is_declined(start_bridge: StartBridge) -> None:
    environment = {**ASKING, "CODEX_APPROVAL_WAIT": "1s"}
    bridge = start_bridge(fake=True, environment=environment)
    assert bridge.chat(TEXT, timeout=20).text == "decision:decline t0 t1 "


@pytest.mark.parametrize(
    ("decision", "seen"),
    [
        ("accept", "accept"),
        ("accept_for_session", "acceptForSession"),
        ("decline", "decline"),
    ],
)
def test_a_person_decides(start_bridge: StartBridge, decision: str, seen: str) -> None:
    bridge = start_bridge(fake=True, environment=ASKING)
    answers: list[Answer] = []
    turn = threading.Thread(
        target=lambda: answers.append(bridge.chat(TEXT, timeout=40))
    )
    turn.start()
    assert eventually(lambda: bridge.request("GET", "/v1/approvals").json["data"])
    [approval] = bridge.request("GET", "/v1/approvals").json["data"]
    assert "touch approved" in approval["subject"]
    path = f"/v1/approvals/{approval['id']}"
    assert bridge.request("POST", path, {"decision": decision}, key=None).status == 401
    assert bridge.request("POST", path, {"decision": "maybe"}).status == 400
    assert bridge.request("POST", path, {"decision": decision}).status == 200
    turn.join()
    assert answers[0].text == f"decision:{seen} t0 t1 "
    assert bridge.request("GET", "/v1/approvals").json["data"] == []
    assert bridge.request("POST", path, {"decision": decision}).status == 404


def test_an_approval_goes_with_the_client(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment=ASKING)

    def pending() -> int:
        return len(bridge.request("GET", "/v1/approvals").json["data"])

    with bridge.open_stream(TEXT, session_id="s"):
        assert eventually(lambda: pending() == 1)
    assert eventually(lambda: pending() == 0)
    assert bridge.chat("demo: tokens=1", session_id="s", timeout=20).text == "t0 "
