"""The files of deploy/ themselves: units, Dockerfile, compose file, scripts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import REPO

DEPLOY = REPO / "deploy"
SERVICE = DEPLOY / "bridged.service"


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A unit file: what each name is set to, in order. Systemd's form, of which this needs little."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


# ---- systemd


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    # The unit names a program that only an installed system has.
    text = SERVICE.read_text().replace("=/usr/local/bin/bridged ", "=/bin/true ")
    (tmp_path / "bridged.service").write_text(text)
    shutil.copy(DEPLOY / "bridged.socket", tmp_path)
    paths = [str(tmp_path / name) for name in ("bridged.service", "bridged.socket")]
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", *paths],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "bridged" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_the_exposure_that_the_unit_states(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=30", str(SERVICE)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at files")
    assert done.returncode == 0, done.stdout[-300:]


def test_the_service_speaks_the_protocols_of_systemd() -> None:
    service = unit("bridged.service")["Service"]
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["main"]
    assert int(service["WatchdogSec"][0]) >= 10
    assert service["Restart"] == ["on-failure"]
    # The bridge itself ends its turns; what is left then is ended for it.
    assert service["KillMode"] == ["mixed"]
    assert int(service["TimeoutStopSec"][0]) > 30, "the default of CODEX_DRAIN_TIMEOUT"
    assert service["User"] == ["bridged"]


def test_the_directories_of_the_service() -> None:
    service = unit("bridged.service")["Service"]
    environment = dict(entry.split("=", 1) for entry in service["Environment"])
    made = {f"/var/lib/{name}" for name in service["StateDirectory"][0].split()}
    for name in ("HOME", "CODEX_HOME", "CODEX_STATE_DIR", "CODEX_WORKDIR"):
        assert environment[name] in made
    # Where it starts it looks for settings, so that is no place where the model may write.
    place = Path(service["WorkingDirectory"][0])
    work = Path(environment["CODEX_WORKDIR"])
    assert place == Path("/")
    for name in ("CODEX_STATE_DIR", "CODEX_HOME"):
        assert work not in [Path(environment[name]), *Path(environment[name]).parents]
    assert "/usr/bin" in environment["PATH"].split(":"), "curl, setpriv"
    assert not [name for name in environment if "KEY" in name]
    # After them, so that what a person sets wins.
    text = SERVICE.read_text()
    assert text.rindex("\nEnvironment=") < text.index("\nEnvironmentFile=")


@pytest.mark.parametrize(
    "name",
    ["ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname", "ProcSubset",
     "MemoryDenyWriteExecute", "PrivateUsers", "PrivateNetwork", "DynamicUser"],
)  # fmt: skip
def test_nothing_is_set_that_breaks_the_sandbox_of_codex(name: str) -> None:
    """Each was tried under a running systemd; the unit says what goes wrong."""
    assert name not in unit("bridged.service")["Service"]


def test_what_the_sandbox_of_codex_needs_is_allowed() -> None:
    service = unit("bridged.service")["Service"]
    assert {"user", "mnt", "pid", "net", "ipc", "uts"} <= set(
        service["RestrictNamespaces"][0].split()
    )
    assert "AF_NETLINK" in service["RestrictAddressFamilies"][0]
    calls = set(" ".join(service["SystemCallFilter"]).split())
    assert {"@mount", "pivot_root", "seccomp"} <= calls


def test_the_service_is_hardened() -> None:
    service = unit("bridged.service")["Service"]
    for name, value in {
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "ProtectProc": "invisible",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "RestrictSUIDSGID": "yes",
        "UMask": "0077",
    }.items():
        assert service[name] == [value], name


def test_the_socket_listens_on_loopback_only() -> None:
    socket = unit("bridged.socket")["Socket"]
    assert socket["ListenStream"] == ["127.0.0.1:8080"]


# ---- containers


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in pairs]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_the_image_pins_what_it_is_made_of() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(images) == 3
    for image in images:
        assert re.search(r":.*bookworm", image), image
    package = re.search(r"CODEX_PACKAGE='(.*)'", (DEPLOY / "lib.sh").read_text())
    assert package
    assert package[1] in (DEPLOY / "Dockerfile").read_text(), "not the Codex of install.sh"
    copied = " ".join(rest for name, rest in instructions() if name == "COPY")
    assert "Package.resolved" in copied


def test_the_image_builds_with_the_swift_of_the_manifest() -> None:
    tools = (REPO / "Package.swift").read_text().splitlines()[0].rsplit(None, 1)[1]
    assert f"FROM swift:{tools}-bookworm" in (DEPLOY / "Dockerfile").read_text()


def test_the_image_leaves_no_package_lists_and_recommends() -> None:
    for name, rest in instructions():
        if name == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest


def test_the_image_runs_as_somebody_and_is_watched() -> None:
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    check = stage["HEALTHCHECK"].partition(" CMD ")[2]
    # The form without brackets is a shell's, which knows the PORT of the container.
    assert check == 'curl -fsS "http://127.0.0.1:$PORT/health"'
    entry = yaml.safe_load(stage["ENTRYPOINT"])
    assert entry == ["/usr/bin/tini", "-s", "--", "/usr/local/bin/bridged"], (
        "an init waits for orphans; no shell"
    )
    names = [name for name, _ in last_stage()]
    after_user = names[names.index("USER") :]
    assert not {"COPY", "ADD", "RUN"} & set(after_user)
    runs = " ".join(rest for name, rest in last_stage() if name == "RUN")
    programs = "curl git ca-certificates libmd0 libsqlite3-0 libuv1 libutf8proc2 libstdc++6 tini"
    for program in programs.split():
        assert program in runs.split()


def test_the_image_starts_where_the_model_cannot_write() -> None:
    stage = last_stage()
    assert dict(stage)["WORKDIR"] == "/"
    entries = [entry for name, rest in stage if name == "ENV" for entry in shlex.split(rest)]
    environment = dict(entry.split("=", 1) for entry in entries)
    work = Path(environment["CODEX_WORKDIR"])
    for name in ("CODEX_STATE_DIR", "CODEX_HOME"):
        place = Path(environment[name])
        assert work not in [place, *place.parents]
        assert Path("/tmp") not in place.parents


def test_the_image_tells_how_to_log_in_from_outside_of_it() -> None:
    stage = last_stage()
    entries = [entry for name, rest in stage if name == "ENV" for entry in shlex.split(rest)]
    environment = dict(entry.split("=", 1) for entry in entries)
    command = shlex.split(environment["BRIDGED_LOGIN_COMMAND"])
    assert command[:4] == ["docker", "compose", "-f", "deploy/compose.yaml"]
    assert command[command.index("--entrypoint") + 1] == environment["CODEX_BIN"]
    service = command[command.index("--entrypoint") + 2]
    assert service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert command[-2:] == ["login", "--device-auth"]


def test_the_image_holds_no_secret() -> None:
    for name, rest in instructions():
        if name in {"ENV", "ARG"}:
            assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", rest)
        assert name != "ADD"
        if name == "COPY":
            assert rest.split()[0] != ".", "only what is needed"
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {".git", "**/.env*", "**/.codex*"} <= set(ignored)


def compose() -> dict[str, Any]:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


def bridge_service() -> dict[str, Any]:
    found = compose()["services"]["bridge"]
    assert isinstance(found, dict)
    return found


def test_the_compose_file_fits_the_image() -> None:
    stage = dict(last_stage())
    service = bridge_service()
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == (
        DEPLOY / "Dockerfile"
    )
    mounted = {volume.rsplit(":", 1)[1] for volume in service["volumes"]}
    assert mounted == set(yaml.safe_load(stage["VOLUME"]))
    [port] = service["ports"]
    assert port.startswith("127.0.0.1:"), "open to the world only if somebody says so"
    assert port.endswith(":" + stage["EXPOSE"])
    named = {v.split(":")[0] for v in service["volumes"] if not v.startswith("$")}
    assert named <= set(compose()["volumes"])
    assert "/tmp" in service["tmpfs"], "the root directory is read-only"


def test_one_init_is_enough() -> None:
    assert "init" not in bridge_service(), "the image brings its own"


def test_open_webui_is_only_started_when_asked_for() -> None:
    services = compose()["services"]
    assert "profiles" not in services["bridge"]
    assert services["openwebui"]["profiles"] == ["openwebui"]
    # What a profile leaves out may not be waited for.
    assert "depends_on" not in services["bridge"]


def test_open_webui_finds_the_bridge() -> None:
    webui = compose()["services"]["openwebui"]
    environment = webui["environment"]
    stage = last_stage()
    entries = [entry for name, rest in stage if name == "ENV" for entry in shlex.split(rest)]
    port = dict(entry.split("=", 1) for entry in entries)["PORT"]
    assert environment["OPENAI_API_BASE_URLS"] == f"http://bridge:{port}/v1"
    # Both ask for the same variable, so that there is one to set.
    key = bridge_service()["environment"]["CODEX_BRIDGE_API_KEY"]
    assert key in environment["OPENAI_API_KEYS"]
    assert webui["depends_on"] == {"bridge": {"condition": "service_healthy"}}
    # A bridge outside of Docker.
    assert "host.docker.internal:host-gateway" in webui["extra_hosts"]
    assert all(not each.get("network_mode") for each in compose()["services"].values())


def test_open_webui_names_its_chats_and_users() -> None:
    environment = compose()["services"]["openwebui"]["environment"]
    headers = json.loads(environment["OPENAI_API_CONFIGS"])["0"]["headers"]
    article = REPO / "Sources" / "Bridge" / "Bridge.docc" / "Users" / "Clients.md"
    documented = re.search(r"^(\{\"X-Session-Id\".*\})$", article.read_text(), re.MULTILINE)
    assert documented
    assert json.loads(documented[1]) == headers
    assert set(headers) == {"X-Session-Id", "X-Bridge-Parent", "X-Bridge-Task"}
    secret = environment["FORWARD_USER_INFO_HEADER_JWT_SECRET"]
    assert secret == bridge_service()["environment"]["CODEX_OPENWEBUI_JWT_SECRET"]
    assert environment["ENABLE_FORWARD_USER_INFO_HEADERS"] == "true"


def test_open_webui_is_the_one_that_is_tested() -> None:
    version = re.search(
        r"^open-webui==(.*)$", (REPO / "Tests/OpenWebUI/requirements.txt").read_text(), re.MULTILINE
    )
    assert version
    assert compose()["services"]["openwebui"]["image"].endswith(f":v{version[1]}")


def test_ports_are_this_machines_only_and_differ() -> None:
    ports = [port for each in compose()["services"].values() for port in each["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_the_image_is_for_every_processor() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert not re.search(r"--platform|amd64|x86_64|aarch64|arm64", text)


def test_the_compose_file_asks_for_a_key() -> None:
    service = bridge_service()
    assert service["environment"]["CODEX_BRIDGE_API_KEY"].startswith("${CODEX_BRIDGE_API_KEY:?")
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]


def test_docker_reads_the_compose_file() -> None:
    docker = tool("docker")
    known = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if known.returncode != 0:
        pytest.skip("docker has no compose here")
    subprocess.run(
        [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
        env={"CODEX_BRIDGE_API_KEY": "key", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        check=True,
    )


# ---- scripts


def test_shellcheck_finds_nothing() -> None:
    tests = [REPO / "Tests" / "run.sh", REPO / "Tests" / "lib.sh", *(REPO / "Tests" / "Benchmarks").glob("*.sh")]
    scripts = [*DEPLOY.glob("*.sh"), *DEPLOY.glob("debian/*"), *tests, REPO / ".ci" / "run"]
    done = subprocess.run(
        [tool("shellcheck"), "--external-sources", *map(str, scripts)],
        cwd=REPO, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
