"""Who is told of the questions of Codex outside of the bridge (CODEX_APPROVAL_HOOK)."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import Answer, Bridge, descendants, eventually

Json = dict[str, Any]

StartBridge = Callable[..., Bridge]
SECRET = "hook-secret-0123456789"
TEXT = "demo: approval tokens=2"
DECLINED = "decision:decline t0 t1 "


class Receiver:
    """A program that is told, on loopback. `answer` decides what it answers."""

    def __init__(self, answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def status(code: int, **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def receiving(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None] = status(200),
) -> Iterator[Receiver]:
    receiver = Receiver(answer)
    try:
        yield receiver
    finally:
        receiver.close()


def settings(hook: str, **more: str) -> dict[str, str]:
    return {"CODEX_APPROVAL_POLICY": "untrusted", "CODEX_APPROVAL_HOOK": hook, **more}


def pending(bridge: Bridge) -> list[Json]:
    found = bridge.request("GET", "/v1/approvals").json["data"]
    assert isinstance(found, list)
    return found


@contextmanager
def asking(bridge: Bridge, text: str = TEXT, **fields: Any) -> Iterator[tuple[Json, list[Answer]]]:
    """A turn whose question is open; declined at the end, if it still is."""
    answers: list[Answer] = []
    turn = threading.Thread(
        target=lambda: answers.append(bridge.chat(text, timeout=60, **fields))
    )
    turn.start()
    assert eventually(lambda: pending(bridge))
    [approval] = pending(bridge)
    yield approval, answers
    path = f"/v1/approvals/{approval['id']}"
    bridge.request("POST", path, {"decision": "decline"})
    turn.join()


def test_a_program_is_told_and_can_check_who_tells_it(start_bridge: StartBridge) -> None:
    """With the real Codex: the question of a command, its link, and the answer by what the notice says."""
    with receiving() as receiver:
        hook = f"{receiver.url}/hook?to=me"
        bridge = start_bridge(
            environment=settings(
                hook,
                CODEX_APPROVAL_HOOK_SECRET=SECRET,
                CODEX_PUBLIC_URL="https://bridge.example/",
            )
        )
        command = 'demo: run="touch approved"'
        with asking(bridge, command, session_id="s-1") as (approval, answers):
            assert eventually(lambda: receiver.requests)
            [(path, headers, body)] = receiver.requests
            assert path == "/hook?to=me"
            assert headers["content-type"] == "application/json"
            notice = json.loads(body)
            for name in ("id", "kind", "subject", "lines", "request_id", "created", "expires"):
                assert notice[name] == approval[name], name
            assert notice["text"] == "\n".join(approval["lines"])
            assert "touch approved" in notice["subject"]
            assert notice["session"] == "s-1"
            assert notice["truncated"] is False
            assert notice["url"] == f"https://bridge.example/#/approvals/{approval['id']}"
            # As the documents tell receivers to check it.
            stamp = headers["x-bridge-timestamp"]
            code = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
            assert headers["x-bridge-signature"] == f"v1={code.hexdigest()}"
            # There is no key in it, and nothing that answers.
            assert b"test-key" not in body
            done = bridge.request("POST", f"/v1/approvals/{notice['id']}", {"decision": "accept"})
            assert done.status == 200
        assert answers[0].status == 200
        assert len(receiver.requests) == 1
        assert SECRET not in bridge.log()


def test_ntfy_is_told_in_its_own_form(start_bridge: StartBridge) -> None:
    with receiving() as receiver:
        hook = f"ntfy+{receiver.url}/my-topic"
        bridge = start_bridge(
            fake=True, environment=settings(hook, CODEX_APPROVAL_HOOK_SECRET="tk_token")
        )
        with asking(bridge) as (approval, _):
            assert eventually(lambda: receiver.requests)
            [(path, headers, body)] = receiver.requests
            assert path == "/"
            assert headers["authorization"] == "Bearer tk_token"
            assert "x-bridge-signature" not in headers
            message = json.loads(body)
            link = f"{bridge.base_url}/#/approvals/{approval['id']}"
            assert message["topic"] == "my-topic"
            assert message["title"] == "Codex asks to run a command outside the sandbox"
            assert "touch approved" in message["message"]
            assert message["click"] == link
            assert message["actions"] == [{"action": "view", "label": "Open", "url": link}]


def test_nothing_of_it_is_in_the_process_list(start_bridge: StartBridge) -> None:
    release = threading.Event()

    def hold(handler: http.server.BaseHTTPRequestHandler) -> None:
        release.wait(60)
        status(200)(handler)

    with receiving(hold) as receiver:
        bridge = start_bridge(
            fake=True,
            environment=settings(
                f"{receiver.url}/token-in-path", CODEX_APPROVAL_HOOK_SECRET=SECRET
            ),
        )
        assert bridge.process is not None
        pid = bridge.process.pid
        with asking(bridge):
            assert eventually(lambda: receiver.requests)
            lines = [command_line(child) for child in descendants(pid)]
            [curl] = [line for line in lines if "--write-out" in line]
            # All of them: nothing of it is passed by an environment either.
            seen = "".join(lines) + curl
            for hidden in (receiver.url, "token-in-path", SECRET, "touch approved"):
                assert hidden not in seen
            release.set()


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def never(_: http.server.BaseHTTPRequestHandler) -> None:
    """Answers nothing for as long as the test takes."""
    threading.Event().wait(60)


def huge(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def nonsense(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff not HTTP\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [never, huge, nonsense, status(500), status(404), status(302, Location="/elsewhere")],
    ids=["slow", "huge", "nonsense", "500", "404", "redirect"],
)
def test_a_bad_receiver_changes_nothing_about_the_question(
    start_bridge: StartBridge, answer: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> None:
    with receiving(answer) as receiver:
        bridge = start_bridge(fake=True, environment=settings(f"{receiver.url}/hook"))
        with asking(bridge) as (approval, answers):
            assert eventually(lambda: receiver.requests)
            path = f"/v1/approvals/{approval['id']}"
            assert bridge.request("POST", path, {"decision": "accept"}).status == 200
        assert answers[0].text == "decision:accept t0 t1 "
        # A redirect is not followed.
        assert {path for path, _, _ in receiver.requests} == {"/hook"}
        assert bridge.chat("demo: tokens=1").text == "t0 "


def test_one_that_fails_for_the_moment_is_told_once_more(start_bridge: StartBridge) -> None:
    codes = iter([503, 200])

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        status(next(codes))(handler)

    with receiving(answer) as receiver:
        bridge = start_bridge(fake=True, environment=settings(receiver.url))
        with asking(bridge):
            assert eventually(lambda: len(receiver.requests) == 2)
            first, second = (json.loads(body)["id"] for _, _, body in receiver.requests)
            assert first == second
        assert "could not be told" not in bridge.log()


def test_failures_are_told_in_the_log_and_not_each(start_bridge: StartBridge) -> None:
    with socket.socket() as unused:
        # Bound and not listening: nothing can be connected to there.
        unused.bind(("127.0.0.1", 0))
        hook = f"http://127.0.0.1:{unused.getsockname()[1]}/secret-path"
        with receiving(status(403)) as receiver:
            for address in (hook, f"{receiver.url}/secret-path"):
                bridge = start_bridge(fake=True, environment=settings(address))
                with asking(bridge):
                    assert eventually(lambda: "could not be told" in bridge.log())
                assert bridge.chat("demo: tokens=1").text == "t0 "
                assert "secret-path" not in bridge.log()
            asked = 5
            for _ in range(asked):
                before = len(receiver.requests)
                with asking(bridge):
                    assert eventually(lambda: len(receiver.requests) > before)
            # A line a minute at most.
            assert bridge.log().count("could not be told") < asked


def test_the_address_that_people_are_told_is_answered(start_bridge: StartBridge) -> None:
    public = {"CODEX_PUBLIC_URL": "https://bridge.example:8443/below"}
    bridge = start_bridge(fake=True, environment=public)
    for host, code in (("bridge.example:8443", 200), ("bridge.example", 200), ("other.example", 403)):
        assert bridge.request("GET", "/health", headers={"Host": host}).status == code


@pytest.mark.parametrize("value", ["ftp://host/", "http://user:pw@host/", "ntfy+https://host/", "nothing"])
def test_an_address_that_is_none_stops_the_start(start_bridge: StartBridge, value: str) -> None:
    with pytest.raises(AssertionError, match="CODEX_APPROVAL_HOOK"):
        start_bridge(fake=True, environment={"CODEX_APPROVAL_HOOK": value})
