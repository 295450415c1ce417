"""Whatever a text says, it stays a text: each member of a snapshot that comes from elsewhere holds an attack, in every view."""

from __future__ import annotations

from typing import Any

import pytest
from page import Page
from scenes import HOSTILE

from harness import Bridge

CORPUS = [
    HOSTILE,
    "</script><script>window.pwned=1</script>",
    "<svg/onload=window.pwned=1><iframe srcdoc='<script>parent.pwned=1</script>'>",
    "javascript:window.pwned=1",
    "data:text/html,<script>window.pwned=1</script>",
    "`${window.pwned=1}` {count} {name} {value}",
    "' onfocus=window.pwned=1 autofocus tabindex=1 x='",
    "\u202egnp.exe\u200b\x1b[2J\x00 two\nlines",
    "&lt;img src=x onerror=window.pwned=1&gt;",
    "__proto__",
]
VIEWS = ("start", "chat", "activity", "approvals", "sessions", "connect", "bridge")
# What markup would bring in, and what the page itself never makes.
FOREIGN = "img, script, iframe, object, embed, [onerror], [onload], [onfocus], [srcdoc], [autofocus]"


def attacked(facts: dict[str, Any], text: str) -> dict[str, Any]:
    """The snapshot with `text` wherever something is not the bridge's own."""
    now = facts["now"]
    turn = {
        "request_id": text,
        "state": "running",
        "session": text,
        "profile": text,
        "model": text,
        "client": text,
        "api": text,
        "started": now - 3,
        "ended": None,
        "first_text_ms": 5,
        "duration_ms": None,
        "tokens": {"input": 1, "cached": 0, "output": 1, "reasoning": 0},
        "steps": [
            {"text": text, "status": "failed", "exit_code": 1},
            {"text": text, "status": text, "exit_code": None},
        ],
        "step_count": 5,
        "doing": "working",
        "detail": text,
        "error": None,
    }
    failed = turn | {
        "state": "failed",
        "ended": now,
        "error": {"code": text, "message": text},
    }
    approval = {
        "id": text,
        "kind": text,
        "request": text,
        "text": text,
        "files": [text],
        "hidden_files": 2,
        "is_whole": False,
        "facts": [text, f"in /{text}", f"Reason: {text}"],
        "session_scope": text,
        "request_id": text,
        "created": now - 5,
        "expires": now + 55,
    }
    client = {
        "name": text,
        "last_seen": now,
        "requests": 1,
        "session_source": text,
        "continued": False,
    }
    session = {
        "id": text,
        "profile": "chat",
        "model": text,
        "turns": 1,
        "last_used": now,
        "running": True,
        "waiting": 1,
    }
    bridge = {
        "version": text,
        "works_in": text,
        "sandbox": text,
        "approval_policy": text,
        "listening": [text],
        "default_model": text,
    }
    engine = {
        "ready": False,
        "reason": text,
        "message": text,
        "login_command": text,
        "version": text,
    }
    return facts | {
        "bridge": facts["bridge"] | bridge,
        "engine": facts["engine"] | engine,
        "account": {"kind": text, "plan": text, "limits": []},
        "activity": [turn, failed],
        "approvals": [approval],
        "approval_count": 1,
        "clients": [client],
        "sessions": {"total": 1, "recent": [session]},
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_hostile_snapshot_is_text(demo: Bridge, page: Page, language: str) -> None:
    page.languages({"en": "en-US,en", "zh": "zh-CN,zh"}[language])
    page.open_signed_in(demo, "bridge", state={"en": "Ready", "zh": "就绪"}[language])
    facts = demo.request("GET", "/api/dashboard").json
    for text in CORPUS:
        hostile = attacked(facts, text)
        for view in VIEWS:
            found, links = page.script(
                """
                const [facts, view, foreign] = arguments;
                location.hash = `#/${view}`;
                show(facts);
                openRoute();
                for (const row of document.querySelectorAll(".disclose[aria-expanded=false]")) row.click();
                return [
                  [...document.querySelectorAll("body *")].filter((node) => node.matches(foreign) && !node.nonce)
                    .map((node) => node.outerHTML.slice(0, 200)),
                  [...document.querySelectorAll("a")].map((link) => link.getAttribute("href")),
                ];
                """,
                hostile,
                view,
                FOREIGN,
            )
            assert found == [], (text, view)
            assert all(link.startswith("#") for link in links), (view, links)
            shown = page.script("return document.getElementById('app').textContent")
            assert "\u202e" not in shown
            assert "\x1b" not in shown
        assert page.script("return window.pwned") is None
    assert page.script("return {}.pwned") is None
