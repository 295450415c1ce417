"""Conversations: bound to a session id, or brought along whole."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI

from harness import Bridge, client_of, eventually, parse_chat_stream, tokens


def history_lines(answer: str) -> list[str]:
    """What `demo: history` answers: one line `role: text` per message; texts may have lines too."""
    return [line.rstrip() for line in answer.splitlines()]


def create(client: OpenAI, model: str, text: str, **extra: Any) -> str:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], extra_body=extra
    )
    return answer.choices[0].message.content or ""


def test_the_second_turn_remembers_the_first(client: OpenAI, model: str) -> None:
    create(client, model, "my cat is called Tiger", session_id="cat")
    lines = history_lines(create(client, model, "demo: history", session_id="cat"))
    assert "user: my cat is called Tiger" in lines
    assert lines.index("user: my cat is called Tiger") < lines.index(
        "user: demo: history"
    )
    assert any(line.startswith("assistant: ") for line in lines)


def test_sessions_do_not_mix(client: OpenAI, model: str) -> None:
    create(client, model, "the secret of one", session_id="one")
    create(client, model, "the secret of two", session_id="two")
    lines = history_lines(create(client, model, "demo: history", session_id="two"))
    assert "user: the secret of two" in lines
    assert "user: the secret of one" not in lines


def test_only_the_new_message_is_sent_on(client: OpenAI, model: str) -> None:
    """Front ends send the whole history each time; the thread has it already."""
    messages: list[Any] = []
    texts = ["demo: say=first answer", "demo: say=second answer", "demo: history"]
    for text in texts:
        messages.append({"role": "user", "content": text})
        answer = client.chat.completions.create(
            model=model, messages=messages, extra_body={"session_id": "resend"}
        )
        content = answer.choices[0].message.content or ""
        messages.append({"role": "assistant", "content": content})
    lines = history_lines(content)
    assert lines.count("user: demo: say=first answer") == 1
    assert lines.count("user: demo: say=second answer") == 1
    assert lines.count("assistant: first answer") == 1


@pytest.mark.parametrize(
    "where",
    [
        {"body": "session_id"},
        {"body": "conversation_id"},
        {"body": "thread_id"},
        {"body": "user"},
        {"header": "x-session-id"},
        {"header": "session-id"},
        {"header": "x-conversation-id"},
        {"header": "x-thread-id"},
        {"header": "x-openwebui-chat-id"},
        {"header": "x-session-affinity"},
        {"header": "x-opencode-session"},
        {"header": "x-litellm-session-id"},
        {"header": "x-user-id"},
    ],
    ids=lambda where: "-".join(where.values()),
)
def test_every_way_to_name_a_session(fake: Bridge, where: dict[str, str]) -> None:
    name = f"by {'-'.join(where.values())}"
    fields = {where["body"]: name} if "body" in where else {}
    headers = {where["header"]: name} if "header" in where else {}
    first = fake.chat("remember me", headers=headers, **fields)
    assert first.headers["x-bridge-session"] == name
    assert first.headers["x-bridge-session-source"] in where.values()
    assert first.json["session_id"] == name
    second = fake.chat("demo: history", headers=headers, **fields)
    assert "user: remember me" in second.text


def test_the_body_wins_over_the_headers(fake: Bridge) -> None:
    answer = fake.chat(
        "hello", headers={"x-session-id": "header"}, session_id="the body"
    )
    assert answer.headers["x-bridge-session"] == "the body"


def test_user_can_be_a_person(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_USER_IS_SESSION": "false"})
    answer = bridge.chat("hello", user="a person")
    assert answer.status == 200
    assert "x-bridge-session" not in answer.headers


def test_a_session_can_be_required(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_REQUIRE_SESSION_ID": "true"})
    answer = bridge.chat("hello")
    assert answer.status == 400
    assert "missing_session_id" in (answer.error["type"], answer.error["code"])
    assert bridge.chat("hello", session_id="s").status == 200


@pytest.mark.parametrize("session_id", [5, "x" * 257, ["a"]])
def test_bad_session_ids(fake: Bridge, session_id: Any) -> None:
    answer = fake.chat("hello", session_id=session_id)
    assert answer.status == 400
    assert answer.error["param"] == "session_id"


def test_an_empty_session_id_is_none(fake: Bridge) -> None:
    """Front ends fill templates with nothing (clients.md D)."""
    answer = fake.chat("hello", headers={"x-session-id": ""}, session_id="", user="")
    assert answer.status == 200
    assert "x-bridge-session" not in answer.headers


def test_without_a_session_every_request_stands_alone(
    client: OpenAI, model: str
) -> None:
    create(client, model, "nobody shall remember this")
    lines = history_lines(create(client, model, "demo: history"))
    assert "user: nobody shall remember this" not in lines


def test_a_one_off_history_keeps_its_roles(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "system", "content": "You are a parrot."},
            {"role": "user", "content": "question one"},
            {"role": "assistant", "content": "answer one"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "two "},
                    {"type": "text", "text": "parts"},
                ],
            },
            {"role": "assistant", "content": "answer two"},
            {"role": "user", "content": "demo: history"},
        ],
    )
    lines = history_lines(answer.choices[0].message.content or "")
    wanted = [
        "user: question one",
        "assistant: answer one",
        "assistant: answer two",
        "user: demo: history",
    ]
    assert [line for line in lines if line in wanted] == wanted
    assert any("You are a parrot." in line for line in lines)
    assert lines.index("user: demo: history") == len(lines) - 1
    between = lines[lines.index(wanted[1]) + 1 : lines.index(wanted[2])]
    assert "".join(between).replace(" ", "") == "user:twoparts"


def test_a_developer_message_is_a_system_message(client: OpenAI, model: str) -> None:
    """OpenWebUI renames the role for Codex's models (C10)."""
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "developer", "content": "You are a parrot."},
            {"role": "user", "content": "demo: history"},
        ],
    )
    lines = history_lines(answer.choices[0].message.content or "")
    assert any("You are a parrot." in line for line in lines)


