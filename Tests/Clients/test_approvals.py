"""What becomes of a request for approval (`demo: approval` of the fake always asks)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness import Answer, Bridge, eventually

Json = dict[str, Any]

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
    # The command as it runs, and where Codex says that it runs.
    assert approval["subject"] == approval["command"] == "touch approved"
    assert approval["shell"] == "/bin/bash -lc"
    assert approval["sandbox"] == "outside"
    assert approval["cwd"] == str(bridge.work)
    assert approval["lines"] == [
        "Codex asks to run a command outside the sandbox:",
        "    touch approved",
        f"in {bridge.work}",
        "Reason: need write",
    ]
    path = f"/v1/approvals/{approval['id']}"
    assert bridge.request("GET", path).json == approval
    assert bridge.request("GET", path, key=None).status == 401
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


@contextmanager
def asking(start_bridge: StartBridge, kind: str) -> Iterator[tuple[Bridge, Json]]:
    """A bridge on which one question of this kind of the fake is open."""
    bridge = start_bridge(fake=True, environment=ASKING)
    turn = threading.Thread(
        target=lambda: bridge.chat(f"demo: tokens=0 approval={kind}", timeout=40)
    )
    turn.start()
    assert eventually(lambda: bridge.request("GET", "/v1/approvals").json["data"])
    [approval] = bridge.request("GET", "/v1/approvals").json["data"]
    yield bridge, approval
    path = f"/v1/approvals/{approval['id']}"
    assert bridge.request("POST", path, {"decision": "decline"}).status == 200
    turn.join()


def test_what_people_read_is_escaped_and_the_rest_is_exact(
    start_bridge: StartBridge,
) -> None:
    with asking(start_bridge, "hostile") as (_, approval):
        assert approval["subject"] == r"echo \u{202E}safe\nrm -rf /\u{1B}[2K"
        assert approval["command"] == "echo \u202esafe\nrm -rf /\x1b[2K"
        assert approval["cwd"] == "/tmp/else\u200bwhere\nin /work"
        assert approval["lines"] == [
            "Codex asks to run a command outside the sandbox:",
            r"    echo \u{202E}safe",
            r"    rm -rf /\u{1B}[2K",
            r"in /tmp/else\u{200B}where\nin /work",
            r"Reason: to be\nin /work\u{009B}",
        ]


def test_a_connection_is_shown_with_its_host(start_bridge: StartBridge) -> None:
    with asking(start_bridge, "network") as (_, approval):
        assert approval["kind"] == "network"
        assert approval["subject"] == "https://example.org:8443"
        assert approval["network"] == {
            "host": "example.org",
            "protocol": "https",
            "port": 8443,
        }
        assert approval["command"] is None


def test_each_file_is_shown_with_its_diff(start_bridge: StartBridge) -> None:
    with asking(start_bridge, "files") as (_, approval):
        assert approval["kind"] == "file_change"
        assert approval["grant_root"] == "/srv/all"
        assert approval["files"] == [
            {
                "path": "/srv/a\n/etc/b",
                "kind": "add",
                "new_path": None,
                "diff": "one\ntwo\n",
                "hidden_diff_bytes": 0,
            },
            {
                "path": "/srv/c",
                "kind": "update",
                "new_path": "/srv/d",
                "diff": "@@ -1 +1 @@\n-x\n+y\n",
                "hidden_diff_bytes": 0,
            },
            {
                "path": "/srv/e",
                "kind": "delete",
                "new_path": None,
                "diff": "gone\n",
                "hidden_diff_bytes": 0,
            },
        ]
        assert approval["lines"][1:4] == [
            r"    add /srv/a\n/etc/b",
            "    update /srv/c, moved to /srv/d",
            "    delete /srv/e",
        ]


def test_an_mcp_tool_is_shown_with_its_arguments(start_bridge: StartBridge) -> None:
    with asking(start_bridge, "mcp") as (_, approval):
        assert approval["kind"] == "mcp_tool"
        assert approval["mcp"] == {
            "server": "notes",
            "message": 'Allow the notes MCP server to run tool "write_note"?',
            "arguments": {"text": "hi \u202ethere"},
        }
        assert approval["session_scope"] == "this tool with whatever arguments"


def test_more_rights_are_shown_one_by_one(start_bridge: StartBridge) -> None:
    with asking(start_bridge, "permissions") as (_, approval):
        assert approval["kind"] == "permissions"
        assert approval["permissions"] == {
            "network": True,
            "files": [{"access": "write", "place": "/var/x"}],
        }


def test_what_cannot_be_answered_is_told(start_bridge: StartBridge) -> None:
    """The answer says that and what was declined."""
    bridge = start_bridge(fake=True, environment=ASKING)
    answer = bridge.chat("demo: tokens=0 approval=mcp-form", timeout=20)
    reasoning = answer.json["choices"][0]["message"]["reasoning_content"]
    assert "Codex asked to give input to the MCP server" in reasoning
    assert reasoning.endswith("declined.")
    assert answer.text == 'answer:{"action":"decline"} '
