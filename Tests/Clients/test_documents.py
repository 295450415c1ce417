"""Every block of code that README.md and the articles for users show: what can run here is run, against the real Codex
with its stand-in for the model, and the rest is on a list that says why not."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness import API_KEY, REPO, Bridge

README = REPO / "README.md"
ARTICLES = REPO / "Sources" / "Bridge" / "Bridge.docc" / "Users"

# Blocks in which a line begins so are not run.
NOT_RUN = {
    "docker compose": "Docker is not here; Tests/Deploy reads the files",
    "Tests/run.sh": "it is what runs this test",
    "codex login": "a person has to log in",
    "sudo ": "root, and an installed service",
    "pip install open-webui": "some gigabytes; Tests/OpenWebUI has it",
    "npm install": "from the network",
    "llm ": "the program is not here",
    "HOST=127.0.0.1,172.17.0.1": "Docker's address is not here",
    "curl http://127.0.0.1:8080/v1/approvals/ID": "ID stands for a question that somebody has asked",
    'import OpenAI from "openai"': "the package is not here; its syntax is checked",
    "def is_from_bridge": "a part of a program of the reader's; its syntax is checked",
    "tar -xzf": "there is no archive; Tests/Shipping makes and unpacks one",
}
# Blocks that say by their status what they have found.
MAY_FAIL = {"bridged doctor": "it fails where Codex's sandbox cannot start"}


@dataclass(frozen=True)
class Block:
    """A block of code, and the document that shows it."""

    document: str
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.document}: {self.text.splitlines()[0][:60]}"

    def begins(self, prefixes: dict[str, str]) -> list[str]:
        """Those of the prefixes with which a line begins."""
        lines = self.text.splitlines()
        return [prefix for prefix in prefixes if any(line.startswith(prefix) for line in lines)]


def documents() -> list[Path]:
    return [README, *sorted(ARTICLES.rglob("*.md"))]


def blocks() -> list[Block]:
    """All of them, in the order of the documents; what is shown twice is in the list once."""
    found: dict[tuple[str, str], Block] = {}
    for path in documents():
        for language, text in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", path.read_text()):
            found.setdefault((language, text), Block(path.name, language, text))
    return list(found.values())


def named(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def runnable(language: str) -> list[Block]:
    return [block for block in named(language) if not block.begins(NOT_RUN)]


@pytest.fixture
def place(demo: Bridge, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory as the reader of a document has one, and the environment of a shell in it, which finds `bridged`."""
    work = tmp_path / "project"
    work.mkdir()
    (work / "deploy").symlink_to(REPO / "deploy")
    (work / "Package.swift").write_text("// A file to explain.\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "init", "--quiet"], cwd=work, check=True)
    subprocess.run(["git", "add", "Package.swift"], cwd=work, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], cwd=work, check=True)
    (work / "Package.swift").write_text("// A file to review.\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    # Without a login, and where a port is looked at, with one that nobody has.
    script = f"""#!/bin/sh
case $1 in
  chat) shift; set -- chat --demo "$@" ;;
  doctor) shift; PORT=0; set -- doctor --demo "$@" ;;
esac
exec {shlex.quote(os.environ["BRIDGED_BIN"])} "$@"
"""
    (programs / "bridged").write_text(script)
    (programs / "bridged").chmod(0o755)
    state = tmp_path / "state"
    state.mkdir()
    environment = demo.environ() | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CODEX_STATE_DIR": str(state),
        "CODEX_WORKDIR": str(work),
        "PORT": str(demo.address[1]),
    }
    return work, environment


def here(block: Block, bridge: Bridge) -> str:
    """The text with the address and the key of the test's bridge."""
    text = block.text.replace("http://127.0.0.1:8080", bridge.base_url).replace("123321", API_KEY)
    # It would install and build; with this it only says what it would do, and still refuses what it does not know.
    return re.sub(r"(?m)^(deploy/install\.sh .*?)( --dry-run)?$", r"\1 --dry-run", text)


def run(
    command: list[str], text: str, place: tuple[Path, dict[str, str]]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, text], cwd=place[0], env=place[1], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("block", runnable("sh"), ids=lambda block: block.name)
