"""What a user of the original project had: its requests, its files, its default key."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness import Bridge, parse_chat_stream

StartBridge = Callable[..., Bridge]
Json = dict[str, Any]

# One red pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


# -- the key and the files


def test_the_default_key(start_bridge: StartBridge) -> None:
    bridge = start_bridge(fake=True, environment={"CODEX_BRIDGE_API_KEY": ""})
    assert bridge.request("GET", "/v1/models", key="123321").status == 200
    assert bridge.request("GET", "/v1/models", key="123").status == 401


def test_settings_from_files(far_root: Path) -> None:
    """`.env.local` wins over `.env`, and the environment over both. Once a person has said that they are theirs."""
    root = far_root / "bridge"
    bridge = Bridge(root, fake=True, environment={"CODEX_REASONING": "high"})
    # The current directory is the bridge's root, and what is trusted is noted outside of it.
    bridge.environment["HOME"] = str(bridge.home.rename(far_root / "home"))
    (root / ".env").write_text(
        "CODEX_REASONING=low\nCODEX_MODEL=gpt-5.5\nCODEX_SANDBOX_MODE=workspace-write\n"
    )
    (root / ".env.local").write_text(
        "CODEX_REASONING=medium\nCODEX_MODEL='gpt-5.6-luna'  # of this machine\n"
    )
    trust = [os.environ["BRIDGED_BIN"], "trust"]
    subprocess.run(
        trust, cwd=root, env=bridge.environ(), stdin=subprocess.DEVNULL, check=True, timeout=30
    )
    try:
        found = json.loads(bridge.start().chat("demo: params").text)
    finally:
        bridge.stop()
    assert found["turn"]["effort"] == "high"
    assert found["thread"]["model"] == "gpt-5.6-luna"
    assert found["thread"]["sandbox"] == "workspace-write"


def test_the_map_in_the_working_directory_goes_on(start_bridge: StartBridge) -> None:
    """There the original keeps it. It is copied to where the model cannot write, and left as it is."""
    first = start_bridge()
    assert first.chat("my bird is called Kiwi", session_id="bird").status == 200
    first.stop()
    threads = json.loads((first.state / ".codex_threads.json").read_text())["sessions"]
    text = json.dumps({"sessions": threads})
    (first.work / ".codex_threads.json").write_text(text)
    # The threads are in the demo's Codex home.
    home = {"CODEX_STATE_DIR": "", "CODEX_HOME": str(first.state / ".codex_demo")}
    second = start_bridge(again=first, environment=home)
    answer = second.chat("demo: history", session_id="bird")
    assert "user: my bird is called Kiwi" in answer.text.splitlines()
    assert "x-bridge-session-restarted" not in answer.headers
    assert (first.work / ".codex_threads.json").read_text() == text
    assert str(first.home) in second.log()


def test_the_session_map_goes_on(start_bridge: StartBridge) -> None:
    """The original's map knows nothing but thread ids, which are Codex's own."""
    first = start_bridge()
    assert first.chat("my bird is called Kiwi", session_id="bird").status == 200
    first.stop()
    path = first.state / ".codex_threads.json"
    threads = json.loads(path.read_text())["sessions"]
    path.write_text(json.dumps({"sessions": threads}))
    second = start_bridge(again=first)
    answer = second.chat("demo: history", session_id="bird")
    assert "user: my bird is called Kiwi" in answer.text.splitlines()
    assert "x-bridge-session-restarted" not in answer.headers
    assert json.loads(path.read_text())["sessions"] == threads


# -- sessions


@pytest.mark.parametrize(
    "names",
    [
        ["session_id", "conversation_id", "thread_id", "user"],
        ["x-session-id", "session-id", "x-conversation-id", "x-thread-id", "x-user-id"],
    ],
    ids=["body", "headers"],
)
def test_the_first_name_wins(fake: Bridge, names: list[str]) -> None:
    is_header = "-" in names[0]
    while names:
        ids = {name: f"by {name}" for name in names}
        # In the reverse order, which must not matter.
        ids = dict(reversed(ids.items()))
        answer = (
            fake.chat("hello", headers=ids) if is_header else fake.chat("hello", **ids)
        )
        assert answer.headers["x-bridge-session"] == f"by {names[0]}"
        names = names[1:]


def test_a_stream_continues_what_a_plain_request_began(demo: Bridge) -> None:
    demo.chat("my fish is called Bubble", conversation_id="fish")
    answer = demo.chat(
        "demo: history", stream=True, headers={"x-conversation-id": "fish"}
    )
    assert answer.headers["x-bridge-session"] == "fish"
    stream = parse_chat_stream(answer.body)
    assert "user: my fish is called Bubble" in stream.text.splitlines()
    assert stream.finish_reasons == ["stop"]


# -- images


@pytest.fixture(scope="module")
def picture_url() -> Iterator[str]:
    """A picture on a web server of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PNG)))
            self.end_headers()
            self.wfile.write(PNG)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/red.png"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pictures(demo: Bridge) -> Path:
    """The directory Codex works in, with pictures."""
    (demo.work / "my pictures").mkdir(exist_ok=True)
    for name in ("red.png", "100% red?#.png", "my pictures/red.png"):
        (demo.work / name).write_bytes(PNG)
    return demo.work


