"""Starts `bridged` for a test, and reads its answers byte by byte where a client would hide them.

No test cases here; the fixtures built on this are in client_fixtures.py.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, OpenAI

REPO = Path(__file__).resolve().parents[2]
FAKE_CODEX = REPO / "Tests" / "Clients" / "fake_codex.py"
API_KEY = "test-key"
# Generous: the machine has few cores and may be busy. Nothing is asserted about it.
START_SECONDS = 60.0

Json = dict[str, Any]


def listening_url(line: str) -> str:
    """The base URL that a line of the start tells, in either format of the log; empty if it is another line."""
    # Text begins with the words; in JSON they begin the message.
    found = re.match(r'(?:\{.*"message":")?listening on (http://[^\s"]+)', line)
    return found.group(1).rstrip("/") if found else ""


class Bridge:
    """One running `bridged serve`, with directories of its own."""

    def __init__(
        self,
        root: Path,
        *,
        fake: bool = False,
        model: str = "",
        options: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        """`model` is the base URL of a model of the test's own, for the real Codex."""
        self.root = root
        self.fake = fake
        self.model = model
        self.codex_home = root / "codex-home"
        self.state = root / "state"
        self.work = root / "work"
        self.home = root / "home"
        own_settings = self.home / ".config" / "bridged"
        for directory in (self.codex_home, self.state, self.work, own_settings):
            directory.mkdir(parents=True, exist_ok=True)
        # Empty, so that the settings file of the machine is not read.
        (own_settings / "bridged.env").touch(0o600)
        self.set_fake_options(options)
        self.environment = environment or {}
        self.process: subprocess.Popen[str] | None = None
        self.base_url = ""
        self.output: list[str] = []

    def set_fake_options(self, options: str) -> None:
        """What the fake engine reads at its next start."""
        (self.codex_home / "fake_codex.options").write_text(options)

    def environ(self) -> dict[str, str]:
        """Of the caller's environment only what every program needs, so that a developer's own
        settings do not decide a test."""
        kept = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= {
            "HOME": str(self.home),
            "PORT": "0",
            "CODEX_BIN": os.environ["CODEX_BIN"],
            "CODEX_STATE_DIR": str(self.state),
            "CODEX_WORKDIR": str(self.work),
            "CODEX_BRIDGE_API_KEY": API_KEY,
        }
        if self.fake:
            env |= {"CODEX_BIN": str(FAKE_CODEX), "CODEX_HOME": str(self.codex_home)}
        if self.model:
            provider = f'name="test",base_url="{self.model}",wire_api="responses"'
            env |= {
                "CODEX_HOME": str(self.codex_home),
                "CODEX_CONFIG": f'model_provider="test";model_providers.test={{{provider}}}',
            }
        return env | self.environment

    def start(self, *, wait_ready: bool = True) -> Bridge:
        command = [os.environ["BRIDGED_BIN"], "serve"]
        if not self.fake and not self.model:
            command.append("--demo")
        errors = (self.root / "bridged.stderr").open("a")
        self.process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        errors.close()
        self.output = []
        listening = threading.Event()
        threading.Thread(
            target=self._read_output, args=(listening,), daemon=True
        ).start()
        if not listening.wait(START_SECONDS) or not self.base_url:
            self.stop()
            raise AssertionError(f"bridged did not say where it listens:\n{self.log()}")
        if wait_ready:
            self.wait_ready()
        return self

    def _read_output(self, listening: threading.Event) -> None:
        assert self.process is not None and self.process.stdout is not None
        self.base_url = ""
        for line in self.process.stdout:
            self.output.append(line)
            if not self.base_url:
                self.base_url = listening_url(line)
                if self.base_url:
                    listening.set()
        listening.set()

    def log(self) -> str:
        errors = (self.root / "bridged.stderr").read_text(errors="replace")
        return "".join(self.output) + errors[-8000:]

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        answer = None
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"bridged ended:\n{self.log()}"
            answer = self.request("GET", "/ready", key=None)
            if answer.status == 200:
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready: {answer}\n{self.log()}")

    def revive(self) -> None:
        """Starts it again if an earlier test has ended or hung it: that test has failed already, and
        the others shall not fail with it."""
        try:
            if self.request("GET", "/health", key=None, timeout=5).status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        self.stop(1)
        self.start()

    def stop(self, seconds: float = 20.0) -> int | None:
        """Asks it to end; ends it by force if it does not. Returns the exit status."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.terminate()
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
        return status

    def kill(self) -> None:
        """As a power cut would."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()

    def files(self, pattern: str) -> list[Path]:
        """Those of the bridge and of its Codex whose names match. Directories that vanish meanwhile count for nothing:
        Codex makes some for a moment."""
        return [
            Path(directory) / name
            for directory, _, names in os.walk(self.root)
            for name in fnmatch.filter(names, pattern)
        ]

    @property
    def descriptors(self) -> int:
        """How many are open, but for those of the database, which is opened beside the first turn."""
        open_files = []
        for name in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                open_files.append(os.readlink(name))
        return sum("/state.db" not in file for file in open_files)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        return self.base_url + "/v1"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.base_url.removeprefix("http://").rpartition(":")
        return host, int(port)

    # -- requests without a client library in between

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        key: str | None = API_KEY,
        timeout: float = 60.0,
    ) -> Answer:
        """One request on a connection of its own. A `body` that is no bytes is sent as JSON."""
        sent = dict(headers or {})
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            try:
                connection.request(method, path, data, sent)
            except (BrokenPipeError, ConnectionResetError):
                # A server may answer, and close, before it has read all of a body it refuses.
                pass
            response = connection.getresponse()
            return Answer(
                response.status, dict_of(response.getheaders()), response.read()
            )
        finally:
            connection.close()

    def chat(
        self,
        text: str,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = 60.0,
        **fields: Any,
    ) -> Answer:
        """A chat completion with one user message."""
        body = {"messages": [{"role": "user", "content": text}], **fields}
        return self.request(
            "POST", "/v1/chat/completions", body, headers=headers, timeout=timeout
        )

    def open_stream(self, text: str, **fields: Any) -> RawStream:
        """Starts a streaming chat completion whose bytes the test reads at its own pace."""
        body = {
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            **fields,
        }
        return RawStream(self.address, body)