def test_tool_messages_of_a_one_off_history(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "user", "content": "what is the weather?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "user", "content": "demo: history"},
        ],
    )
    lines = history_lines(answer.choices[0].message.content or "")
    assert "user: what is the weather?" in lines
    assert lines[-1] == "user: demo: history"


def test_a_conversation_outlives_a_killed_bridge(
    start_bridge: Callable[..., Bridge], engine_is_fake: bool
) -> None:
    first = start_bridge(fake=engine_is_fake)
    model = first.request("GET", "/v1/models").json["data"][0]["id"]
    before = first.chat("my dog is called Rex", model=model, session_id="dog")
    assert before.status == 200
    first.kill()
    threads = json.loads((first.state / ".codex_threads.json").read_text())
    assert list(threads["sessions"]) == ["dog"]
    assert isinstance(threads["sessions"]["dog"], str)
    second = start_bridge(fake=engine_is_fake, again=first)
    answer = second.chat("demo: history", model=model, session_id="dog")
    assert "user: my dog is called Rex" in history_lines(answer.text)


def test_a_killed_turn_leaves_the_session_usable(
    start_bridge: Callable[..., Bridge], engine_is_fake: bool
) -> None:
    first = start_bridge(fake=engine_is_fake)
    model = first.request("GET", "/v1/models").json["data"][0]["id"]
    first.chat("the first turn", model=model, session_id="s")
    with first.open_stream(
        "demo: tokens=500 delay=50", model=model, session_id="s"
    ) as stream:
        stream.read_until(b"t1 ")
        first.kill()
    second = start_bridge(fake=engine_is_fake, again=first)
    answer = second.chat("demo: history", model=model, session_id="s")
    assert "user: the first turn" in history_lines(answer.text)


def test_a_thread_that_codex_has_lost_is_no_dead_end(
    start_bridge: Callable[..., Bridge],
) -> None:
    first = start_bridge(fake=True)
    assert first.chat("hello", session_id="s").status == 200
    first.stop()
    for file in (first.codex_home / "fake_threads").iterdir():
        file.unlink()
    second = start_bridge(fake=True, again=first)
    assert second.chat("demo: tokens=2", session_id="s").text == "t0 t1 "


