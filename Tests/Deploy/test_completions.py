"""The completion scripts that `bridged --generate-completion-script` writes, in the shells they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BASH = """
set -u
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
COMP_TYPE=9; COMP_KEY=9
function=$(complete -p bridged | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p')
"$function" bridged "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

# A shell inside of zsh, whose Tab is pressed: completions are worked out by its line editor only.
ZSH = """
zmodload zsh/zpty
zpty child zsh -f -i
zpty -w child 'PS1=; fpath=('$1' $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=1000'
zpty -w child 'zstyle ":completion:*" list-packed no; bindkey "^I" list-choices; print READY'
zpty -r -m child output '*READY*READY*'
output='' line=$2
shift 2
zpty -n -w child "$line"$'\\t'
# Anything typed after it could keep the list from being shown.
while true; do
  for word in "$@"; do [[ $output == *$word* ]] || break; done && [[ $output == *$word* ]] && break
  zpty -r child piece && output+=$piece
done
print -r -- "$output"
zpty -d child
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a script for each shell."""
    root = tmp_path_factory.mktemp("completions")
    (root / "home").mkdir()
    for shell, name in (("bash", "bridged.bash"), ("zsh", "_bridged"), ("fish", "bridged.fish")):
        done = subprocess.run(
            [os.environ["BRIDGED_BIN"], "--generate-completion-script", shell],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        (root / name).write_text(done.stdout)
    (root / "bin").mkdir()
    (root / "bin" / "bridged").symlink_to(os.environ["BRIDGED_BIN"])
    return root


def completed(shell: str, scripts: Path, line: str, expected: set[str]) -> set[str]:
    """The words that a shell offers at the end of a line; zsh is read until the expected ones have come."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    commands = {
        "bash": ["-c", BASH, "bash", str(scripts / "bridged.bash"), *line.split(" ")],
        "zsh": ["-f", "-c", ZSH, "zsh", str(scripts), line, *expected],
        "fish": ["--no-config", "-c", f"source {scripts}/bridged.fish; complete -C '{line}'"],
    }
    done = subprocess.run(
        [program, *commands[shell]],
        env={"HOME": str(scripts / "home"), "PATH": f"{scripts}/bin:{os.environ['PATH']}", "TERM": "dumb"},
        cwd=scripts / "home", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.replace("\r", "\n").splitlines()]
    # zsh writes words without a description side by side; the others write one a line, with its description.
    return {word for words in lines for word in (words if shell == "zsh" else words[:1])}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bridged ", {"serve", "chat", "status", "models", "sessions", "logs", "config", "doctor", "trust", "version"}),
        ("bridged st", {"status"}),
        ("bridged sessions ", {"list", "show", "forget"}),
        ("bridged status --", {"--host", "--port", "--json", "--env-file", "--set"}),
        ("bridged serve --sandbox ", {"read-only", "workspace-write", "danger-full-access"}),
        ("bridged serve --s", {"--sandbox", "--set"}),
    ],
)
def test_commands_options_and_values_are_completed(shell: str, scripts: Path, line: str, offered: set[str]) -> None:
    found = completed(shell, scripts, line, offered)
    assert offered <= found, found


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_options_of_other_commands_are_not_offered(shell: str, scripts: Path) -> None:
    assert not {"--sandbox", "--model"} & completed(shell, scripts, "bridged status --", set())
    assert not {"--host", "--port"} & completed(shell, scripts, "bridged chat --", set())
