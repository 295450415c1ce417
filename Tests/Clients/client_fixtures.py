"""Fixtures: running bridges and clients that talk to them.

CODEX_BIN has to name the real Codex CLI; BRIDGED_BIN the binary under test (default: the debug
build). `demo` is bridged with the real Codex and its built-in stand-in model, `fake` is bridged
with Tests/Clients/fake_codex.py, `bridge` runs a test on both.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from harness import Bridge, client_of
from programs import require_programs
from recording_model import RecordingModel

StartBridge = Callable[..., Bridge]


def pytest_configure(config: pytest.Config) -> None:
    require_programs()


@pytest.fixture(scope="session")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    bridge = Bridge(tmp_path_factory.mktemp("demo")).start()
    yield bridge
    bridge.stop()


@pytest.fixture(scope="session")
def shared_fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    bridge = Bridge(tmp_path_factory.mktemp("fake"), fake=True).start()
    yield bridge
    bridge.stop()


@pytest.fixture
def demo(shared_demo: Bridge) -> Bridge:
    """The one bridge with the real Codex for all tests that do not mean to break it."""
    shared_demo.revive()
    return shared_demo


@pytest.fixture
def fake(shared_fake: Bridge) -> Bridge:
    """The one bridge with the fake engine for all tests that do not mean to break it."""
    shared_fake.revive()
    return shared_fake


@pytest.fixture(params=["demo", "fake"])
def bridge(request: pytest.FixtureRequest) -> Bridge:
    """Each engine in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Bridge)
    return found


@pytest.fixture
def start_bridge(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[StartBridge]:
    """Starts bridges of the test's own: `start_bridge(fake=True, options=…, environment={…})`.

    With `again=BRIDGE` the new one takes over that one's directories, as after a restart.
    """
    started: list[Bridge] = []

    def start(
        *,
        fake: bool = False,
        model: str = "",
        options: str = "",
        environment: dict[str, str] | None = None,
        again: Bridge | None = None,
        wait_ready: bool = True,
    ) -> Bridge:
        root = again.root if again else tmp_path / f"bridge-{len(started)}"
        bridge = Bridge(
            root, fake=fake, model=model, options=options, environment=environment
        )
        started.append(bridge)
        return bridge.start(wait_ready=wait_ready)

    yield start
    for bridge in started:
        bridge.stop()


@pytest.fixture
def recording_model() -> Iterator[RecordingModel]:
    with RecordingModel() as model:
        yield model


@pytest.fixture
def far_root() -> Iterator[Path]:
    """Outside of the directories for temporary files: there no note of trust counts, and workspace-write writes."""
    root = Path(tempfile.mkdtemp(prefix="bridge-", dir="/var/tmp"))
    yield root
    shutil.rmtree(root)


@pytest.fixture(params=["demo", "fake"])
def engine_is_fake(request: pytest.FixtureRequest) -> bool:
    """For tests that start their own bridge, once with each engine."""
    return bool(request.param == "fake")


@pytest.fixture(scope="session")
def model(shared_demo: Bridge) -> str:
    """A model that Codex offers."""
    data = shared_demo.request("GET", "/v1/models").json["data"]
    assert data
    return str(data[0]["id"])


@pytest.fixture
def client(demo: Bridge) -> Iterator[OpenAI]:
    """openai-python, with its defaults, on the real engine."""
    with client_of(demo) as client:
        yield client
