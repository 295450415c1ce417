"""What the tests of the Responses API share. No test cases here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness import Answer, Bridge, Json, API_KEY

MODEL = "gpt-5.5"


def post(bridge: Bridge, body: Json, key: str = API_KEY, **headers: str) -> Answer:
    return bridge.request(
        "POST", "/v1/responses", {"model": MODEL, **body}, key=key, headers=headers
    )


def text_of(response: Json) -> str:
    """All that its messages say."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


def events_of(body: bytes | str) -> list[Json]:
    """The events of a stream, whose names and numbers are checked."""
    text = body.decode() if isinstance(body, bytes) else body
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        name, data = lines
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert list(event)[:2] == ["type", "sequence_number"]
        found.append(event)
    return found


def numbers(events: Iterable[Json]) -> list[int]:
    return [event["sequence_number"] for event in events]


def types(events: Iterable[Json]) -> list[str]:
    return [event["type"] for event in events]
