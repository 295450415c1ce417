"""What Node's HTTP parser rejects, the bridge rejects: damaged requests are sent to both."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Bridge

NODE_SERVER = """
const server = require('http').createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => response.end('ok'));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""

SAMPLES = [
    "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: localhost\r\nA: b\r\nX-Y: z z\r\nConnection: close\r\n\r\n",
    "POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n",
    "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n",
]
TELLING = b"\r\n\t :;,/0aF%\x00\x7f\x80\xff"
CASES = 2000


def damaged(rng: random.Random) -> bytes:
    data = bytearray(rng.choice(SAMPLES).encode())
    for _ in range(rng.randint(1, 2)):
        index = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[index] = rng.choice(TELLING)
            case 1:
                data.insert(index, rng.choice(TELLING))
            case _:
                del data[index]
    return bytes(data)


def status(port: int, data: bytes) -> int:
    """The status of the first answer; 0 for none."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("node")
    if program is None:
        pytest.skip("no node here to compare with")
    process = subprocess.Popen([program, "-e", NODE_SERVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.terminate()
    process.wait()


def test_what_node_rejects_is_rejected(node: int, tmp_path: Path) -> None:
    with_bridge = Bridge(tmp_path, fake=True)
    with_bridge.start()
    port = int(with_bridge.base_url.rsplit(":", 1)[1].split("/")[0])
    rng = random.Random(1)
    try:
        for _ in range(CASES):
            data = damaged(rng)
            if status(node, data) == 400:
                ours = status(port, data)
                assert ours == 0 or ours >= 400, f"{data!r}: Node answers 400, the bridge {ours}"
    finally:
        with_bridge.stop()