def test_a_command(block: Block, demo: Bridge, place: tuple[Path, dict[str, str]]) -> None:
    work, environment = place
    if block.begins({"deploy/install.sh": ""}):
        # It installs a Codex of its own, and refuses to have a service use one inside of a home directory.
        environment.pop("CODEX_BIN")
    before = set(work.iterdir())
    done = run(["bash", "-euo", "pipefail", "-c"], here(block, demo), place)
    if not block.begins(MAY_FAIL):
        assert done.returncode == 0, done.stderr
    written = [path.read_text() for path in work.iterdir() if path not in before]
    assert done.stdout.strip() or any(text.strip() for text in written), done.stderr
    assert '{"error":' not in done.stdout


@pytest.mark.parametrize("block", runnable("python"), ids=lambda block: block.name)
def test_a_program(block: Block, demo: Bridge, place: tuple[Path, dict[str, str]]) -> None:
    done = run([sys.executable, "-c"], here(block, demo), place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("block", named("python"), ids=lambda block: block.name)
def test_the_syntax_of_python(block: Block) -> None:
    compile(block.text, block.document, "exec")


@pytest.mark.parametrize("block", named("js"), ids=lambda block: block.name)
def test_the_syntax_of_a_program(block: Block, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    path = tmp_path / "program.mjs"
    path.write_text(block.text)
    subprocess.run([node, "--check", str(path)], check=True, timeout=60)


@pytest.mark.parametrize("block", named("toml"), ids=lambda block: block.name)
def test_codex_as_a_client(block: Block, demo: Bridge, place: tuple[Path, dict[str, str]]) -> None:
    home = place[0].parent / "codex"
    home.mkdir()
    (home / "config.toml").write_text(here(block, demo))
    done = subprocess.run(
        [os.environ["CODEX_BIN"], "exec", "--skip-git-repo-check", "demo: say=Hello."],
        cwd=place[0], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "CODEXBRIDGE_KEY": API_KEY},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Hello." in done.stdout


@pytest.mark.parametrize("block", named("sh"), ids=lambda block: block.name)
def test_the_syntax_of_a_command(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text], check=True, timeout=60)
    for path in re.findall(r"(?:deploy|Tests)/[\w./-]+\w", block.text):
        assert (REPO / path).exists(), path


@pytest.mark.parametrize("block", named("json", "yaml"), ids=lambda block: block.name)
def test_the_syntax_of_data(block: Block) -> None:
    assert json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)


def mentions() -> list[list[str]]:
    """What follows `bridged` wherever a document says how to call it, in words."""
    text = "\n".join(path.read_text() for path in documents())
    inline = re.findall(r"`bridged ([^`]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))
    shown = re.findall(r"(?m)^(?:.*[|=] )?bridged ([^|<>\n]+)", "\n".join(block.text for block in named("sh")))
    return [found.split() for found in inline + shown]


def help_of(*command: str) -> str:
    return subprocess.run(
        [os.environ["BRIDGED_BIN"], *command, "--help"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip


def test_commands_and_flags_that_are_named_exist() -> None:
    commands = set(re.findall(r"(?m)^  ([a-z]+)(?: \(default\))?(?: .*)?$", help_of()))
    assert {"serve", "chat", "doctor"} <= commands
    assert ["doctor"] in mentions()
    for words in mentions():
        command = words[0] if words[0].isalpha() else "serve"
        assert command in commands, words
        below: list[str] = []
        if command == "sessions":
            # Without a word of its own it lists them.
            below = words[1:2] if len(words) > 1 and words[1].isalpha() else ["list"]
        # The last one is the argument parser's own and in no list.
        known = {*re.findall(r"--[a-z][a-z-]*", help_of(command, *below)), "--generate-completion-script"}
        named = {re.split(r"[=\]]", word)[0] for word in words if word.startswith("--")}
        assert named <= known, words


def test_every_block_is_looked_at() -> None:
    languages = {block.language for block in blocks()}
    assert languages <= {"sh", "python", "js", "json", "yaml", "toml", "text"}


def test_the_lists_name_nothing_that_is_gone() -> None:
    known = named("sh", "python", "js")
    for prefixes in (NOT_RUN, MAY_FAIL):
        for prefix in prefixes:
            assert any(block.begins({prefix: ""}) for block in known), prefix
