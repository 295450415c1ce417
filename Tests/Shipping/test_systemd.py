"""The service under a booted systemd, from both who install it: started, asked, killed, restarted, hung, removed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine
from roots import REPO, Root, base, copy
from test_packages import SETTINGS, newer

ADDRESS = "127.0.0.1:8080"
SYSTEM = ("systemd", "systemd-sysv", "dbus", "curl", "git", "libsqlite3-0", "libmd0", "libstdc++6", "libuv1")
# Where the Codex CLI of this machine is seen in the booted one.
CODEX = "/opt/codex"
# A demo, since nobody is logged in; and a watchdog that a test can wait for.
DROP_IN = """[Service]
ExecStart=
ExecStart={program} serve --demo
Environment=CODEX_BIN={codex}/bin/codex
WatchdogSec=4
TimeoutAbortSec=2
"""
RESTART_SECONDS = 90.0


@pytest.fixture
def codex() -> dict[Path, str]:
    """The directory with Codex and its helpers: CODEX_BIN is DIRECTORY/bin/codex."""
    program = Path(os.environ["CODEX_BIN"]).resolve()
    return {program.parents[1]: CODEX}


def systemd_root(suite: str, packages: tuple[str, ...], target: Path) -> Root:
    return copy(base(suite, f"{suite}-systemd", packages), target)


@pytest.fixture
def bookworm(tmp_path: Path) -> Iterator[Root]:
    root = systemd_root("bookworm", (*SYSTEM, "libutf8proc2"), tmp_path / "root")
    yield root
    root.remove()


@pytest.fixture
def trixie(tmp_path: Path) -> Iterator[Root]:
    root = systemd_root("trixie", SYSTEM[:-1], tmp_path / "root")
    yield root
    root.remove()


def key(machine: Machine) -> str:
    text = machine.root.file(SETTINGS).read_text()
    [found] = re.findall(r"^CODEX_BRIDGE_API_KEY=(.+)$", text, re.MULTILINE)
    return found


def ask(machine: Machine, text: str) -> str:
    body = json.dumps({"messages": [{"role": "user", "content": text}]})
    answer = machine.run(
        "curl", "-sS", "--max-time", "100", f"http://{ADDRESS}/v1/chat/completions",
        "-H", f"Authorization: Bearer {key(machine)}", "-H", "Content-Type: application/json", "-d", body,
    ).stdout  # fmt: skip
    try:
        return str(json.loads(answer)["choices"][0]["message"]["content"]).strip()
    except (ValueError, KeyError):
        raise AssertionError(f"{answer}\n{machine.journal('bridged')}") from None


def use_demo(machine: Machine, program: str) -> None:
    directory = machine.root.file("/etc/systemd/system/bridged.service.d")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "demo.conf").write_text(DROP_IN.format(program=program, codex=CODEX))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "bridged.service")


def process_of(machine: Machine) -> str:
    """The process id of the service, before something is done to it. How often it was started so far is forgotten:
    systemd gives up a unit that starts five times within ten seconds, as only a test does."""
    machine.run("systemctl", "reset-failed", "bridged.service")
    assert machine.show("bridged", "NRestarts") == "0"
    return machine.show("bridged", "MainPID")


def check_service(machine: Machine) -> None:
    """What a service has to stand: asked all the while, through its socket, which outlives it."""
    assert ask(machine, "demo: tokens=3") == "t0 t1 t2"
    process = process_of(machine)
    assert machine.run("stat", "--format=%U", f"/proc/{process}").stdout.strip() == "bridged"
    # The key is in this file, which the account's commands may not read.
    assert machine.run("runuser", "-u", "bridged", "--", "cat", SETTINGS, check=False).returncode != 0

    with machine.asked(ADDRESS) as killed:
        machine.shell(f"kill -KILL {process}")
        machine.wait_until("bridged", "NRestarts", "1", RESTART_SECONDS)
        machine.wait_until("bridged", "ActiveState", "active", RESTART_SECONDS)
    # The request that it was answering when it was killed, if there was one, is lost.
    assert killed["200"] > 0
    assert killed["cut"] <= 1, killed
    assert set(killed) <= {"200", "cut"}, killed

    with machine.asked(ADDRESS) as restarted:
        machine.run("systemctl", "restart", "bridged.service")
    assert set(restarted) == {"200"}, restarted

    process = process_of(machine)
    with machine.asked(ADDRESS) as hung:
        machine.shell(f"kill -STOP {process}")
        machine.wait_until("bridged", "NRestarts", "1", RESTART_SECONDS)
        machine.wait_until("bridged", "ActiveState", "active", RESTART_SECONDS)
    # What it had taken when it stopped is lost with it.
    assert hung["200"] > 0, f"{hung}\n{machine.journal('bridged')}"
    assert hung["cut"] <= 1, hung
    assert set(hung) <= {"200", "cut"}, hung
    assert "watchdog" in machine.journal("bridged").lower()

    assert ask(machine, "demo: tokens=2") == "t0 t1"


def test_the_service_of_install_sh(bookworm: Root, codex: dict[Path, str], tmp_path: Path) -> None:
    bookworm.add(REPO / "deploy", "/opt/src/deploy")
    bookworm.add(Path(os.environ["BRIDGED_BIN"]), "/opt/bridged")
    machine = Machine(bookworm, tmp_path / "boot.log", codex)
    try:
        install = f"CODEX_BIN={CODEX}/bin/codex /opt/src/deploy/install.sh"
        output = machine.shell(f"{install} --service --socket --yes --binary /opt/bridged")
        assert "Running: Serving http://127.0.0.1:8080" in output
        for unit in ("bridged.service", "bridged.socket"):
            assert machine.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"
            assert machine.show(unit, "ActiveState") == "active"
        use_demo(machine, "/usr/local/bin/bridged")
        check_service(machine)

        machine.shell(f"{install} --uninstall --purge --yes")
        assert machine.show("bridged.service", "LoadState") == "not-found" or not bookworm.file(
            "/etc/systemd/system/bridged.service"
        ).exists()
        assert machine.show("bridged.socket", "ActiveState") == "inactive"
        for name in ("/etc/bridged", "/var/lib/bridged", "/opt/codexbridge", "/usr/local/bin/bridged",
                     "/etc/systemd/system/bridged.socket"):  # fmt: skip
            assert not bookworm.file(name).exists(), name
        assert machine.run("getent", "passwd", "bridged", check=False).stdout == ""
    finally:
        machine.stop()


def test_the_service_of_the_package(
    trixie: Root, package: Path, codex: dict[Path, str], tmp_path: Path
) -> None:
    # While there is a network, which the booted system has not.
    trixie.install(trixie.add(package, f"/root/{package.name}"))
    trixie.run("dpkg", "--purge", "codexbridge")
    later = trixie.add(newer(package, tmp_path), "/root/newer.deb")
    machine = Machine(trixie, tmp_path / "boot.log", codex)
    try:
        machine.run("dpkg", "--install", f"/root/{package.name}")
        for unit in ("bridged.service", "bridged.socket"):
            assert machine.run("systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"
            assert machine.show(unit, "ActiveState") == "inactive"
        doctor = machine.run("bridged", "doctor", check=False).stdout
        assert "systemctl enable --now bridged" in doctor

        machine.run("systemctl", "enable", "--now", "bridged.socket", "bridged.service")
        assert "systemctl enable" not in machine.run("bridged", "doctor", check=False).stdout
        use_demo(machine, "/usr/bin/bridged")
        check_service(machine)

        # An upgrade restarts it, and no request is lost.
        process = process_of(machine)
        with machine.asked(ADDRESS) as upgraded:
            machine.run("dpkg", "--install", later)
        assert set(upgraded) == {"200"}, upgraded
        assert machine.show("bridged", "MainPID") not in {process, "0"}

        machine.run("dpkg", "--remove", "codexbridge")
        assert machine.show("bridged.socket", "ActiveState") == "inactive"
        assert machine.shell("grep -lx bridged /proc/[0-9]*/comm || true") == ""
        assert not list(trixie.file("/etc/systemd/system").glob("*.wants/bridged*"))
        assert trixie.file(SETTINGS).exists()
        machine.run("dpkg", "--purge", "codexbridge")
        assert not trixie.file("/etc/bridged").exists()
    finally:
        machine.stop()
