"""The model list, as clients read it."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

from harness import Bridge


def test_the_list(client: OpenAI) -> None:
    models = list(client.models.list())
    assert models
    for model in models:
        assert model.object == "model"
        assert isinstance(model.created, int)
        assert isinstance(model.owned_by, str)
    ids = [model.id for model in models]
    assert len(ids) == len(set(ids))


def test_efforts_are_not_listed(client: OpenAI, model: str) -> None:
    """A picker shows a line per model. (With CODEX_LIST_EFFORTS: SwitchConformanceTests.)"""
    ids = [entry.id for entry in client.models.list()]
    assert model in ids
    assert not [i for i in ids if ":" in i]


def test_hidden_models_are_not_listed(fake: Bridge) -> None:
    ids = [m["id"] for m in fake.request("GET", "/v1/models").json["data"]]
    assert "gpt-6.1-sol" in ids
    assert "gpt-5.5" in ids
    assert not [i for i in ids if i.startswith("codex-auto-review")]


@pytest.mark.parametrize("suffix", ["", ":high"])
def test_retrieve(client: OpenAI, model: str, suffix: str) -> None:
    """openai-python percent-encodes the colon (C32)."""
    found = client.models.retrieve(model + suffix)
    assert found.id == model + suffix
    assert found.object == "model"


def test_retrieve_with_either_spelling(demo: Bridge, model: str) -> None:
    for spelling in (f"{model}:high", f"{model}%3Ahigh", f"{model}%3ahigh"):
        answer = demo.request("GET", f"/v1/models/{spelling}")
        assert answer.status == 200, spelling
        assert answer.json["id"] == f"{model}:high"


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-no-such")
    assert caught.value.code == "model_not_found"


def test_a_model_with_an_effort_answers_under_its_name(
    client: OpenAI, model: str
) -> None:
    answer = client.chat.completions.create(
        model=f"{model}:high", messages=[{"role": "user", "content": "demo: tokens=1"}]
    )
    assert answer.model == f"{model}:high"
    assert answer.choices[0].message.content == "t0 "


def test_optional_members_are_never_null(demo: Bridge) -> None:
    """A `name` that is null breaks Cherry Studio's whole list (C32)."""
    listing = demo.request("GET", "/v1/models").json
    assert listing["object"] == "list"
    for entry in listing["data"]:
        assert entry.get("name", "") is not None


def test_the_list_needs_a_key_and_answers_head(demo: Bridge) -> None:
    assert demo.request("GET", "/v1/models", key=None).status == 401
    answer = demo.request("HEAD", "/v1/models")
    assert answer.status == 200
    assert answer.body == b""