def test_a_damaged_map_is_set_aside(start_bridge: Callable[..., Bridge]) -> None:
    first = start_bridge(fake=True)
    first.chat("hello", session_id="s")
    first.stop()
    path = first.state / ".codex_threads.json"
    path.write_text(path.read_text()[:-10])
    damaged = path.read_text()
    second = start_bridge(fake=True, again=first)
    assert second.chat("demo: tokens=1", session_id="s").text == "t0 "
    kept = [
        file
        for file in first.state.iterdir()
        if file.name.startswith(".codex_threads.json.") and file.read_text() == damaged
    ]
    assert kept, list(first.state.iterdir())


def test_list_inspect_and_forget(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True)
    name = "a/b c"
    bridge.chat("hello", session_id=name)
    path = "/v1/sessions/" + urllib.parse.quote(name, safe="")
    listing = bridge.request("GET", "/v1/sessions")
    assert listing.status == 200
    assert name in json.dumps(listing.json)
    one = bridge.request("GET", path)
    assert one.status == 200
    assert name in json.dumps(one.json)
    assert bridge.request("DELETE", path).status == 200
    assert bridge.request("GET", path).status == 404
    assert bridge.request("DELETE", path).status == 404
    assert "user: hello" not in bridge.chat("demo: history", session_id=name).text


def test_a_session_has_a_title_and_can_be_renamed(
    start_bridge: Callable[..., Bridge],
) -> None:
    bridge = start_bridge(fake=True)
    bridge.chat("What is\n my name?", session_id="named")

    def title() -> str:
        return bridge.request("GET", "/v1/sessions/named").json["title"]

    assert title() == "What is my name?"
    renamed = bridge.request(
        "PATCH", "/v1/sessions/named", {"title": "Names"}
    )
    assert renamed.status == 200
    assert renamed.json["title"] == "Names"
    found = bridge.request("GET", "/v1/sessions?search=NAMES").json["data"]
    assert [entry["id"] for entry in found] == ["named"]
    bridge.kill()
    bridge = start_bridge(fake=True, again=bridge)
    assert title() == "Names"


def test_what_was_said_is_told_after_a_kill(
    start_bridge: Callable[..., Bridge],
) -> None:
    bridge = start_bridge()
    for text in ["demo: say=one", "demo: say=two"]:
        assert bridge.chat(text, session_id="told").status == 200

    def said() -> list[tuple[str, str]]:
        answer = bridge.request("GET", "/v1/sessions/told/messages")
        assert answer.status == 200, answer.json
        return [(item["role"], item["content"]) for item in answer.json["data"]]

    expected = [
        ("user", "demo: say=one"),
        ("assistant", "one"),
        ("user", "demo: say=two"),
        ("assistant", "two"),
    ]
    assert said() == expected
    bridge.kill()
    bridge = start_bridge(again=bridge)
    assert said() == expected
    first = bridge.request("GET", "/v1/sessions/told/messages?limit=3").json
    assert first["has_more"]
    rest = bridge.request(
        "GET", f"/v1/sessions/told/messages?after={first['data'][-1]['id']}"
    ).json
    assert [item["content"] for item in rest["data"]] == ["two"]


def test_a_running_turn_is_told_more(fake: Bridge) -> None:
    with fake.open_stream(
        "demo: tokens=500 delay=20 id=a", session_id="steered"
    ) as stream:
        stream.read_until(b"a-2 ")
        second = fake.chat(
            "demo: say=both",
            headers={"x-bridge-steer": "true"},
            session_id="steered",
        )
        stream.read_to_last_chunk()
        first = parse_chat_stream(stream.body)
    assert first.text.startswith("a-0 a-1 a-2 ")
    assert "a-499" not in first.text
    assert first.finish_reasons == ["stop"]
    assert second.headers["x-bridge-steered"] == "true"
    assert second.text.endswith("both")
    assert second.headers["x-bridge-session-state"] == "continued"
    alone = fake.chat("demo: say=alone", session_id="steered")
    assert alone.text == "alone"
    assert "x-bridge-steered" not in alone.headers


