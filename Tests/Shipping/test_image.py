"""The image: deploy/Dockerfile built by buildah, without a daemon and without a registry, then run.

What the FROM lines name is made here: Debian by debootstrap, and Swift's image by Debian and the toolchain of this
machine, which is mounted, as is where git has the packages from.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from roots import REPO, ROOTS, base, run

from harness import descendants

DOCKERFILE = REPO / "deploy" / "Dockerfile"
KEY = "a-key-for-tests"
BUILD_SECONDS = 900.0
READY_SECONDS = 60.0
# What a toolchain needs of Debian: a linker, headers, and libraries of its own programs.
FOR_SWIFT = (
    "binutils", "libc6-dev", "g++", "libstdc++-12-dev", "git", "pkg-config", "tzdata", "zlib1g-dev",
    "libcurl4-openssl-dev", "libedit2", "libxml2", "libsqlite3-0", "libpython3.11", "libncurses6",
)  # fmt: skip


def from_lines() -> list[str]:
    return re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), flags=re.MULTILINE)


def toolchain() -> Path:
    """The directory above usr/bin/swift."""
    program = shutil.which("swift")
    assert program is not None
    return Path(program).resolve().parents[2]


def package_copies() -> list[Path]:
    """Directories of this machine that git takes repositories from in place of their addresses."""
    done = run("git", "config", "--get-regexp", r"^url\..*\.insteadof$", check=False)
    found = {re.sub(r"^url\.(.*)\.insteadof .*$", r"\1", line) for line in done.stdout.splitlines()}
    return [Path(path.removeprefix("file://")) for path in found if Path(path.removeprefix("file://")).is_dir()]


class Store:
    """Images and containers of the test's own, thrown away in the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.options = ["--root", str(path / "storage"), "--runroot", str(path / "run"), "--storage-driver", "vfs"]
        self.containers: list[str] = []

    def run(self, command: str, *arguments: str | Path, seconds: float = 300) -> str:
        return run("nice", "buildah", *self.options, command, *arguments, seconds=seconds, cwd=REPO,
                   BUILDAH_ISOLATION="chroot").stdout  # fmt: skip

    def create(self, image: str) -> str:
        """A container, by its name."""
        name = self.run("from", "--pull-never", image).split()[-1]
        self.containers.append(name)
        return name

    def commit(self, container: str, image: str) -> None:
        self.run("commit", "--quiet", container, image)
        self.remove(container)

    def remove(self, container: str) -> None:
        self.run("rm", container)
        self.containers.remove(container)

    def configuration(self, image: str) -> dict[str, Any]:
        found = json.loads(self.run("inspect", "--type", "image", image))["Docker"]["config"]
        assert isinstance(found, dict)
        return found

    def close(self) -> None:
        for container in list(self.containers):
            run("buildah", *self.options, "umount", container, check=False)
        run("buildah", *self.options, "rm", "--all", check=False)
        run("buildah", *self.options, "rmi", "--all", "--force", check=False)
        run("rm", "-rf", "--one-file-system", self.path, check=False)


def docker_name(image: str) -> str:
    return image if "/" in image else f"docker.io/library/{image}"


def make_bases(store: Store) -> None:
    swift, debian = (next(each for each in from_lines() if each.startswith(name)) for name in ("swift:", "debian:"))
    suite = debian.split(":")[1].removesuffix("-slim")
    for image, root in (
        (debian, base(suite, suite)),
        (swift, base(suite, f"{suite}-swift", FOR_SWIFT)),
    ):
        container = store.create("scratch")
        store.run("add", "--quiet", container, root, "/")
        if image == swift:
            path = f"{toolchain()}/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            store.run("config", "--env", f"PATH={path}", container)
        store.commit(container, docker_name(image))


def mounts() -> list[str]:
    places = [toolchain(), *package_copies()]
    places += [path for path in (Path("/etc/gitconfig"), wheels()) if path is not None and path.exists()]
    return [word for place in places for word in ("--volume", f"{place}:{place}:ro")]


