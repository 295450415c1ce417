"""Asks for http://ADDRESS/health, one request after the other on new connections, until standard input is closed.

Prints a word for each: the status, `refused` if nobody listened, `cut` if the connection ended without an answer,
`silent` if there was none for minutes.
"""

from __future__ import annotations

import http.client
import select
import sys

# Longer than anything a service does while it starts again.
ANSWER_SECONDS = 150
PAUSE_SECONDS = 0.05


def ask(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Connection": "close"})
        return str(connection.getresponse().status)
    except ConnectionRefusedError:
        return "refused"
    except (ConnectionError, http.client.HTTPException):
        return "cut"
    except TimeoutError:
        return "silent"
    finally:
        connection.close()


def main() -> None:
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        print(ask(sys.argv[1]), flush=True)


if __name__ == "__main__":
    main()
