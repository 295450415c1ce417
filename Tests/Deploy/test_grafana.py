"""deploy/grafana.json, against what GET /metrics really has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import REPO, Bridge, eventually

Json = dict[str, Any]

FILE = REPO / "deploy" / "grafana.json"
NAME = re.compile(r"\b(?:codexbridge|process)_\w+")
SELECTOR = re.compile(r"((?:codexbridge|process)_\w+)\{([^}]*)\}")


def dashboard() -> Json:
    found = json.loads(FILE.read_text())
    assert isinstance(found, dict)
    return found


def panels() -> list[Json]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The metrics of a bridge that has had a turn, so that every family has samples."""
    bridge = Bridge(tmp_path_factory.mktemp("metrics"), fake=True).start()
    try:
        # A turn that runs has a process of Codex whose memory can be told.
        assert bridge.chat("demo: tokens=1 usage=4,1,2,1").status == 200

        def metrics() -> str:
            return bridge.request("GET", "/metrics").body.decode()

        assert eventually(lambda: "codexbridge_engine_resident_memory_bytes" in metrics())
        yield metrics()
    finally:
        bridge.stop()


def samples(exposition: str) -> dict[str, set[str]]:
    """The names of all series, histograms' parts included, each with the labels that it has had."""
    found: dict[str, set[str]] = {}
    for line in exposition.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for suffix in suffixes:
                found.setdefault(name + suffix, set())
        elif not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            found[name] |= set(re.findall(r'[{,](\w+)="', line))
    return found


def test_every_metric_is_one_that_there_is(exposition: str) -> None:
    known = samples(exposition)
    used = {name for text in expressions() for name in NAME.findall(text)}
    assert len(used) > 15
    assert used - set(known) == set()


def test_every_label_is_one_that_the_metric_has(exposition: str) -> None:
    known = samples(exposition)
    for text in expressions():
        for name, matchers in SELECTOR.findall(text):
            labels = set(re.findall(r"(\w+)=", matchers)) - {"instance"}
            grouped = re.findall(r"by \(([\w, ]+)\)", text)
            labels |= {label.strip() for group in grouped for label in group.split(",")}
            # A family that nothing has happened to has no labels yet.
            if known[name]:
                assert labels <= known[name], text


def test_the_data_source_is_chosen_by_whoever_imports_it() -> None:
    variables = {entry["name"]: entry for entry in dashboard()["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for panel in panels():
        for source in [panel, *panel["targets"]]:
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert 'instance=~"$instance"' in target["expr"]


def test_the_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    found = dashboard()["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_reads_the_expressions(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    rules = [
        {"record": f"test:{index}", "expr": text.replace("$__rate_interval", "5m")}
        for index, text in enumerate(expressions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_metrics(exposition: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
