"""Root directories of bare Debian systems, made by debootstrap, for tests that install something in them.

What debootstrap has made is kept in ROOTS (default: .build/tools/roots) and copied for each test, so that only the first
run waits for it. Everything here needs root. Mounts live in a namespace of the command that needs them, so that none is
left, however a test ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
ROOTS = Path(os.environ.get("ROOTS", REPO / ".build" / "tools" / "roots"))

# Seconds for debootstrap, which downloads and unpacks some two hundred packages.
BOOTSTRAP_SECONDS = 600
COMMAND_SECONDS = 300


def run(
    *command: str | Path, seconds: float = COMMAND_SECONDS, check: bool = True, cwd: Path | None = None,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """Runs a command of this machine, with what it prints in one text; its failure shows that text."""
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | environ, cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}"
    return done


class Root:
    """A root directory; commands run in it by chroot, with a /proc and process ids of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self, *command: str | Path, seconds: float = COMMAND_SECONDS, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        # The children end with the command, whatever it has left running.
        space = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.path}/proc"]
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]  # fmt: skip
        return run(*space, "chroot", self.path, *clean, *command, seconds=seconds, check=check)

    def shell(self, script: str, **options: float) -> str:
        return self.run("/bin/bash", "-euc", script, **options).stdout

    def install(self, *packages: str) -> str:
        """Debian packages by name, or by a path in the root that begins with a slash."""
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        done = self.run(*command, check=False)
        if done.returncode != 0 and "Failed to fetch" in done.stdout:
            # The lists are older than what the mirror has.
            self.run("apt-get", "update")
            done = self.run(*command, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def file(self, name: str) -> Path:
        return self.path / name.lstrip("/")

    def add(self, source: Path, name: str) -> str:
        """Copies a file or directory of this machine to a path of the root, which is returned."""
        target = self.file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target)
        return name

    def remove(self) -> None:
        # Never across a mount, should something have been mounted here by another program.
        run("rm", "-rf", "--one-file-system", self.path)


def base(suite: str, name: str, packages: Iterable[str] = ()) -> Path:
    """The kept root of a release of Debian (`bookworm`) with further packages, to be copied; made if it is not there."""
    wanted = ",".join(["ca-certificates", *packages])
    path = ROOTS / name
    stamp = ROOTS / f"{name}.stamp"
    # Written last, so one that was cut short does not count.
    if stamp.exists() and stamp.read_text() == wanted:
        return path
    stamp.unlink(missing_ok=True)
    Root(path).remove()
    ROOTS.mkdir(parents=True, exist_ok=True)
    command = ["nice", "debootstrap", "--variant=minbase", f"--include={wanted}", suite, str(path)]
    mirror = debian_mirror()
    run(*command, *([mirror] if mirror else []), seconds=BOOTSTRAP_SECONDS)
    equip(path)
    Root(path).run("apt-get", "update")
    stamp.write_text(wanted)
    return path


def copy(source: Path, target: Path) -> Root:
    run("cp", "-a", "--reflink=auto", source, target)
    return Root(target)


def debian_mirror() -> str | None:
    """Where this machine has its packages from, if it is a Debian; else debootstrap knows one."""
    done = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian",
               "Created-By: Packages", check=False)  # fmt: skip
    return done.stdout.split()[0] if done.returncode == 0 and done.stdout.strip() else None


def equip(root: Path) -> None:
    """Lets apt and pip in the root reach what they reach on this machine: proxies, certificates, names."""
    for file in ["/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf",
                 *Path("/etc/apt/apt.conf.d").glob("99*")]:  # fmt: skip
        if Path(file).exists():
            target = root / str(file).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(file, target)
