"""A proxy on loopback that cuts connections, as load balancers with a time limit do."""

from __future__ import annotations

import socket
import threading
from typing import Any


class CuttingProxy:
    """Passes bytes on to one server. The first `cuts` connections are closed on both sides: `after` so many seconds, or, if that
    is None, once the server has begun to answer, of which the client gets nothing."""

    def __init__(
        self, address: tuple[str, int], *, cuts: int, after: float | None
    ) -> None:
        self._address = address
        self._cuts = cuts
        self._after = after
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> CuttingProxy:  # noqa: PYI034 (Self needs Python 3.11)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._address)
            both = (client, server)
            is_cut = self.connections <= self._cuts
            if is_cut and self._after is not None:
                threading.Timer(self._after, close, both).start()
            if is_cut and self._after is None:
                self._start(pass_nothing, server, both)
            else:
                self._start(pass_on, server, client, both)
            self._start(pass_on, client, server, both)

    @staticmethod
    def _start(work: Any, *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()


def close(*sockets: socket.socket) -> None:
    for each in sockets:
        try:
            # Wakes whoever reads from it.
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        each.close()


def pass_on(
    source: socket.socket, target: socket.socket, both: tuple[socket.socket, ...]
) -> None:
    try:
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    except OSError:
        pass
    close(*both)


def pass_nothing(source: socket.socket, both: tuple[socket.socket, ...]) -> None:
    try:
        source.recv(1 << 16)
    except OSError:
        pass
    close(*both)