def show(bridge: Bridge, *parts: Any, **fields: Any) -> list[str]:
    """What the model saw of a message, one line per part, where images are `[input_image]`."""
    content = [*parts, {"type": "text", "text": "demo: history"}]
    body = {"messages": [{"role": "user", "content": content}], **fields}
    answer = bridge.request("POST", "/v1/chat/completions", body)
    lines = answer.text.splitlines()
    last = max(i for i, line in enumerate(lines) if line.startswith("user: "))
    return [line.removeprefix("user: ") for line in lines[last:]]


def text(value: str) -> Json:
    return {"type": "text", "text": value}


@pytest.mark.parametrize("session", [{}, {"session_id": "inline pictures"}])
@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": DATA_URL}},
        {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "high"}},
        {"type": "image_url", "image_url": DATA_URL},
        {"type": "input_image", "image_url": DATA_URL},
        {"type": "input_image", "image_url": {"url": DATA_URL}},
    ],
    ids=["object", "detail", "string", "input_image", "input_image-object"],
)
def test_an_image_in_the_request(demo: Bridge, part: Json, session: Json) -> None:
    seen = show(demo, text("before"), part, text("after"), **session)
    assert seen == ["before", "[input_image]", "after", "demo: history"]


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(PNG).decode().rstrip("="),
        base64.urlsafe_b64encode(PNG).decode(),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        base64.encodebytes(PNG).decode(),
        quote(base64.b64encode(PNG).decode(), safe=""),
    ],
    ids=["no padding", "URL-safe", "both", "lines", "escaped"],
)
def test_base64_as_clients_write_it(demo: Bridge, encoded: str) -> None:
    part = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64," + encoded},
    }
    assert show(demo, part) == ["[input_image]", "demo: history"]


def test_a_picture_that_codex_would_drop_is_refused(demo: Bridge) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xd9").decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"messages": [{"role": "user", "content": content}]}
    answer = demo.request("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert answer.error["code"] == "invalid_image"
    assert answer.error["param"] == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "name", ["red.png", "./red.png", "my pictures/red.png", "100% red?#.png"]
)
@pytest.mark.parametrize("place", ["", "{work}/", "/{work}/"])
def test_a_local_image(demo: Bridge, pictures: Path, name: str, place: str) -> None:
    """Not a URL: nothing in the name has a meaning. A relative one counts from the working directory."""
    path = place.format(work=pictures) + name
    seen = show(demo, text("look"), {"type": "local_image", "path": path})
    assert seen == ["look", "[input_image]", "demo: history"]


def test_a_local_image_by_url(demo: Bridge, pictures: Path) -> None:
    part = {
        "type": "image_url",
        "image_url": (pictures / "my pictures/red.png").as_uri(),
    }
    assert show(demo, part) == ["[input_image]", "demo: history"]


def test_images_of_several_kinds_keep_their_order(demo: Bridge, pictures: Path) -> None:
    seen = show(
        demo,
        {"type": "image_url", "image_url": DATA_URL},
        text("one"),
        {"type": "local_image", "path": "red.png"},
        {"type": "input_image", "image_url": DATA_URL},
        text("two"),
    )
    image = "[input_image]"
    assert seen == [image, "one", image, image, "two", "demo: history"]