def test_turns_of_one_session_queue_in_order(fake: Bridge) -> None:
    with fake.open_stream(
        "demo: tokens=20 delay=20 id=a", session_id="queue"
    ) as stream:
        stream.read_until(b"a-0 ")
        second = fake.chat("demo: history", session_id="queue")
        stream.read_to_last_chunk()
    assert "".join(tokens(20, "a")).rstrip() in second.text


def test_a_full_session_queue_refuses(start_bridge: Callable[..., Bridge]) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_SESSION_QUEUE": "1"})
    results: list[int] = []

    def waiting() -> None:
        answer = bridge.chat("demo: tokens=1", session_id="busy")
        results.append(answer.status)

    with bridge.open_stream("demo: tokens=100 delay=20", session_id="busy") as stream:
        stream.read_until(b"t0 ")
        thread = threading.Thread(target=waiting)
        thread.start()
        time.sleep(0.3)
        refused = bridge.chat("demo: tokens=1", session_id="busy")
        assert refused.status == 429
        assert refused.error["code"] == "rate_limit_exceeded"
        assert float(refused.headers["retry-after"]) >= 0
        assert refused.headers.get("x-should-retry") != "false"
        # Another session has a queue of its own.
        assert bridge.chat("demo: tokens=1", session_id="free").status == 200
        stream.read_to_last_chunk()
    thread.join()
    assert results == [200]


def test_a_client_that_leaves_leaves_the_queue(
    start_bridge: Callable[..., Bridge],
) -> None:
    bridge = start_bridge(fake=True)
    with bridge.open_stream(
        "demo: tokens=60 delay=20 id=first", session_id="q"
    ) as first:
        first.read_until(b"first-0 ")
        with bridge.open_stream("demo: tokens=5 id=left", session_id="q"):
            time.sleep(0.2)
        first.read_to_last_chunk()
    history = bridge.chat("demo: history", session_id="q").text
    assert "first-59" in history
    assert "left" not in history


def test_openai_streams_are_not_counted_as_left(demo: Bridge, model: str) -> None:
    """openai-python closes the connection as soon as it has read [DONE] (C25)."""
    with client_of(demo) as client:
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "demo: tokens=3 id=kept"}],
            stream=True,
            extra_body={"session_id": "done"},
        )
        for _ in stream:
            pass
        history = create(client, model, "demo: history", session_id="done")
    assert "assistant: kept-0 kept-1 kept-2" in history_lines(history)
    assert "turn_aborted" not in history


def test_the_map_is_on_disk_before_the_turn_ends(
    start_bridge: Callable[..., Bridge],
) -> None:
    bridge = start_bridge(fake=True)
    path = bridge.state / ".codex_threads.json"
    for number in range(5):
        bridge.chat("hello", session_id=f"s{number}")
        assert f"s{number}" in json.loads(path.read_text())["sessions"]


def test_a_read_only_state_directory_does_not_stop_the_service(
    start_bridge: Callable[..., Bridge],
) -> None:
    bridge = start_bridge(fake=True)
    path = bridge.state / ".codex_threads.json"
    bridge.chat("hello", session_id="before")
    # A directory in its place: nothing can be renamed onto it, even by root. The
    # turn's count may still be on its way to the disk, so the file may come back.
    def occupied() -> bool:
        path.unlink(missing_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            return False
        return True

    assert eventually(occupied, 5)
    (path / "occupied").touch()
    answer = bridge.chat("demo: tokens=2", session_id="after")
    assert answer.status in (200, 500, 503)
    assert bridge.request("GET", "/health", key=None).status == 200
    assert bridge.chat("demo: tokens=2").text == "t0 t1 "
    assert eventually(lambda: ".codex_threads.json" in bridge.log(), 5)
