"""deploy/install.sh --service, staged below a directory: what it writes, keeps and removes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from harness import REPO

INSTALL = REPO / "deploy" / "install.sh"
LINK = "opt/codexbridge/bin/codex"
ENV_FILE = "etc/bridged/bridged.env"
UNIT = "etc/systemd/system/bridged.service"
SOCKET = "etc/systemd/system/bridged.socket"


class Stage:
    """A root directory of the test's own, and programs to install in it."""

    def __init__(self, path: Path) -> None:
        self.root = path / "root"
        self.root.mkdir()
        # Scripts, so that there is nothing to strip: installed as they are.
        self.binary = self._program(path / "built")
        self.codex = self._program(path / "codex")

    @staticmethod
    def _program(path: Path) -> Path:
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    def try_run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        env |= {"DESTDIR": str(self.root), "CODEX_BIN": str(self.codex)} | environ
        return subprocess.run(
            [str(INSTALL), *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def run(self, *arguments: str, **environ: str) -> str:
        done = self.try_run(*arguments, **environ)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
        return done.stdout

    def install(self, *arguments: str) -> str:
        return self.run("--service", "--yes", "--binary", str(self.binary), *arguments)

    def files(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything that is there: mode, inode and contents (of links: where they point)."""
        found = {}
        for path in self.root.rglob("*"):
            if path.is_symlink():
                found[self.name(path)] = (0, 0, os.readlink(path).encode())
            elif path.is_file():
                status = path.stat()
                mode = stat.S_IMODE(status.st_mode)
                found[self.name(path)] = (mode, status.st_ino, path.read_bytes())
        return found

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.root))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_dry_run_prints_the_plan_and_changes_nothing(stage: Stage) -> None:
    plan = stage.run("--service", "--socket", "--dry-run", "--binary", str(stage.binary))
    for expected in (
        "install", "/usr/local/bin/bridged", "/" + LINK, "/" + ENV_FILE, "/" + UNIT, "/" + SOCKET,
    ):  # fmt: skip
        assert expected in plan
    assert stage.files() == {}


def test_it_asks_before_it_changes_anything(stage: Stage) -> None:
    done = stage.try_run("--service", "--binary", str(stage.binary))
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert stage.files() == {}


def test_what_is_installed(stage: Stage) -> None:
    stage.install()
    files = stage.files()
    assert set(files) == {"usr/local/bin/bridged", LINK, ENV_FILE, UNIT}
    assert files["usr/local/bin/bridged"][0] == 0o755
    assert files[ENV_FILE][0] == 0o640
    assert files[UNIT][0] == 0o644
    assert files[UNIT][2] == (REPO / "deploy" / "bridged.service").read_bytes()
    assert files[LINK][2].decode() == str(stage.codex)


def test_a_real_binary_is_stripped_and_runs(stage: Stage) -> None:
    built = Path(os.environ["BRIDGED_BIN"])
    stage.run("--service", "--yes", "--binary", str(built))
    installed = stage.root / "usr/local/bin/bridged"
    assert installed.stat().st_size <= built.stat().st_size
    version = [subprocess.check_output([path, "--version"]) for path in (built, installed)]
    assert version[0] == version[1]


def test_the_key_is_random_and_not_shown(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Stage(tmp_path / "other")
    keys = []
    for each in (stage, other):
        output = each.install()
        lines = (each.root / ENV_FILE).read_text().splitlines()
        [key] = [
            line.removeprefix("CODEX_BRIDGE_API_KEY=")
            for line in lines
            if line.startswith("CODEX_BRIDGE_API_KEY=")
        ]
        assert len(key) == 48
        assert key not in output
        assert f"{each.root}/{ENV_FILE}" in output
        keys.append(key)
    assert keys[0] != keys[1]
    # Everything else is the example.
    example = (REPO / "deploy" / "bridged.env.example").read_text().splitlines()
    assert len(lines) == len(example)
    assert sum(a != b for a, b in zip(lines, example, strict=True)) == 1


def test_a_second_run_changes_nothing(stage: Stage) -> None:
    stage.install("--socket")
    before = stage.files()
    output = stage.install("--socket")
    assert stage.files() == before
    assert "Wrote" not in output


def test_an_update_keeps_settings_and_socket(stage: Stage) -> None:
    stage.install("--socket")
    (stage.root / ENV_FILE).write_text("CODEX_BRIDGE_API_KEY=mine\n")
    (stage.root / SOCKET).write_text("old")
    stage.binary.write_text("#!/bin/sh\necho new\n")
    # Not asked for again; it is there, so it is kept up to date.
    stage.install()
    files = stage.files()
    assert files[ENV_FILE][2] == b"CODEX_BRIDGE_API_KEY=mine\n"
    assert files["usr/local/bin/bridged"][2] == stage.binary.read_bytes()
    assert files[SOCKET][2] == (REPO / "deploy" / "bridged.socket").read_bytes()


def test_a_prefix_goes_into_the_unit_and_is_found_again(stage: Stage) -> None:
    stage.install("--prefix", "/opt/my-tools/")
    unit = (stage.root / UNIT).read_text()
    assert "\nExecStart=/opt/my-tools/bin/bridged serve\n" in unit
    assert "opt/my-tools/bin/bridged" in stage.files()
    stage.run("--uninstall", "--yes")
    assert set(stage.files()) == {ENV_FILE}


@pytest.mark.parametrize("prefix", ["relative", "/a b", "/a;b", "/", "/home/me", "/root/x"])
def test_a_prefix_that_cannot_work_is_refused(stage: Stage, prefix: str) -> None:
    done = stage.try_run(
        "--service", "--yes", "--binary", str(stage.binary), "--prefix", prefix
    )
    assert done.returncode == 1
    assert "--prefix" in done.stderr
    assert stage.files() == {}


def test_uninstalling_keeps_settings_unless_told_to_purge(stage: Stage) -> None:
    stage.install("--socket")
    (stage.root / "var/lib/bridged/codex").mkdir(parents=True)
    login = stage.root / "var/lib/bridged/codex/auth.json"
    login.write_text("{}")
    bystander = stage.root / "usr/local/bin/other"
    bystander.write_text("")

    before = stage.files()
    plan = stage.run("--uninstall", "--purge", "--dry-run")
    assert "/var/lib/bridged" in plan
    assert stage.files() == before

    stage.run("--uninstall", "--yes")
    assert set(stage.files()) == {
        ENV_FILE, stage.name(login), stage.name(bystander),
    }  # fmt: skip
    # Twice is as good as once.
    stage.run("--uninstall", "--yes")
    stage.run("--uninstall", "--purge", "--yes")
    assert set(stage.files()) == {stage.name(bystander)}


def packaged(stage: Stage) -> None:
    unit = stage.root / "usr/lib/systemd/system/bridged.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("")


def test_a_service_of_the_package_is_not_overrun(stage: Stage) -> None:
    packaged(stage)
    before = stage.files()
    done = stage.try_run("--service", "--yes", "--binary", str(stage.binary))
    assert done.returncode == 1
    assert "apt-get remove codexbridge" in done.stderr
    assert stage.files() == before


def test_what_a_package_uses_is_not_purged(stage: Stage) -> None:
    stage.install()
    packaged(stage)
    output = stage.run("--uninstall", "--purge", "--yes")
    assert "apt-get purge codexbridge" in output
    assert set(stage.files()) == {ENV_FILE, "usr/lib/systemd/system/bridged.service"}


# -- installing for oneself


class Own:
    """A directory of the test's own for an install without --service: the programs in it write down what they
    are asked."""

    def __init__(self, path: Path) -> None:
        self.calls = path / "calls"
        self.bin = path / "bin"
        self.bin.mkdir()
        version = 'echo "Swift version 6.2"'
        self.program("swift", f'[ "$1" = build ] && echo "{self.bin}" || {version}')
        self.program("bridged", "")
        self.program("codex", "")

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(
            f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body or ":"}\n'
        )
        path.chmod(0o755)

    def run(
        self, *arguments: str, script: Path = INSTALL, home: str = "/nonexistent"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script), *arguments],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def called(self) -> list[str]:
        """What was asked of Codex and the bridge, and whether anything was built."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        calls = [line for line in lines if not line.startswith("swift --version")]
        return ["swift build" if line.startswith("swift") else line for line in calls]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def test_a_port_that_is_taken_is_told_before_the_build(own: Own) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for flags in (["--port", str(port)], [f"--port={port}"]):
            done = own.run("--dry-run", *flags)
            assert done.returncode == 0, done.stderr
            assert f"something listens on 127.0.0.1:{port} already" in done.stderr
    assert own.run("--dry-run", "--port", str(port)).stderr == ""
    assert own.run("--dry-run", "--no-start", "--port", "abc").returncode == 0
    refused = own.run("--yes", "--port", "abc")
    assert refused.returncode == 1
    assert "abc is no port" in refused.stderr
    assert own.called() == [], "nothing was built"


def test_codex_is_logged_in_before_the_build(own: Own) -> None:
    done = own.run("--yes", "--login")
    assert done.returncode == 0, done.stderr
    # Whoever has no browser is told what to run, with the path: it may be no program on PATH.
    assert f"{own.bin}/codex login --device-auth" in done.stdout
    calls = own.called()
    assert calls[0] == "codex login"
    assert calls[-1].split() == ["bridged", "serve"]
    assert "swift build" in calls


def test_nobody_is_logged_in_unasked(own: Own) -> None:
    assert own.run("--yes").returncode == 0
    assert not any(call.startswith("codex") for call in own.called())
    own.calls.unlink()
    plan = own.run("--login", "--dry-run")
    assert "codex login" in plan.stdout
    assert own.called() == []


def test_a_login_that_fails_ends_it(own: Own) -> None:
    own.program("codex", "exit 3")
    done = own.run("--yes", "--login")
    assert done.returncode == 1
    assert f"{own.bin}/codex login" in done.stderr
    assert own.called() == ["codex login"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--service", "--login"], "--login does not go with --service"),
        (["--purge"], "--purge goes with --uninstall"),
        (["--prefix", "/usr"], "go with --service"),
        (["--service", "--binary"], "--binary needs a value"),
        (["--service", "--binary", "/nonexistent"], "is not an executable"),
        (["--service", "--demo"], "/etc/bridged/bridged.env"),
        (["--uninstall", "--demo"], "--uninstall takes no flags of bridged"),
        (["--uninstall", "--login"], "does not go with --uninstall"),
        (["--dryrun"], "unknown option --dryrun; did you mean --dry-run?"),
        (["--service", "--dryrun"], "did you mean --dry-run?"),
        (["--uninstal"], "did you mean --uninstall?"),
        (["--prot", "9000"], "did you mean --port?"),
        (["--", "--demoo"], "did you mean --demo?"),
        (["--", "--dry-run"], "--dry-run takes no value, or is out of place"),
        (["--yes=1"], "--yes takes no value, or is out of place"),
        (["--nothing-like-it"], "unknown option --nothing-like-it (--help"),
        (["--port"], "--port needs a value"),
        (["--port", "--demo"], "--port needs a value"),
        (["9000"], "unexpected argument 9000"),
    ],
)
def test_wrong_options_say_what_is_wrong(
    stage: Stage, arguments: list[str], complaint: str
) -> None:
    done = stage.try_run(*arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not done.stdout, "a plan for what was not asked"
    assert stage.files() == {}


def test_a_mistyped_option_builds_and_starts_nothing(own: Own) -> None:
    done = own.run("--yes", "--dryrun")
    assert done.returncode == 1
    assert "did you mean --dry-run?" in done.stderr
    assert own.called() == []


def test_flags_of_bridged_go_to_it_with_their_values(own: Own) -> None:
    arguments = ["--demo", "--port", "9000", "--set", "CODEX_DRAIN_TIMEOUT=5s"]
    for given in ([*arguments, "--yes"], ["--yes", "--", *arguments, "--host=::1"]):
        own.calls.unlink(missing_ok=True)
        done = own.run(*given)
        assert done.returncode == 0, done.stderr
        called = own.called()[-1].split()
        assert called[:7] == ["bridged", "serve", *arguments]
        assert called[7:] == (["--host=::1"] if "--" in given else [])


def test_every_flag_of_bridged_is_known() -> None:
    help_text = subprocess.check_output(
        [os.environ["BRIDGED_BIN"], "serve", "--help"], text=True
    )
    offered = set(re.findall(r"^  (--[a-z-]+)", help_text, flags=re.MULTILINE))
    source = INSTALL.read_text()
    known = set()
    for name in ("bridged_switches", "bridged_options"):
        found = re.search(rf"readonly {name}=\(([^)]*)\)", source)
        assert found
        known |= set(found[1].split())
    assert known == offered - {"--version", "--help"}


# -- uninstalling


SYSTEM_FILES = (
    "/usr/local/bin/bridged", "/opt/codexbridge", "/etc/bridged", "/var/lib/bridged",
    "/etc/systemd/system/bridged.service",
)  # fmt: skip


class Checkout:
    """A checkout and a home directory with all that an install without --service leaves."""

    def __init__(self, path: Path) -> None:
        if any(Path(name).exists() for name in SYSTEM_FILES):
            pytest.skip("there is a service on this machine, which this would remove")
        self.root = path
        self.home = path / "home"
        self.repo = path / "checkout"
        shutil.copytree(REPO / "deploy", self.repo / "deploy")
        self.script = self.repo / "deploy" / "install.sh"
        self.built = self.write("checkout/.build/release/bridged")
        self.codex = self.write("home/.local/share/codexbridge/codex/bin/codex")
        self.link = self.root / "home/.local/share/codexbridge/bin/codex"
        self.link.parent.mkdir()
        self.link.symlink_to(self.codex)
        self.login = self.write("home/.codex/auth.json")
        self.settings = self.write("home/.config/bridged/bridged.env")
        self.sessions = self.write("home/.local/state/bridged/a/.codex_threads.json")

    def write(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
        return path


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "own")


def test_what_was_installed_without_a_service_is_found_and_removed(
    own: Own, checkout: Checkout
) -> None:
    def run(*arguments: str) -> str:
        done = own.run(*arguments, script=checkout.script, home=str(checkout.home))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    plan = run("--uninstall", "--dry-run")
    assert f"remove {checkout.repo}/.build (" in plan
    assert f"remove {checkout.home}/.local/share/codexbridge/codex (" in plan
    for kept in (".config/bridged", ".local/state/bridged", ".codex"):
        assert f"keep {checkout.home}/{kept} (" in plan
    assert checkout.built.exists()

    # The service alone, of which there is none.
    assert "nothing is installed" in run("--uninstall", "--service", "--yes")
    assert checkout.built.exists()

    run("--uninstall", "--yes")
    assert not (checkout.repo / ".build").exists()
    assert not (checkout.home / ".local/share/codexbridge").exists()
    for path in (checkout.login, checkout.settings, checkout.sessions, checkout.script):
        assert path.exists()
    # Twice is as good as once, and says so.
    again = run("--uninstall", "--yes")
    assert "nothing is installed" in again
    assert "--purge removes it" in again

    run("--uninstall", "--purge", "--yes")
    assert not checkout.settings.exists()
    assert not checkout.sessions.exists()
    assert checkout.login.exists(), "Codex's own, whoever else uses it"
    assert own.called() == [], "nothing is built to be removed"


def test_removing_asks_first(own: Own, checkout: Checkout) -> None:
    done = own.run("--uninstall", script=checkout.script, home=str(checkout.home))
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert checkout.built.exists()
    assert checkout.codex.exists()


def test_other_things_beside_ours_stay(own: Own, checkout: Checkout) -> None:
    other = checkout.write("home/.local/share/codexbridge/other/file")
    assert (
        own.run(
            "--uninstall", "--yes", script=checkout.script, home=str(checkout.home)
        ).returncode
        == 0
    )
    assert other.exists()
    assert not checkout.codex.exists()
    assert not checkout.link.parent.exists()


# -- apt


class Apt:
    """lib.sh, with an apt-get that fails as it is told. Nobody sleeps: `sleep` writes down for how long."""

    def __init__(self, path: Path) -> None:
        self.calls = path / "calls"
        self.calls.touch()
        self.bin = path / "bin"
        self.bin.mkdir()
        self.program("sleep", "")
        # As root is asked for nothing; who is not root gets there by this.
        self.program("sudo", '"$@"')

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(
            f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{body or ":"}\n'
        )
        path.chmod(0o755)

    def fails(self, times: int, message: str) -> None:
        """The first so many calls fail with this message."""
        self.program(
            "apt-get",
            f'(($(grep -c ^apt-get "{self.calls}") > {times})) && exit 0\n'
            f"echo '{message}' >&2\nexit 100",
        )

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", f'set -euo pipefail; source "$1"; {command}', "test",
             str(REPO / "deploy" / "lib.sh")],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip

    def called(self, name: str) -> list[str]:
        lines = self.calls.read_text().splitlines()
        return [
            line.removeprefix(name + " ")
            for line in lines
            if line.startswith(name + " ")
        ]


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    return Apt(tmp_path)


LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 99 (apt-get)"


def test_a_busy_apt_is_waited_for(apt: Apt) -> None:
    apt.fails(3, LOCKED)
    done = apt.run("install_packages libuv1-dev")
    assert done.returncode == 0, done.stderr
    calls = apt.called("apt-get")
    # The same call again, not a second way.
    assert len(calls) == 4
    assert len(set(calls)) == 1
    assert "DPkg::Lock::Timeout=" in calls[0], "dpkg's own lock is apt's to wait for"
    assert calls[0].endswith("install --no-install-recommends libuv1-dev")
    assert len(apt.called("sleep")) == 3
    assert done.stderr.count("Waiting for another program") == 1
    assert "process 99" in done.stderr


def test_what_is_no_lock_is_not_waited_for(apt: Apt) -> None:
    apt.fails(1, "E: Unable to locate package libuv1-dev")
    done = apt.run("install_packages libuv1-dev")
    assert done.returncode == 0, done.stderr
    assert "Unable to locate" in done.stderr
    assert apt.called("sleep") == []
    assert [call.split("-o ")[1].split()[1] for call in apt.called("apt-get")] == [
        "install", "update", "install",
    ]  # fmt: skip


def test_waiting_for_apt_ends(apt: Apt) -> None:
    apt.fails(1000, LOCKED)
    # The clock of the shell, so that nobody waits for ten minutes.
    apt.program("sleep", "")
    done = apt.run(
        "sleep() { SECONDS=$((SECONDS + 400)); }; apt_get as_root update && exit 3 || exit 7"
    )
    assert done.returncode == 7
    assert LOCKED in done.stderr
    assert len(apt.called("apt-get")) == 3


def test_every_call_of_apt_waits() -> None:
    """Scripts that people run call it in one place; a Dockerfile has its apt to itself."""
    scripts = [*(REPO / "deploy").glob("*.sh"), *(REPO / "Tests").rglob("*.sh")]
    calls = [
        (path.name, line.strip())
        for path in scripts
        for line in path.read_text().splitlines()
        if re.search(r"apt-get (-|install|update|download)", line)
    ]
    assert [name for name, _ in calls] == ["lib.sh"], calls


def test_help_names_every_option() -> None:
    text = subprocess.check_output([str(INSTALL), "--help"], text=True)
    source = INSTALL.read_text() + (REPO / "deploy" / "service.sh").read_text()
    for option in (
        "--yes", "--dry-run", "--login", "--no-start", "--service", "--socket", "--prefix", "--binary",
        "--uninstall", "--purge",
    ):  # fmt: skip
        assert option in text
        assert option in source


# -- the commit that a build remembers


def checked_out_commit(directory: Path) -> str:
    """What the scripts give to a build as BRIDGED_COMMIT."""
    script = 'source "$1/deploy/lib.sh"; checked_out_commit "$2"'
    done = subprocess.run(
        ["bash", "-euc", script, "bash", str(REPO), str(directory)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.strip()


def test_the_commit_of_a_checkout_is_told(tmp_path: Path) -> None:
    # A directory inside of somebody else's checkout has no commit of its own.
    plain = tmp_path / "plain"
    plain.mkdir()
    assert checked_out_commit(plain) == ""

    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], capture_output=True, check=True)

    git("init")
    assert checked_out_commit(tmp_path) == ""
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "one")
    git("tag", "v9")
    assert re.fullmatch("[0-9a-f]{12}", checked_out_commit(tmp_path))
    assert checked_out_commit(plain) == ""
    (tmp_path / "file").write_text("b")
    assert re.fullmatch("[0-9a-f]{12}-dirty", checked_out_commit(tmp_path))
