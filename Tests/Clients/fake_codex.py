#!/usr/bin/env python3
"""A stand-in for the `codex` executable: `codex app-server` as scripted by the test that uses it.

It speaks the part of the app-server protocol (JSON lines over stdio) that the bridge uses, in the forms
and with the error texts of codex-cli 0.163.0, and misbehaves on request. Standard library only, one
asyncio loop, no threads. The other files of its name: `fake_script` reads what a turn is told, `fake_turn`,
`fake_tools` and `fake_events` play it, `fake_server`, on top of `fake_wire`, `fake_account` and `fake_threads`, is the protocol.

Whole-process options: words in the environment variable FAKE_CODEX and in the file
`$CODEX_HOME/fake_codex.options` (both are read at each start, the file because the bridge spawns its
engine with a minimal environment; `#` starts a comment line):

  exit-at-start=CODE     exits at once with CODE
  slow-start=SECONDS     waits before it answers `initialize`
  mute                   never answers `initialize`
  old-version=X.Y.Z      claims to be that version, in --version and in the handshake
  not-logged-in          account/read says that a login is missing
  garbage                a line that is not JSON before each message it writes
  stop-reading[=N]       reads nothing any more after N messages (default: after `initialized`)
  ignore-interrupt       turn/interrupt is never answered and changes nothing
  die-after-turns=N      exits with status 1 after its Nth turn has ended
  silent-after=N         reads on and answers nothing after its first N answers
  refuse=METHOD[,…]      answers these methods with an error
  refuse-again=METHOD[,…]  the same from their second call on
  overload=METHOD[,…]    answers these methods that it has too much to do
  shuffle                answers each request up to 50 ms late, so that answers come in another order
  config-warning         warns of settings and servers in its configuration that it does without
  bubblewrap-hint        warns twice that there is no bubblewrap, as the real one does at its start
  broken-sandbox         command/exec fails as where no sandbox can be made
  ignore-eof             goes on living when its stdin is closed
  resets=SECONDS         rate limits (read and updated) say that the window resets in so many seconds

What a turn is to do is a line of its user text that begins with `demo:`; Tests/README.md describes the words, which
the stand-in model of `bridged --demo` shares as far as it can.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from fake_server import Server
from fake_thread import VERSION


def parse_words(words: list[str]) -> dict[str, str]:
    """`["a=1", "b"]` becomes `{"a": "1", "b": ""}`."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def process_options() -> dict[str, str]:
    """Options of the whole process, from the environment and from the file in CODEX_HOME."""
    words = os.environ.get("FAKE_CODEX", "").split()
    home = os.environ.get("CODEX_HOME")
    if home:
        try:
            lines = (Path(home) / "fake_codex.options").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            if not line.startswith("#"):
                words += line.split()
    return parse_words(words)


async def serve(options: dict[str, str]) -> int:
    server = Server(options)

    def end() -> None:
        # With status 0, as the real one; running turns end unreported.
        server.close_turns()
        os._exit(0)

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    return await server.run()


def main() -> int:
    options = process_options()
    if "--version" in sys.argv:
        print(f"codex-cli {options.get('old-version', VERSION)}")
        return 0
    if "app-server" not in sys.argv:
        print("fake_codex.py speaks only `app-server` and `--version`", file=sys.stderr)
        return 2
    if "exit-at-start" in options:
        print("Error: the fake was told to exit at its start", file=sys.stderr)
        return int(options["exit-at-start"] or 1)
    # For one that comes before `serve` has taken over.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    status = asyncio.run(serve(options))
    sys.stderr.flush()
    # Running turns are not waited for, nor reported.
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
