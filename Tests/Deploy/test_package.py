"""What the package is made of: deploy/package.sh, manual pages, completions, licence, changelog. The package itself is
installed by Tests/Shipping."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from harness import REPO

DEPLOY = REPO / "deploy"
PAGES = ["bridged.1", "bridged-chat.1", "bridged.env.5"]
VERSION = re.compile(r'text = "([0-9.]+)"')


def bridged(*arguments: str) -> str:
    return subprocess.check_output([os.environ["BRIDGED_BIN"], *arguments], text=True)


def version() -> str:
    found = VERSION.search((REPO / "Sources/Bridge/Base/BridgeVersion.swift").read_text())
    assert found
    return found[1]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=50, check=False,
    )  # fmt: skip


# ---- manual pages


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if (DEPLOY / "man" / request.param).exists():
        return DEPLOY / "man" / request.param
    # Of this one the program itself is the source; the package puts in the date.
    generated = tmp_path / request.param
    generated.write_text(bridged("config", "--man-page").replace('""', '"2026-11-30"', 1))
    return generated


def test_manual_pages_have_no_faults(page: Path) -> None:
    done = run(tool("mandoc"), "-T", "lint", "-W", "warning", page)
    # Whether this machine's list of pages is up to date says nothing of ours.
    faults = [line for line in done.stdout.splitlines() if "mandoc.db" not in line]
    assert faults == []


def test_manual_pages_are_rendered_by_groff(page: Path) -> None:
    done = run(tool("man"), "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
    assert done.returncode == 0
    assert "warning" not in done.stdout, done.stdout


def test_the_manual_pages_name_every_command_and_flag() -> None:
    pages = [(DEPLOY / "man" / name).read_text().replace("\\-", "-") for name in ("bridged.1", "bridged-chat.1")]
    commands = re.findall(r"^  ([a-z]+)(?: \(default\))?  +[A-Z]", bridged("--help"), flags=re.MULTILINE)
    assert {"serve", "chat", "config", "doctor"} <= set(commands)
    for command in commands:
        assert re.search(rf"^\.(It )?Cm (\w+ \| )?{command}\b", pages[0], re.MULTILINE), command
        # The first column of the options: `-n, --lines <count>`, `--env-example/--markdown`.
        columns = re.findall(r"^  (-\S.*?)(?:  |$)", bridged(command, "--help"), flags=re.MULTILINE)
        flags = set(re.findall(r"--[a-z][a-z-]+", " ".join(columns)))
        # mdoc writes one of the two dashes itself.
        missing = {flag for flag in flags if flag.removeprefix("-") not in " ".join(pages).split()}
        assert missing == set(), command


# ---- the script


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ach", "arm64"], "did you mean --arch?"),
        (["--arch"], "--arch needs a value"),
        (["--arch", "riscv64"], "there is amd64 and arm64"),
        (["--binary", "/nonexistent"], "is not an executable"),
        (["here"], "unexpected argument here"),
    ],
)
def test_wrong_options_say_what_is_wrong(arguments: list[str], complaint: str) -> None:
    tool("dpkg")
    done = run(DEPLOY / "package.sh", *arguments)
    assert done.returncode == 1
    assert complaint in done.stdout


def test_another_architecture_needs_an_sdk() -> None:
    native = subprocess.check_output([tool("dpkg"), "--print-architecture"], text=True).strip()
    other = {"amd64": "arm64", "arm64": "amd64"}[native]
    done = run(DEPLOY / "package.sh", "--arch", other)
    assert done.returncode == 1
    assert f"--arch {other} on {native} needs --swift-sdk" in done.stdout
    done = run(DEPLOY / "package.sh", "--swift-sdk", "some")
    assert done.returncode == 1
    assert "--swift-sdk goes with another --arch" in done.stdout


def test_a_program_that_would_not_run_elsewhere_is_refused(tmp_path: Path) -> None:
    """A debug build has the libraries of Swift beside it, and any build but the script's a utf8proc of this release."""
    for name in ("dpkg-shlibdeps", "strip", "objdump"):
        tool(name)
    libraries = subprocess.check_output(["ldd", os.environ["BRIDGED_BIN"]], text=True)
    if "libutf8proc.so" not in libraries:
        pytest.skip("BRIDGED_BIN is linked as for a package")
    done = run(DEPLOY / "package.sh", "--output", tmp_path, "--binary", os.environ["BRIDGED_BIN"])
    assert done.returncode == 1
    assert re.search(r"the program needs lib\S+\.so\S*, which not every system has", done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_package_names_what_install_sh_names() -> None:
    """Account, comment and places are the same, so that data can go over from one to the other."""
    service = (DEPLOY / "service.sh").read_text()
    scripts = {name: (DEPLOY / "debian" / name).read_text() for name in ("preinst", "postinst", "postrm")}
    for name, script in {
        "SERVICE_USER": "postinst", "SERVICE_COMMENT": "postinst", "STATE_DIR": "postinst", "ETC_DIR": "postinst",
        "UNIT_DIR": "preinst",
    }.items():  # fmt: skip
        value = re.search(rf"^readonly {name}='?([^'\n]*)'?$", service, re.MULTILINE)
        assert value
        assert value[1] in scripts[script]
    comment = re.search(r"--comment '([^']*)'", scripts["postinst"])
    assert comment
    assert comment[1] in scripts["postrm"]


# ---- licence and changelog


def test_the_licence_is_mit() -> None:
    text = (REPO / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2026 The CodexBridge authors\n")


def test_the_changelog_has_this_version_first() -> None:
    text = (DEPLOY / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[([0-9.]+)\] - (\S+)$", text, flags=re.MULTILINE)
    assert releases[0][0] == version()
    for _, day in releases:
        date.fromisoformat(day)
    kinds = set(re.findall(r"^### (\w+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, "of Keep a Changelog"


def test_the_copyright_names_what_is_linked_in() -> None:
    text = (DEPLOY / "copyright").read_text()
    manifest = (REPO / "Package.swift").read_text()
    for name in re.findall(r"github\.com/apple/([a-z-]+)", manifest):
        assert name in text
    libraries = re.search(r"static_libraries=\(([^)]*)\)", (DEPLOY / "package.sh").read_text())
    assert libraries
    for name in libraries[1].split():
        assert re.search(rf"^Files: (lib)?{name}$", text, re.MULTILINE), name
