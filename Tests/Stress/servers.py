"""Other HTTP servers to compare with: Node, and nginx in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wire import Address

# Answers what it has understood, so that the framing of the request can be seen.
NODE_SERVER = """
const server = require('http').createServer((request, response) => {
  let length = 0;
  request.on('data', data => { length += data.length; });
  request.on('end', () => {
    const answer = JSON.stringify({ length });
    response.writeHead(200, { 'Content-Length': answer.length });
    response.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""

# In the foreground, with everything it writes in a directory of its own. The user is only looked at if root starts it,
# and then the worker must be able to write there.
NGINX_CONFIG = """
daemon off;
worker_processes 1;
user root;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port};
    # Of what it has read, only the body goes on: how Node reads the rest is no matter here.
    location / {{
      rewrite ^ /? break;
      proxy_method POST;
      proxy_pass http://127.0.0.1:{behind};
    }}
  }}
}}
"""


def missing_programs() -> list[str]:
    return [name for name in ("node", "nginx") if find(name) is None]


def find(name: str) -> str | None:
    # Debian puts nginx where only root looks.
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def node() -> Iterator[Address]:
    process = subprocess.Popen(
        [find("node") or "node", "-e", NODE_SERVER], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield "127.0.0.1", int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(root: Path, behind: Address) -> Iterator[Address]:
    """Forwards bodies to `behind`. It is handed a socket that listens already, so that no port is guessed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        (root / "nginx.conf").write_text(
            NGINX_CONFIG.format(port=port, behind=behind[1])
        )
        process = subprocess.Popen(
            [
                find("nginx") or "nginx",
                "-p",
                str(root),
                "-c",
                "nginx.conf",
                "-e",
                "error.log",
            ],
            env={"PATH": os.environ["PATH"], "NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield "127.0.0.1", port
        finally:
            process.terminate()
            process.wait()
