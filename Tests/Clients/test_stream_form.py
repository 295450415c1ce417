"""The exact form of a stream (clients.md C16 to C28), read from the socket."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from harness import (
    API_KEY,
    Bridge,
    ChatStream,
    RawStream,
    client_of,
    parse_chat_stream,
    tokens,
)

StartBridge = Callable[..., Bridge]


def whole(stream: RawStream) -> RawStream:
    stream.read_to_last_chunk()
    stream.close()
    return stream


def test_head_and_chunks(bridge: Bridge) -> None:
    stream = whole(
        bridge.open_stream("demo: tokens=5 reasoning=2", model="gpt-5.5:low")
    )
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-cache"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-request-id"]
    assert "server" not in stream.headers
    # C24: whole events only.
    for chunk in stream.chunks:
        assert chunk.endswith(b"\n\n")
        chunk.decode()
    read = parse_chat_stream(stream.body, model="gpt-5.5:low")
    assert read.content == tokens(5)
    assert "".join(read.reasoning)
    assert read.finish_reasons == ["stop"]


def test_usage_chunk(bridge: Bridge) -> None:
    stream = whole(
        bridge.open_stream(
            "demo: tokens=3 usage=9,4,5,2", stream_options={"include_usage": True}
        )
    )
    read = parse_chat_stream(stream.body, include_usage=True)
    assert read.content == tokens(3)
    [usage] = read.usages
    assert usage["prompt_tokens"] == 9
    assert usage["completion_tokens"] == 5
    assert usage["total_tokens"] == 14
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2


def test_usage_is_that_of_the_turn_not_of_the_thread(bridge: Bridge) -> None:
    for _ in range(3):
        answer = bridge.chat("demo: tokens=1 usage=10,0,3,0", session_id="usage")
        assert answer.json["usage"]["prompt_tokens"] == 10
        assert answer.json["usage"]["total_tokens"] == 13


def test_usage_of_a_turn_after_a_restart(
    start_bridge: Callable[..., Bridge], engine_is_fake: bool
) -> None:
    first = start_bridge(fake=engine_is_fake)
    first.chat("demo: tokens=1 usage=10,0,3,0", session_id="s")
    first.stop()
    second = start_bridge(fake=engine_is_fake, again=first)
    answer = second.chat("demo: tokens=1 usage=20,0,4,0", session_id="s")
    assert answer.json["usage"]["total_tokens"] == 24


def test_done_and_the_end_leave_together(bridge: Bridge) -> None:
    """C25: or the client's closing after [DONE] looks like a cancelled turn."""
    with bridge.open_stream("demo: tokens=3") as stream:
        piece = stream.read_to_last_chunk()
    assert piece.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_the_head_leaves_before_the_first_token(bridge: Bridge) -> None:
    """At the model's first sign, or after three seconds and a half without one."""
    with bridge.open_stream("demo: tokens=1 first=6000") as stream:
        stream.read_until(b"\r\n\r\n")
        assert b'"content":"t0' not in stream.received
        stream.read_to_last_chunk()
        read = parse_chat_stream(stream.body)
    assert read.content == ["t0 "]


def test_text_beyond_ascii(bridge: Bridge) -> None:
    text = 'héllo wörld 日本語 🎉👩‍👩‍👧 "quoted" \\back\\ <tag> \x7f end'
    stream = whole(bridge.open_stream("demo: say=" + text))
    assert parse_chat_stream(stream.body).text == text
    assert bridge.chat("demo: say=" + text).text == text


def test_a_stream_without_text(fake: Bridge) -> None:
    stream = whole(fake.open_stream("demo: tokens=0"))
    read = parse_chat_stream(stream.body)
    assert read.content == []
    assert read.finish_reasons == ["stop"]
    assert fake.chat("demo: tokens=0").text == ""


def test_a_message_without_deltas(fake: Bridge) -> None:
    stream = whole(fake.open_stream("demo: no-deltas tokens=3"))
    assert parse_chat_stream(stream.body).text == "t0 t1 t2 "
    assert fake.chat("demo: no-deltas tokens=3").text == "t0 t1 t2 "


def test_commentary_stays_out_of_the_content(fake: Bridge) -> None:
    stream = whole(fake.open_stream("demo: two-messages tokens=3"))
    assert parse_chat_stream(stream.body).text == "t0 t1 t2 "
    assert fake.chat("demo: two-messages tokens=3").text == "t0 t1 t2 "


def test_a_large_delta(fake: Bridge) -> None:
    size = 3_000_000
    stream = whole(fake.open_stream(f"demo: big={size}"))
    assert parse_chat_stream(stream.body).text == "x" * size
    assert fake.chat(f"demo: big={size}").text == "x" * size