def test_an_image_of_an_earlier_message(demo: Bridge) -> None:
    messages = [
        {
            "role": "user",
            "content": [
                text("what is it?"),
                {"type": "image_url", "image_url": DATA_URL},
            ],
        },
        {"role": "assistant", "content": "A pixel."},
        {"role": "user", "content": "demo: history"},
    ]
    answer = demo.request("POST", "/v1/chat/completions", {"messages": messages})
    lines = answer.text.splitlines()
    start = lines.index("user: what is it?")
    assert lines[start : start + 3] == [
        "user: what is it?",
        "[input_image]",
        "assistant: A pixel.",
    ]


def test_an_image_from_the_web(start_bridge: StartBridge, picture_url: str) -> None:
    bridge = start_bridge(environment={"CODEX_IMAGE_ALLOW_PRIVATE": "true"})
    for part in (
        {"type": "image_url", "image_url": {"url": picture_url}},
        {"type": "image_url", "image_url": picture_url},
        {"type": "input_image", "image_url": picture_url},
    ):
        assert show(bridge, part) == ["[input_image]", "demo: history"]


def test_an_image_that_cannot_be_had_is_named(
    demo: Bridge, pictures: Path, picture_url: str
) -> None:
    """And nothing is asked of the model."""
    (pictures / "no picture.png").write_text("words")
    for part, param in (
        ({"type": "local_image", "path": "missing.png"}, "path"),
        ({"type": "local_image", "path": "no picture.png"}, "path"),
        ({"type": "local_image", "path": "/etc/hostname"}, "path"),
        ({"type": "image_url", "image_url": picture_url}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "ftp://h/x.png"}}, "image_url.url"),
    ):
        messages = [{"role": "user", "content": [text("look"), part]}]
        answer = demo.request("POST", "/v1/chat/completions", {"messages": messages})
        assert answer.status == 400, part
        assert answer.error["param"] == f"messages[0].content[1].{param}"


# -- structured output


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"output_schema": SCHEMA},
        {"outputSchema": SCHEMA},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "strict": True, "schema": SCHEMA},
            }
        },
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
    ],
    ids=["output_schema", "outputSchema", "response_format", "without-a-name"],
)
def test_an_answer_after_a_schema(demo: Bridge, fields: Json, is_stream: bool) -> None:
    answer = demo.chat("a city, please", stream=is_stream, **fields)
    found = parse_chat_stream(answer.body).text if is_stream else answer.text
    assert json.loads(found) == {"city": "demo", "people": 1}


@pytest.mark.parametrize("name", ["output_schema", "outputSchema"])
@pytest.mark.parametrize("value", ["schema", 5, [SCHEMA], True])
def test_a_schema_that_is_none(fake: Bridge, name: str, value: Any) -> None:
    answer = fake.chat("hello", **{name: value})
    assert answer.status == 400
    assert answer.error["param"] == name


# -- model and effort


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"model": "gpt-5.5:high"}, "high"),
        ({"reasoning_effort": "high"}, "high"),
        ({"model_reasoning_effort": "high"}, "high"),
        ({"reasoning": {"effort": "high"}}, "high"),
        ({"model": "gpt-5.5:low", "reasoning_effort": "xhigh"}, "xhigh"),
        ({"model": "gpt-5.5:low", "model_reasoning_effort": "xhigh"}, "xhigh"),
        ({"model": "gpt-5.5:low", "reasoning": {"effort": "xhigh"}}, "xhigh"),
        ({"model": "gpt-5.5:low", "reasoning": {}}, "low"),
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("session", [{}, {"session_id": "efforts"}])
def test_every_way_to_name_an_effort(
    fake: Bridge, fields: Json, effort: str, session: Json
) -> None:
    sent = {"model": "gpt-5.5", **fields, **session}
    found = json.loads(fake.chat("demo: params", **sent).text)
    assert found["turn"]["effort"] == effort
    assert found["thread"]["model"] == "gpt-5.5"