def wheels() -> Path | None:
    """Where pip finds packages on this machine besides its index."""
    found = os.environ.get("PIP_FIND_LINKS", "")
    return Path(found) if Path(found).is_dir() and found.startswith("/") else None


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    # Layers of some gigabytes, whose directories have other owners: beside the roots, not where pytest keeps its own.
    path = ROOTS.parent / "image"
    run("rm", "-rf", "--one-file-system", path)
    path.mkdir(parents=True)
    found = Store(path)
    try:
        make_bases(found)
        found.run("build", "--pull-never", *mounts(), "--format", "docker", "--file", DOCKERFILE,
                  "--tag", "codexbridge", ".", seconds=BUILD_SECONDS)  # fmt: skip
        yield found
    finally:
        found.close()


class Container:
    """What the image runs, with its own user, environment and entry point, in the network of this machine."""

    def __init__(self, store: Store, **environ: str) -> None:
        self.store = store
        self.name = store.create("localhost/codexbridge")
        config = store.configuration("localhost/codexbridge")
        command = [*config["Entrypoint"], "serve", "--demo"]
        settings = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        self.log = (store.path / f"{self.name}.log").open("wb")
        self.process = subprocess.Popen(
            ["buildah", *store.options, "run", "--isolation", "chroot", "--user", str(config["User"]), *settings,
             self.name, "--", *command],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def run(self, *command: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        settings = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        return run("buildah", *self.store.options, "run", "--isolation", "chroot", *settings, self.name, "--",
                   *command, check=check)  # fmt: skip

    def stop(self) -> None:
        # buildah ends at once and leaves what it has started.
        started = descendants(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.log.close()
        self.store.remove(self.name)

    def output(self) -> str:
        return Path(self.log.name).read_text(errors="replace")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def get(url: str, body: dict[str, object] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_until_ready(container: Container, url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert container.process.poll() is None, container.output()
        try:
            if get(f"{url}/ready")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"not ready\n{container.output()}")


def test_the_image_answers_on_the_port_it_is_given(store: Store) -> None:
    port = free_port()
    # Of the container only what a model may write is writable; the state is in volumes, which are directories here.
    container = Container(store, PORT=str(port), CODEX_BRIDGE_API_KEY=KEY)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(container, url)
        assert get(f"{url}/health")[0] == 200
        status, answer = get(
            f"{url}/v1/chat/completions", {"messages": [{"role": "user", "content": "demo: tokens=3"}]}
        )
        assert status == 200, answer
        assert json.loads(answer)["choices"][0]["message"]["content"].strip() == "t0 t1 t2"

        # What the image says is asked for its health, as docker runs it.
        kind, *words = store.configuration("localhost/codexbridge")["Healthcheck"]["Test"]
        assert kind == "CMD-SHELL"
        assert container.run("/bin/sh", "-c", words[0], PORT=str(port)).returncode == 0
        assert container.run("/bin/sh", "-c", words[0], PORT=str(free_port()), check=False).returncode != 0
    finally:
        container.stop()


def test_the_image_does_not_start_with_the_default_key(store: Store) -> None:
    container = Container(store, PORT=str(free_port()))
    try:
        assert container.process.wait(60) != 0
        assert "key" in container.output()
    finally:
        container.stop()


def test_what_the_image_is(store: Store) -> None:
    config = store.configuration("localhost/codexbridge")
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/usr/bin/tini", "-s", "--", "/usr/local/bin/bridged"]
    container = store.create("localhost/codexbridge")
    try:
        assert "codex" in store.run("run", container, "--", "sh", "-c", '"$CODEX_BIN" --version')
        # Nothing of the compiler, nor of what was mounted to build it.
        places = shlex.join(map(str, [toolchain(), *package_copies()]))
        assert store.run("run", container, "--", "sh", "-c", f"find {places} -type f 2>/dev/null || true") == ""
    finally:
        store.remove(container)