def test_ten_thousand_tokens(fake: Bridge) -> None:
    stream = whole(fake.open_stream("demo: tokens=10000"))
    assert parse_chat_stream(stream.body).content == tokens(10000)


def test_keep_alive_in_silence(demo: Bridge, fake: Bridge) -> None:
    """C23: after 15 s a comment, which every client skips. The silence may begin with the head, which waits for the
    model for up to three seconds and a half."""
    # Both at once, since both are waited for.
    streams = [
        bridge.open_stream("demo: tokens=2 first=20000") for bridge in (demo, fake)
    ]
    for stream in streams:
        read = parse_chat_stream(whole(stream).body)
        assert read.comments == 1
        assert read.content == tokens(2)


def test_comments_disturb_no_reader(start_bridge: StartBridge) -> None:
    """A comment ends with one line feed: with a blank line behind it, some clients take it for an event without data."""
    bridge = start_bridge(fake=True, environment={"BRIDGED_TEST_PACES": "keep-alive=200ms"})
    text = "demo: tokens=3 first=1500 delay=700"
    stream = whole(bridge.open_stream(text))
    read = parse_chat_stream(stream.body)
    assert read.comments >= 2
    assert read.content == tokens(3)
    assert b": keep-alive\n\n" not in stream.body
    # A reader that cuts at blank lines and then at line feeds, as the standard's own grammar does.
    data = [
        line.removeprefix("data: ")
        for block in stream.body.decode().split("\n\n")
        for line in block.split("\n")
        if line.startswith("data: ")
    ]
    assert data[-1] == "[DONE]"
    assert "".join(pieces(data[:-1])) == "".join(tokens(3))
    answer = client_of(bridge).chat.completions.create(
        model="gpt-5.5", messages=[{"role": "user", "content": text}], stream=True
    )
    found = [chunk.choices[0].delta.content or "" for chunk in answer]
    assert "".join(found) == "".join(tokens(3))


LINE_BREAKS = "a\u2028b\u2029c\u0085d\u000be\u000cf"


@pytest.mark.parametrize("stops", [False, True])
def test_no_line_break_of_unicode_cuts_an_event(fake: Bridge, stops: bool) -> None:
    """httpx splits lines as `str.splitlines` does, and so do those who read with it."""
    body = {
        "model": "gpt-5.5",
        "stream": True,
        "messages": [{"role": "user", "content": f"demo: say={LINE_BREAKS}"}],
    }
    if stops:
        body["stop"] = "never"
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx.stream(
        "POST", fake.url + "/chat/completions", json=body, headers=headers
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    data = [line.removeprefix("data: ") for line in lines]
    assert data[-1] == "[DONE]"
    assert "".join(pieces(data[:-1])) == LINE_BREAKS


def pieces(data: list[str]) -> list[str]:
    deltas = [choice["delta"] for text in data for choice in json.loads(text)["choices"]]
    return [delta.get("content") or "" for delta in deltas]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_retry_before_any_text_is_only_waited_for(
    fake: Bridge, streaming: bool
) -> None:
    text = "demo: retry-before-text tokens=3"
    if streaming:
        read = parse_chat_stream(whole(fake.open_stream(text)).body)
        assert read.content == tokens(3)
    else:
        assert fake.chat(text).text == "t0 t1 t2 "


def test_a_retry_after_text_does_not_double_it(fake: Bridge) -> None:
    """Streamed text cannot be taken back, so the stream ends with an error; a whole answer can."""
    read: ChatStream = parse_chat_stream(
        whole(fake.open_stream("demo: retry-after-text tokens=10")).body
    )
    if read.error is None:
        assert read.content == tokens(10)
    else:
        assert read.content == tokens(5)
    assert fake.chat("demo: retry-after-text tokens=10").text == "".join(tokens(10))


def test_what_the_engine_makes_up_does_not_hang(fake: Bridge) -> None:
    assert fake.chat("demo: unknown-request tokens=2", timeout=20).text == "t0 t1 "
    assert fake.chat("demo: unknown-notification tokens=2").text == "t0 t1 "
    assert fake.chat("demo: garbage tokens=4").text == "".join(tokens(4))


def test_http_1_0_gets_a_plain_body(bridge: Bridge) -> None:
    import json
    import socket

    from harness import API_KEY

    body = json.dumps(
        {"messages": [{"role": "user", "content": "demo: tokens=2"}], "stream": True}
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.0\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(bridge.address, timeout=30) as connection:
        connection.sendall(head.encode() + body)
        while piece := connection.recv(65536):
            received += piece
    start, _, rest = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in start.lower()
    assert parse_chat_stream(rest).content == tokens(2)
