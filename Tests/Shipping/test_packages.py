"""The Debian package in bare systems: installed, upgraded, removed, purged; and the archive."""

from __future__ import annotations

import re
import shutil
import stat
from pathlib import Path

from roots import REPO, Root, run

SETTINGS = "/etc/bridged/bridged.env"
STATE = "/var/lib/bridged"
UNIT = "/usr/lib/systemd/system/bridged.service"
# The field of passwd(5) that tells the package's account.
COMMENT = "CodexBridge service"

# Serves without a Codex, which a bare system has not; /health says that the process lives.
SERVE_SCRIPT = """
PORT=0 bridged serve >/tmp/log 2>&1 &
for _ in $(seq 100); do
  if url=$(grep -oEm 1 'http://127[0-9.]+:[0-9]+' /tmp/log); then break; fi
  sleep 0.1
done
curl -fsS "$url/health" || cat /tmp/log
kill %1
wait %1
"""


# Has bash-completion find the file by the name of the command, by either of its releases' functions.
COMPLETE_SCRIPT = """
source /usr/share/bash-completion/bash_completion
_comp_load bridged 2>/dev/null || __load_completion bridged
COMP_WORDS=(bridged do) COMP_CWORD=1 COMP_LINE='bridged do' COMP_POINT=10 COMP_TYPE=9 COMP_KEY=9
$(complete -p bridged | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p') bridged do bridged
printf '%s\\n' "${COMPREPLY[@]}"
"""


def key(root: Root) -> str:
    [found] = re.findall(r"^CODEX_BRIDGE_API_KEY=(.*)$", root.file(SETTINGS).read_text(), re.MULTILINE)
    return found


def account(root: Root) -> str:
    return root.run("getent", "passwd", "bridged", check=False).stdout


def owner(root: Root, name: str) -> str:
    return root.run("stat", "--format=%U:%G %a", name).stdout.strip()


def enabled_units(root: Root) -> list[str]:
    return [path.name for path in root.file("/etc/systemd/system").glob("**/bridged*")]


def newer(package: Path, directory: Path) -> Path:
    """The same package with a higher version, another program and another example of settings."""
    tree = directory / "newer"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 999.0-1", control.read_text(), flags=re.MULTILINE))
    example = tree / "usr/share/codexbridge/bridged.env.example"
    example.write_text(example.read_text() + "\n# A setting of a later version.\n#LATER=\n")
    (tree / "DEBIAN" / "md5sums").unlink()
    target = directory / "codexbridge_999.0-1.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, target)
    shutil.rmtree(tree)
    return target


def install(root: Root, package: Path) -> str:
    return root.install(root.add(package, f"/root/{package.name}"))


def test_install_upgrade_remove_and_purge(root: Root, package: Path, tmp_path: Path) -> None:
    install(root, package)
    version = package.name.split("_")[1].removesuffix("-1")
    assert version in root.run("bridged", "--version").stdout.split()
    assert "not found" not in root.run("ldd", "/usr/bin/bridged").stdout
    assert root.run("dpkg", "--verify", "codexbridge").stdout == ""
    health = root.shell(SERVE_SCRIPT)
    assert '"status":"ok"' in health.replace(" ", ""), health

    # The account owns its data; the settings with the key are root's alone.
    assert account(root).split(":")[4] == COMMENT
    for directory in (STATE, f"{STATE}/codex", f"{STATE}/work"):
        assert owner(root, directory) == "bridged:bridged 700"
    assert owner(root, SETTINGS) == "root:root 640"
    first_key = key(root)
    assert re.fullmatch(r"[0-9a-f]{48}", first_key)
    assert root.file(UNIT).is_file()
    assert enabled_units(root) == [], "nothing is enabled by itself"

    # What is left to do is told.
    told = root.run("bridged", "doctor", check=False).stdout
    steps = [line for line in told.splitlines() if line.startswith("next ")]
    assert len(steps) == 2, told
    assert "npm install -g @openai/codex && runuser -u bridged" in steps[0]
    assert steps[1].endswith("systemctl enable --now bridged")

    # A person's settings and what the service has written survive an upgrade, without a question.
    settings = f"# mine\nCODEX_BRIDGE_API_KEY={first_key}\nPORT=9000\n"
    root.file(SETTINGS).write_text(settings)
    root.file(f"{STATE}/work/note").write_text("data")
    root.file(f"{STATE}/codex/auth.json").write_text("{}")
    later = root.add(newer(package, tmp_path), "/root/newer.deb")
    root.run("dpkg", "--install", later)
    assert root.run("dpkg-query", "-W", "-f", "${Version}", "codexbridge").stdout == "999.0-1"
    assert root.file(SETTINGS).read_text() == settings
    assert stat.S_IMODE(root.file(SETTINGS).stat().st_mode) == 0o640
    assert root.file(f"{STATE}/work/note").read_text() == "data"
    assert enabled_units(root) == []

    # Removed: the program goes, a person's things stay.
    root.run("apt-get", "remove", "-y", "codexbridge")
    assert not root.file("/usr/bin/bridged").exists()
    assert not root.file(UNIT).exists()
    assert root.file(SETTINGS).read_text() == settings
    assert root.file(f"{STATE}/codex/auth.json").exists()
    assert COMMENT in account(root)

    # And are used again.
    root.run("dpkg", "--install", later)
    assert key(root) == first_key

    root.run("apt-get", "purge", "-y", "codexbridge")
    for name in ("/etc/bridged", STATE, "/usr/bin/bridged", "/usr/share/codexbridge"):
        assert not root.file(name).exists(), name
    assert account(root) == ""
    # Twice is as good as once.
    root.run("dpkg", "--purge", "codexbridge")