def dict_of(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


@dataclass
class Answer:
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The error object, checked for its form (contract §2: always all four keys)."""
        content_type = self.headers.get("content-type", "")
        assert content_type.startswith("application/json"), (content_type, self.body)
        return checked_error(self.json)

    @property
    def text(self) -> str:
        """The answer's text, of a completed chat completion."""
        assert self.status == 200, self.body
        content = self.json["choices"][0]["message"]["content"]
        assert isinstance(content, str)
        return content


def checked_error(value: Any) -> Json:
    assert set(value) == {"error"}, value
    error = value["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    return dict(error)


def request_text(
    address: tuple[str, int], body: Json, key: str = API_KEY
) -> bytes:
    """A chat request as it goes over the wire."""
    data = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        f"Host: {address[0]}:{address[1]}\r\n"
        f"Authorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class RawStream:
    """A streaming request on a bare socket: sees chunk framing and what arrives together."""

    def __init__(
        self, address: tuple[str, int], body: Json, key: str = API_KEY
    ) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.sendall(request_text(address, body, key))
        self.received = b""

    def __enter__(self) -> RawStream:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def read_until(self, marker: bytes) -> bytes:
        """Reads on until `marker` has come; returns the last piece, as the socket gave it."""
        start = len(self.received)
        piece = b""
        while marker not in self.received[max(0, start - len(marker)) :]:
            piece = self.socket.recv(1 << 20)
            assert piece, f"the connection ended before {marker!r}: {self.received!r}"
            self.received += piece
        return piece

    def read_to_last_chunk(self) -> bytes:
        """Reads to the end of the response; returns the piece that held `[DONE]`."""
        piece = self.read_until(b"[DONE]")
        if not self.received.endswith(b"\r\n0\r\n\r\n"):
            self.read_until(b"\r\n0\r\n\r\n")
        return piece

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        head = self.received.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = [line.partition(":") for line in head.split("\r\n")[1:]]
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of the transfer coding."""
        assert self.headers["transfer-encoding"] == "chunked"
        rest = self.received.partition(b"\r\n\r\n")[2]
        chunks = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            assert rest[length : length + 2] == b"\r\n", "a chunk of the wrong length"
            chunks.append(rest[:length])
            rest = rest[length + 2 :]
        assert chunks.pop() == b"", "no last chunk"
        return chunks

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


@dataclass
class ChatStream:
    """A chat completion stream, its events checked for their form while they are read."""

    chunks: list[Json] = field(default_factory=list)
    error: Json | None = None
    comments: int = 0

    @property
    def content(self) -> list[str]:
        return self._deltas("content")

    @property
    def reasoning(self) -> list[str]:
        return self._deltas("reasoning_content")

    @property
    def text(self) -> str:
        return "".join(self.content)

    @property
    def finish_reasons(self) -> list[str]:
        reasons = [
            c["finish_reason"] for chunk in self.chunks for c in chunk["choices"]
        ]
        return [reason for reason in reasons if reason is not None]

    @property
    def calls(self) -> list[Json]:
        """The calls of functions, each whole as it came."""
        return [
            call
            for chunk in self.chunks
            for choice in chunk["choices"]
            for call in choice["delta"].get("tool_calls", [])
        ]

    @property
    def usages(self) -> list[Json]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    def _deltas(self, name: str) -> list[str]:
        deltas = [c["delta"] for chunk in self.chunks for c in chunk["choices"]]
        return [delta[name] for delta in deltas if delta.get(name)]


def events(body: bytes) -> Iterator[str]:
    """The data of each event; comments as `:`. Fails on whatever upsets a client (C23, C24)."""
    text = body.decode()
    assert "\r" not in text
    assert text.endswith("\n\n")
    for block in text[:-2].split("\n\n"):
        # Comments stand on lines of their own, right before the event that follows.
        while block.startswith(":"):
            comment, _, block = block.partition("\n")
            assert comment == ": keep-alive"
            yield ":"
        assert len(block.splitlines()) == 1, f"not one line: {block!r}"
        assert "\n" not in block, f"an event of several lines: {block!r}"
        assert block.startswith("data: "), f"neither data nor comment: {block!r}"
        yield block.removeprefix("data: ")


def parse_chat_stream(
    body: bytes, *, model: str | None = None, include_usage: bool = False
) -> ChatStream:
    """Reads a whole stream and checks it against C16 to C28 of clients.md."""
    stream = ChatStream()
    found = list(events(body))
    assert found[-1] == "[DONE]", "the stream does not end with [DONE]"
    assert found.count("[DONE]") == 1
    for data in found[:-1]:
        if data == ":":
            stream.comments += 1
            continue
        value = json.loads(data)
        assert stream.error is None, "something follows the error event"
        if "error" in value:
            stream.error = checked_error(value)
        else:
            check_chunk(value, model=model, include_usage=include_usage)
            stream.chunks.append(value)
    check_order(stream, include_usage=include_usage)
    return stream


def check_chunk(chunk: Json, *, model: str | None, include_usage: bool) -> None:
    """C17: the members every chunk must have."""
    assert chunk["object"] == "chat.completion.chunk"
    assert isinstance(chunk["id"], str)
    assert chunk["id"]
    assert isinstance(chunk["created"], int)
    assert isinstance(chunk["model"], str)
    assert model is None or chunk["model"] == model
    assert isinstance(chunk["choices"], list)
    assert len(chunk["choices"]) <= 1
    for choice in chunk["choices"]:
        assert choice["index"] == 0
        assert isinstance(choice["delta"], dict)
        assert choice["finish_reason"] in (None, "stop", "tool_calls", "function_call")
        # C26: never both in one delta.
        assert not {"reasoning_content", "content"} <= {
            name for name, value in choice["delta"].items() if value
        }
        if include_usage:
            assert chunk["usage"] is None
        else:
            assert chunk.get("usage") is None
    if not chunk["choices"]:
        assert include_usage, "a chunk without choices that nobody asked for"
        assert isinstance(chunk["usage"], dict)


def check_order(stream: ChatStream, *, include_usage: bool) -> None:
    chunks = stream.chunks
    if not chunks:
        assert stream.error is not None, "neither a chunk nor an error"
        return
    # C17: one id, one time of creation.
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len({chunk["created"] for chunk in chunks}) == 1
    # C16: the role once, first, with empty content.
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    with_choice = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert not [c for c in with_choice[1:] if "role" in c["delta"]]
    # C26: reasoning before content, which comes before calls.
    places = ("reasoning_content", "content", "tool_calls", "function_call")
    kinds = [
        places.index(name)
        for choice in with_choice[1:]
        for name, value in choice["delta"].items()
        if value
    ]
    assert kinds == sorted(kinds), [places[kind] for kind in kinds]
    check_calls(stream.calls)
    # C21, C22: one finish, after everything else; none beside an error.
    finishes = [choice for choice in with_choice if choice["finish_reason"]]
    if stream.error is not None:
        assert not finishes
        assert not stream.usages
        return
    assert len(finishes) == 1
    assert with_choice[-1] is finishes[0]
    assert finishes[0]["delta"] == {}
    assert (finishes[0]["finish_reason"] == "tool_calls") == bool(stream.calls)
    # C18: usage once, in the last chunk, if and only if it was asked for.
    assert len(stream.usages) == int(include_usage)
    assert not include_usage or chunks[-1]["choices"] == []


def check_calls(calls: list[Json]) -> None:
    """C27: each call comes once and whole, numbered without gaps, and under an id of its own."""
    assert [call["index"] for call in calls] == list(range(len(calls)))
    assert len({call["id"] for call in calls}) == len(calls)
    for call in calls:
        assert set(call) == {"index", "id", "type", "function"}
        check_call(call)


def check_call(call: Json) -> None:
    """What every client needs of a call, in a stream or not."""
    assert isinstance(call["id"], str)
    assert call["id"]
    assert call["type"] == "function"
    assert set(call["function"]) == {"name", "arguments"}
    assert isinstance(call["function"]["name"], str)
    assert call["function"]["name"]
    # A string that holds JSON, not an object.
    assert isinstance(call["function"]["arguments"], str)


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, from /proc."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def children(pid: int) -> list[int]:
    """The processes that `pid` has started, from /proc."""
    while True:
        try:
            lists = [
                task.read_text()
                for task in Path(f"/proc/{pid}/task").glob("*/children")
            ]
        except (FileNotFoundError, ProcessLookupError):
            # A thread has ended meanwhile, and what it had started has moved to another one.
            continue
        return [int(word) for text in lists for word in text.split()]


def eventually(condition: Any, seconds: float = 20.0) -> bool:
    """Whether `condition()` becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def tokens(count: int, name: str = "") -> list[str]:
    """The deltas that `demo: tokens=COUNT id=NAME` produces."""
    prefix = f"{name}-" if name else "t"
    return [f"{prefix}{index} " for index in range(count)]


def client_of(bridge: Bridge, **options: object) -> OpenAI:
    return OpenAI(api_key=API_KEY, base_url=bridge.url, **options)  # type: ignore[arg-type]


def async_client_of(bridge: Bridge) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=API_KEY, base_url=bridge.url)
