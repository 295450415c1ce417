"""The contract's error table and HTTP surface, without a client library."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from harness import API_KEY, Answer, Bridge

HELLO = [{"role": "user", "content": "demo: tokens=1"}]
CHAT = "/v1/chat/completions"


# -- who asks


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": API_KEY},
        {"Authorization": f"Basic {API_KEY}"},
        {"x-api-key": "wrong"},
        {"Authorization": f"Bearer {API_KEY}x"},
    ],
)
def test_no_or_a_wrong_key(fake: Bridge, headers: dict[str, str]) -> None:
    answer = fake.request("POST", CHAT, {"messages": HELLO}, headers=headers, key=None)
    assert answer.status == 401
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["code"] == "invalid_api_key"
    assert API_KEY not in answer.body.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"bearer {API_KEY}"},
        {"authorization": f"BEARER {API_KEY}"},
        {"api-key": API_KEY},
        {"X-Api-Key": API_KEY},
    ],
)
def test_every_way_to_send_the_key(fake: Bridge, headers: dict[str, str]) -> None:
    answer = fake.request("POST", CHAT, {"messages": HELLO}, headers=headers, key=None)
    assert answer.text == "t0 "


def test_several_keys(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_BRIDGE_API_KEY": "one, two"})
    for key, status in (("one", 200), ("two", 200), ("one, two", 401), ("", 401)):
        assert bridge.request("GET", "/v1/models", key=key).status == status, key


# -- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b'{"messages":',
        b'{"messages":[{"role":"user","content":"x"}]',
        b'{"messages":[{"role":"user","content":"x"}]} trailing',
        b"{'messages': []}",
        b'{"messages":[{"role":"user","content":"\xff\xfe"}]}',
        b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b"[" * 100_000,
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\x00\x01\x02",
    ],
    ids=range(15),
)
def test_malformed_json(fake: Bridge, body: bytes) -> None:
    answer = fake.request("POST", CHAT, body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert fake.request("POST", CHAT, {"messages": HELLO}).text == "t0 "


USER = {"role": "user", "content": "x"}
WRONG: list[tuple[str, Any]] = [
    ("model", 5),
    ("model", ["gpt-5.5"]),
    ("messages", None),
    ("messages", "hello"),
    ("messages", {}),
    ("messages", []),
    ("messages", [1]),
    ("messages", ["hello"]),
    ("messages", [{}]),
    ("messages", [{"role": "user"}]),
    ("messages", [{"role": "nobody", "content": "x"}]),
    ("messages", [{"role": 5, "content": "x"}]),
    ("messages", [{"role": "user", "content": 5}]),
    ("messages", [{"role": "user", "content": {}}]),
    ("messages", [{"role": "user", "content": [5]}]),
    ("messages", [{"role": "user", "content": [{"text": "x"}]}]),
    ("messages", [{"role": "user", "content": [{"type": "text"}]}]),
    ("messages", [{"role": "user", "content": [{"type": "text", "text": 5}]}]),
    ("messages", [{"role": "user", "content": [{"type": "hologram"}]}]),
    ("messages", [{"role": "user", "content": [{"type": "image_url"}]}]),
    ("messages", [USER, {"role": "user", "content": True}]),
    ("stream", "yes"),
    ("stream", 1),
    ("stream_options", 3),
    ("stream_options", {"include_usage": "yes"}),
    ("n", 2),
    ("n", 0),
    ("n", "one"),
    ("response_format", "json"),
    ("response_format", {}),
    ("response_format", {"type": "xml"}),
    ("response_format", {"type": "json_schema"}),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
    ("response_format", {"type": "json_schema", "json_schema": {"schema": 5}}),
    ("reasoning_effort", 5),
    ("reasoning_effort", ["low"]),
    ("stop", 5),
    ("stop", [5]),
    ("stop", {"a": 1}),
    ("tools", "all"),
    ("tools", 5),
    ("session_id", 5),
    ("logprobs", True),
    ("modalities", ["text", "audio"]),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda v: json.dumps(v)[:60])
def test_wrong_types(fake: Bridge, name: str, value: Any) -> None:
    body = {"messages": HELLO, "stream": False, name: value}
    if name == "stream_options":
        body["stream"] = True
    answer = fake.request("POST", CHAT, body)
    assert answer.status == 400, answer.body
    assert answer.error["type"] == "invalid_request_error"
    param = answer.error["param"]
    # A path such as `messages[0].content` names the field too.
    assert param is not None
    assert param.startswith(name), answer.error


def test_messages_missing(fake: Bridge) -> None:
    answer = fake.request("POST", CHAT, {"model": "gpt-5.5"})
    assert answer.status == 400
    assert answer.error["param"] == "messages"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"n": None},
        {"model": None},
        {"stop": None},
        {"stop": []},
        {"tools": []},
        {"tools": None},
        {"functions": []},
        {"stream_options": None},
        {"response_format": None},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": None},
        {"reasoning_effort": "low"},
        {"reasoning": {"effort": "high"}},
        {"model_reasoning_effort": "medium"},
        {"session_id": None},
        {"logprobs": False},
        {"logit_bias": {"50256": -100}},
        {"temperature": 0.1, "top_p": 1, "presence_penalty": 0, "seed": 1},
        {"max_tokens": 5, "max_completion_tokens": 5, "store": True, "metadata": {}},
        {"modalities": ["text"]},
        {"unheard_of": {"deep": [1, 2, {"x": None}]}},
    ],
    ids=lambda v: json.dumps(v)[:60],
)
def test_harmless_fields(fake: Bridge, fields: dict[str, Any]) -> None:
    answer = fake.request("POST", CHAT, {"messages": HELLO, **fields})
    assert answer.text == "t0 "


def test_strict_parameters(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_STRICT_PARAMS": "true"})
    answer = bridge.chat("hello", temperature=0.5)
    assert answer.status == 400
    assert answer.error["param"] == "temperature"
    assert bridge.chat("demo: tokens=1").text == "t0 "


@pytest.mark.parametrize(
    "content",
    [
        "demo: tokens=1",
        [{"type": "text", "text": "demo: tokens=1"}],
        [{"type": "input_text", "text": "demo: tokens=1"}],
        [{"type": "text", "text": "look"}, {"type": "text", "text": "demo: tokens=1"}],
    ],
)
def test_forms_of_content(fake: Bridge, content: Any) -> None:
    messages = [
        {"role": "assistant", "content": None},
        {"role": "assistant"},
        {"role": "user", "content": content},
    ]
    assert fake.request("POST", CHAT, {"messages": messages}).text == "t0 "
    assert (
        fake.request("POST", CHAT, {"messages": messages, "session_id": "forms"}).text
        == "t0 "
    )


@pytest.mark.parametrize("session", [{}, {"session_id": "surrogate"}])
def test_a_lone_surrogate_does_not_harm(fake: Bridge, session: dict[str, Any]) -> None:
    """Valid JSON escapes, but no text; the engine must never see it."""
    body = {"messages": [{"role": "user", "content": "MARK"}], **session}
    raw = json.dumps(body).replace("MARK", "a \\ud800 b\\ndemo: tokens=1").encode()
    answer = fake.request("POST", CHAT, raw, timeout=20)
    assert answer.status in (200, 400)
    assert fake.chat("demo: tokens=1", timeout=20, **session).text == "t0 "


def test_strange_but_valid_text(bridge: Bridge) -> None:
    text = "nul \0 bell \a sep \u2028 bom \ufeff\ndemo: tokens=1"
    assert bridge.chat(text).text == "t0 "
    assert bridge.chat(text, session_id="strange").text == "t0 "


def too_large(answer: Answer) -> bool:
    return (
        answer.status == 413
        and answer.error["code"] == "request_too_large"
        and "CODEX_JSON_LIMIT" in answer.error["message"]
    )


def test_a_body_above_the_limit(fake: Bridge) -> None:
    text = "x" * (11 * 1024 * 1024)
    assert too_large(fake.chat(text))


def test_ten_megabytes_of_garbage(fake: Bridge) -> None:
    answer = fake.request("POST", CHAT, bytes(range(256)) * 4 * 1024 * 10)
    assert answer.status in (400, 413)
    assert answer.error["type"]
    assert fake.chat("demo: tokens=1").text == "t0 "


def test_a_chunked_body_above_the_limit(fake: Bridge) -> None:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {API_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"x" * 65536
    chunk = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    with socket.create_connection(fake.address, timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(12 * 16):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_smaller_limit(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_JSON_LIMIT": "2kb"})
    assert too_large(bridge.chat("x" * 3000))
    assert bridge.chat("x" * 500 + "\ndemo: tokens=1").text == "t0 "


@pytest.mark.parametrize("session", [{}, {"session_id": "long"}])
def test_more_text_than_codex_takes_as_input(
    fake: Bridge, session: dict[str, Any]
) -> None:
    """turn/start refuses more than 1,048,576 characters; injected items have no such limit."""
    answer = fake.chat("x" * 1_500_000 + "\ndemo: tokens=1", **session)
    if answer.status == 200:
        assert answer.text == "t0 "
    else:
        assert answer.status in (400, 413)
        assert answer.error["message"]
    assert fake.chat("demo: tokens=1", **session).text == "t0 "


def test_headers_too_long(fake: Bridge) -> None:
    answer = fake.request("GET", "/v1/models", headers={"x-long": "x" * 200_000})
    assert answer.status == 431


def test_too_many_headers(fake: Bridge) -> None:
    headers = {f"x-header-{number}": "x" for number in range(2000)}
    assert fake.request("GET", "/v1/models", headers=headers).status == 431


# -- routes


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/models",
        "/v1/models/",
        "/v1//models",
        "//v1/models",
        "/v1/models?limit=5",
        "/models/?a=b&c",
    ],
)
def test_forgiving_paths(fake: Bridge, path: str) -> None:
    answer = fake.request("GET", path)
    assert answer.status == 200
    assert answer.json["object"] == "list"


@pytest.mark.parametrize(
    "path",
    [CHAT, "/chat/completions", "/v1/chat/completions/", "//chat//completions?x=1"],
)
def test_forgiving_post_paths(fake: Bridge, path: str) -> None:
    assert fake.request("POST", path, {"messages": HELLO}).text == "t0 "


def test_unknown_paths(fake: Bridge) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = fake.request(method, "/v1/nothing/here")
        assert answer.status == 404
        assert answer.error["type"] == "invalid_request_error"


def test_wrong_methods(fake: Bridge) -> None:
    answer = fake.request("GET", CHAT)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]
    assert answer.error["message"]
    answer = fake.request("POST", "/v1/models", {})
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


def test_health_and_ready_need_no_key(fake: Bridge) -> None:
    for path in ("/health", "/ready"):
        answer = fake.request("GET", path, key=None)
        assert answer.status == 200
        head = fake.request("HEAD", path, key=None)
        assert head.status == 200
        assert head.body == b""
        assert head.headers["content-length"] == str(len(answer.body))
    assert fake.request("GET", "/health", key=None).json == {"status": "ok"}


def test_metrics(fake: Bridge) -> None:
    answer = fake.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"# TYPE " in answer.body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1"])
def test_foreign_hosts_are_refused(fake: Bridge, host: str) -> None:
    """DNS rebinding: a browser page whose name suddenly points here."""
    answer = fake.request("GET", "/v1/models", headers={"Host": host})
    assert 400 <= answer.status < 500
    assert answer.error["message"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80"])
def test_loopback_hosts_are_welcome(fake: Bridge, host: str) -> None:
    answer = fake.request("GET", "/v1/models", headers={"Host": host})
    assert answer.status == 200


def test_every_response_has_a_request_id_and_no_banner(fake: Bridge) -> None:
    for method, path in (("GET", "/health"), ("GET", "/nowhere"), ("PUT", CHAT)):
        headers = fake.request(method, path).headers
        assert headers["x-request-id"]
        assert "server" not in headers
    sane = fake.request("GET", "/health", headers={"x-request-id": "abc-1.2_3"})
    assert sane.headers["x-request-id"] == "abc-1.2_3"
    for insane in ("x" * 5000, "a b", 'a"b', "h\xe9"):
        made = fake.request("GET", "/health", headers={"x-request-id": insane})
        assert made.headers["x-request-id"] != insane


# -- connections


def exchange(bridge: Bridge, data: bytes, *, end: bool = True) -> bytes:
    """Sends bytes as they are, and reads until the server closes."""
    received = b""
    with socket.create_connection(bridge.address, timeout=20) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    return received


def test_pipelined_requests_are_answered_in_order(fake: Bridge) -> None:
    requests = b"".join(
        f"GET /health HTTP/1.1\r\nHost: localhost\r\nx-request-id: r{n}\r\n\r\n".encode()
        for n in range(5)
    )
    last = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = exchange(fake, requests + last, end=False)
    assert received.count(b"HTTP/1.1 200 OK") == 6
    places = [received.index(f"r{n}\r\n".encode()) for n in range(5)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=range(11),
)
def test_bad_requests_are_refused(fake: Bridge, data: bytes) -> None:
    """RFC 9112; above all whatever could be read as two different requests."""
    received = exchange(fake, data)
    status = int(received.split(b" ", 2)[1]) if received else 400
    assert 400 <= status < 506
    assert fake.request("GET", "/health", key=None).status == 200
