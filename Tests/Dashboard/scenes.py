"""What several tests set up: requests beside the test, an engine with a plan, hostile texts. No test cases here."""

from __future__ import annotations

import re
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from harness import FAKE_CODEX, Answer, Bridge, RawStream

HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


class Background:
    """A request that runs while the test goes on."""

    def __init__(self, send: Callable[[], Answer]) -> None:
        self.answer: Answer | None = None
        self.thread = threading.Thread(target=self._run, args=(send,))
        self.thread.start()

    def _run(self, send: Callable[[], Answer]) -> None:
        self.answer = send()

    def result(self) -> Answer:
        self.thread.join(60)
        assert self.answer is not None, "no answer within a minute"
        return self.answer


def request_id(stream: RawStream) -> str:
    stream.read_until(b"t1 ")
    found = re.search(rb"x-request-id: (\S+)", stream.received)
    assert found is not None
    return found[1].decode()


def fill(bridge: Bridge) -> None:
    """Something to look at."""
    names = [
        "research notes 2026",
        "0192f7c4-8d1b-7e55-9a53-5d0c9a2a7f10",
        "kitchen renovation",
        "a-very-long-conversation-id-" + "x" * 90,
    ]
    for index, name in enumerate(names):
        for _ in range(index + 1):
            bridge.chat(
                "demo: tokens=30 delay=0 usage=1200,300,450,60", session_id=name
            )
    bridge.chat("hi", model="gpt-unknown")
    bridge.chat("demo: fail=usageLimitExceeded message=You_have_reached_your_limit.")


CHATGPT = """#!{python}
import sys, time
sys.path.insert(0, {support!r})
import fake_codex

def limits(self):
    now = int(time.time())
    return {{"rateLimits": {{"limitId": "codex", "planType": "plus", "credits": None,
        "primary": {{"usedPercent": 82, "windowDurationMins": 300, "resetsAt": now + 5000}},
        "secondary": {{"usedPercent": 37, "windowDurationMins": 10080, "resetsAt": now + 300000}}}}}}

def account(self, params):
    return {{"account": {{"type": "chatgpt", "email": "someone@example.com", "planType": "plus"}},
        "requiresOpenaiAuth": True}}

kind = next(value for value in vars(fake_codex).values() if hasattr(value, "rate_limits"))
kind.rate_limits = limits
kind.account_read = account
kind.account_rate_limits_read = lambda self, params: self.rate_limits()
sys.argv[0] = "codex"
sys.exit(fake_codex.main())
"""


def plan_program(directory: Path) -> Path:
    """The fake engine as a program that is logged in with a ChatGPT plan."""
    program = directory / "codex"
    program.write_text(
        CHATGPT.format(python=sys.executable, support=str(FAKE_CODEX.parent))
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