def test_completions_are_where_bash_looks(root: Root, package: Path) -> None:
    install(root, package)
    root.install("bash-completion")
    # What it sources may use variables that are not set.
    assert root.run("/bin/bash", "-c", COMPLETE_SCRIPT).stdout.split() == ["doctor"]


def test_a_service_of_install_sh_is_not_overrun(root: Root, package: Path) -> None:
    install(root, package)
    root.run("dpkg", "--remove", "codexbridge")
    root.add(REPO / "deploy", "/opt/src/deploy")
    # Any program will do: nothing is started here.
    options = ["--service", "--yes", "--binary", "/usr/bin/env"]
    root.run("env", "CODEX_BIN=/usr/bin/env", "/opt/src/deploy/install.sh", *options)
    kept = key(root)

    refused = root.run("dpkg", "--install", f"/root/{package.name}", check=False)
    assert refused.returncode != 0
    assert "/etc/systemd/system/bridged.service: ExecStart=/usr/local/bin/bridged serve" in refused.stdout
    assert "deploy/install.sh --uninstall --service" in refused.stdout
    assert not root.file("/usr/bin/bridged").exists(), "nothing was unpacked"
    # What is purged is the package alone: the other service needs account and data.
    root.run("dpkg", "--purge", "codexbridge")
    assert key(root) == kept
    assert COMMENT in account(root)

    root.run("/opt/src/deploy/install.sh", "--uninstall", "--service", "--yes")
    root.run("dpkg", "--install", f"/root/{package.name}")
    assert key(root) == kept, "settings go over to the package"

    # The other way round.
    refused = root.run("env", "CODEX_BIN=/usr/bin/env", "/opt/src/deploy/install.sh", *options, check=False)
    assert refused.returncode != 0
    assert "codexbridge" in refused.stdout
    assert not root.file("/usr/local/bin/bridged").exists()


def test_an_account_of_somebody_elses_is_not_deleted(root: Root, package: Path) -> None:
    root.run("useradd", "--system", "--comment", "a person's", "bridged")
    root.run("groupadd", "--force", "--system", "bridged")
    install(root, package)
    root.run("dpkg", "--purge", "codexbridge")
    assert "a person's" in account(root)
    assert not root.file(STATE).exists()


def test_the_archive_runs_where_it_is_unpacked(root: Root, package: Path, archive: Path) -> None:
    # For its libraries.
    install(root, package)
    root.run("dpkg", "--purge", "codexbridge")
    run("tar", "-xzf", archive, "-C", root.file("/opt"))
    [directory] = root.file("/opt").glob("codexbridge-*")
    assert directory.name.split("-")[1] in root.run(f"/opt/{directory.name}/bin/bridged", "--version").stdout.split()
    for name in ("share/doc/codexbridge/LICENSE", "share/man/man5/bridged.env.5.gz",
                 "share/bash-completion/completions/bridged", "share/codexbridge/bridged.env.example"):  # fmt: skip
        assert (directory / name).is_file(), name
    # For who unpacks it below /usr/local.
    unit = (directory / "lib/systemd/system/bridged.service").read_text()
    assert "\nExecStart=/usr/local/bin/bridged serve\n" in unit
    assert {path.name for path in directory.iterdir()} == {"bin", "lib", "share"}


def test_lintian_finds_no_error(package: Path) -> None:
    done = run("lintian", "--allow-root", "--fail-on", "error", "--no-cfg", package, check=False)
    assert done.returncode == 0, done.stdout


def test_what_the_package_holds(package: Path) -> None:
    assert package.stat().st_size < 8 << 20
    names = {line.split()[5].lstrip(".") for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    assert {
        "/usr/bin/bridged", UNIT, "/usr/lib/systemd/system/bridged.socket",
        "/usr/share/man/man1/bridged.1.gz", "/usr/share/man/man1/bridged-chat.1.gz",
        "/usr/share/man/man5/bridged.env.5.gz", "/usr/share/bash-completion/completions/bridged",
        "/usr/share/zsh/vendor-completions/_bridged", "/usr/share/fish/vendor_completions.d/bridged.fish",
        "/usr/share/doc/codexbridge/copyright", "/usr/share/doc/codexbridge/changelog.Debian.gz",
    } <= names  # fmt: skip
    assert not [name for name in names if name.startswith("/etc")], "settings are made on the machine"


def test_the_unit_is_that_of_deploy(package: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "--extract", package, tmp_path)
    ours = (REPO / "deploy" / "bridged.service").read_text().splitlines()
    packed = (tmp_path / UNIT.lstrip("/")).read_text().splitlines()
    added = [line for line in packed if line not in ours]
    assert added == [
        "# CodexBridge as a system service, of the package codexbridge.",
        "Documentation=man:bridged(1) man:bridged.env(5)",
        "ExecStart=/usr/bin/bridged serve",
        "# The first of this name on PATH.",
        "Environment=CODEX_BIN=codex",
    ]
    assert len(ours) - len([line for line in ours if line in packed]) == 3
