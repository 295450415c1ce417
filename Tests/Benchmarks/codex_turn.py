"""What a turn costs inside the real Codex, with the bridge's switches and with each candidate changed.

Codex is driven directly, so that nothing but Codex is measured; the model is `model.py`. Each candidate has a process
of its own beside one with the bridge's switches, and they take turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import bench
from bench import Server, WrongResult
from turns import SWITCHES, DirectDriver

Json = dict[str, Any]

MODEL_PROVIDER = """model = "gpt-5.5"
model_provider = "bench"
[model_providers.bench]
name = "bench"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
"""
TOKENS = 20
TEXT = f"bench tokens={TOKENS} gap=0"

# A Model Context Protocol server with one tool, to see what any such server costs a thread.
MCP_SERVER = """import json, sys
ANSWERS = {
  'initialize': {'protocolVersion': '2025-06-18', 'capabilities': {'tools': {}},
                 'serverInfo': {'name': 'bench', 'version': '1'}},
  'tools/list': {'tools': [{'name': 'nothing', 'description': '', 'inputSchema': {'type': 'object'}}]},
}
for line in sys.stdin:
  call = json.loads(line)
  if 'id' in call:
    print(json.dumps({'jsonrpc': '2.0', 'id': call['id'], 'result': ANSWERS.get(call['method'], {})}), flush=True)
"""


@dataclass
class Variant:
    """One way to run Codex, as it differs from the bridge's."""

    name: str
    switches: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    thread: Json = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def features(*names: str) -> list[str]:
    return [f"features.{name}=false" for name in names]


# What a chat needs that only talks: no tools, none of the agent's own texts.
CHAT: Json = {
    "web_search": "disabled",
    "project_doc_max_bytes": 0,
    "include_environment_context": False,
    "include_permissions_instructions": False,
    "include_apps_instructions": False,
    "include_collaboration_mode_instructions": False,
    "skills.include_instructions": False,
    "skills.bundled.enabled": False,
    "agents.enabled": False,
    "tools.experimental_request_user_input.enabled": False,
    "features.apps": False,
    "features.goals": False,
    "features.image_generation": False,
    "features.multi_agent": False,
    "features.plugins": False,
    "features.shell_tool": False,
    "features.sleep_tool": False,
    "features.unified_exec": False,
    "features.view_image": False,
}
PROMPT = "Answer the question."
OWN_PROMPT: Json = {"environments": [], "baseInstructions": PROMPT}


def variants(memory: str, root: Path) -> list[Variant]:
    mcp_server, prompt = root / "mcp_server.py", root / "prompt.md"
    mcp_server.write_text(MCP_SERVER)
    prompt.write_text(PROMPT)
    mcp = [
        f'mcp_servers.bench.command="{sys.executable}"',
        f'mcp_servers.bench.args=["{mcp_server}"]',
    ]
    chat = [f"{key}={json.dumps(value)}" for key, value in CHAT.items()]
    return [
        Variant("the bridge's switches again"),
        Variant("without shell_snapshot=false", without=["features.shell_snapshot"]),
        Variant("history.persistence none", ['history.persistence="none"']),
        Variant("databases in memory", [f'sqlite_home="{memory}"']),
        Variant("RUST_LOG=off", environment={"RUST_LOG": "off"}),
        Variant(
            "analytics, otel, feedback, update check off",
            [
                "analytics.enabled=false",
                'otel.exporter="none"',
                'otel.metrics_exporter="none"',
                'otel.trace_exporter="none"',
                "feedback.enabled=false",
                "check_for_update_on_startup=false",
            ],
        ),
        Variant("plugins off", features("plugins", "remote_plugin", "plugin_sharing")),
        Variant("apps off", features("apps")),
        Variant("hooks off", features("hooks")),
        Variant("goals off", features("goals")),
        Variant("tool_suggest off", features("tool_suggest")),
        Variant("guardian off", features("guardian_approval")),
        Variant(
            "features of the desktop app off",
            features(
                "browser_use",
                "browser_use_external",
                "computer_use",
                "in_app_browser",
                "in_app_chat",
                "workspace_dependencies",
                "realtime_conversation",
                "worktrees",
            ),
        ),
        Variant("image_generation off", features("image_generation")),
        Variant("multi_agent off", ["agents.enabled=false", *features("multi_agent")]),
        Variant("unified_exec off", features("unified_exec")),
        Variant("web search live", thread={"config": {"web_search": "live"}}),
        Variant("project_doc_max_bytes=0", ["project_doc_max_bytes=0"]),
        Variant("bundled skills off", ["skills.bundled.enabled=false"]),
        Variant(
            "all skills off",
            ["skills.include_instructions=false", "skills.bundled.enabled=false"],
        ),
        Variant("no environments", thread={"environments": []}),
        Variant("own base instructions and no environments", thread=OWN_PROMPT),
        Variant("two tokio workers", environment={"TOKIO_WORKER_THREADS": "2"}),
        Variant("one MCP server", mcp),
        Variant("plain chat", thread={"config": CHAT}),
        Variant("plain chat, own instructions", thread=OWN_PROMPT | {"config": CHAT}),
        Variant("plain chat by switches", chat),
        Variant(
            "plain chat by switches, own instructions",
            [*chat, f'model_instructions_file="{prompt}"'],
        ),
        Variant("model gpt-6.1-sol", thread={"model": "gpt-6.1-sol"}),
    ]


def whole_cpu_seconds(pid: int) -> float:
    """With the threads and children that have ended, of which Codex has many."""
    total = 0
    for process in bench.family(pid):
        with contextlib.suppress(OSError):  # It ends just now: its parent has its time.
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def written_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    raise WrongResult(f"no figure of writes of process {pid}")


@contextmanager
def model_server(root: Path) -> Iterator[Server]:
    program = [sys.executable, str(Path(__file__).parent / "model.py")]
    process = bench.spawn("model", program, root, stdout=subprocess.PIPE)
    server = Server("model", process, bench.first_line_port(process, "model"))
    with bench.running(server):
        yield server


class Codex:
    """One app-server in a variant, and what was measured of it."""

    def __init__(self, variant: Variant, root: Path, name: str, model: Server) -> None:
        self.variant = variant
        self.model = model
        home = root / name
        home.mkdir()
        (home / "config.toml").write_text(MODEL_PROVIDER.format(port=model.port))
        kept = [
            switch
            for switch in SWITCHES
            if not any(switch.startswith(prefix) for prefix in variant.without)
        ]
        environment = bench.bare_environment() | {"CODEX_HOME": str(home)}
        self.driver = DirectDriver(
            os.environ["CODEX_BIN"],
            str(root),
            environment | variant.environment,
            kept + variant.switches,
            variant.thread,
        )
        self.values: dict[str, list[float]] = {}
        self.upstream = 0

    async def __aenter__(self) -> Self:
        await self.driver.start()
        for _ in range(3):  # The first turns of a process pay for what is loaded once.
            await self.driver.turn(TEXT, TOKENS)
        self.upstream = int(self.model.get("/bytes")[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.driver.stop()

    async def round(self, turns: int) -> None:
        pid = self.driver.process.pid
        cpu, written = whole_cpu_seconds(pid), written_bytes(pid)
        firsts = []
        for _ in range(turns):
            firsts.append((await self.driver.turn(TEXT, TOKENS)).first)
        self.add("one-off, CPU", (whole_cpu_seconds(pid) - cpu) / turns)
        self.add("one-off, first", statistics.median(firsts))
        self.add("one-off, written", (written_bytes(pid) - written) / turns)
        thread = await self.driver.start_thread(ephemeral=False)
        await self.driver.turn_of(thread, TEXT, TOKENS)
        cpu, firsts = whole_cpu_seconds(pid), []
        for _ in range(turns):
            firsts.append((await self.driver.turn_of(thread, TEXT, TOKENS)).first)
        self.add("session, CPU", (whole_cpu_seconds(pid) - cpu) / turns)
        self.add("session, first", statistics.median(firsts))
        await self.driver.call("thread/unsubscribe", threadId=thread)

    def add(self, what: str, value: float) -> None:
        self.values.setdefault(what, []).append(value)

    def median(self, what: str) -> float:
        return statistics.median(self.values[what])

    def ratio(self, what: str, base: Codex) -> float:
        pairs = zip(self.values[what], base.values[what], strict=True)
        return statistics.median([a / b for a, b in pairs if b] or [0])


COLUMNS = ("one-off, CPU", "one-off, first", "session, CPU", "session, first")


async def compare(
    variant: Variant, root: Path, number: int, model: Server, rounds: int, turns: int
) -> None:
    async with AsyncExitStack() as stack:
        base = Codex(Variant("base"), root, f"base-{number}", model)
        other = Codex(variant, root, f"variant-{number}", model)
        await stack.enter_async_context(base)
        await stack.enter_async_context(other)
        for index in range(rounds):
            for codex in (base, other) if index % 2 == 0 else (other, base):
                await codex.round(turns)
        ratios = " ".join(f"{other.ratio(what, base):>8.2f}" for what in COLUMNS)
        figures = " ".join(f"{other.median(what) * 1000:>7.1f}" for what in COLUMNS)
        written = other.median("one-off, written") / 1024
        print(
            f"  {variant.name:<44}{ratios}   {figures} {written:>8.0f} {other.upstream / 1024:>7.1f}",
            flush=True,
        )


async def codex_turn(rounds: int, turns: int, only: int | None) -> None:
    print(
        f"\n== codex-turn: {rounds} rounds of {turns} turns of {TOKENS} tokens, one at a time; ratios of the bridge's"
        " switches, then ms per turn and kB per turn\n"
        f"  {'':<44}{'CPU':>8} {'first':>8} {'CPU':>8} {'first':>8}   {'CPU':>7} {'first':>7} {'CPU':>7} {'first':>7}"
        f" {'kB':>8} {'kB':>7}\n"
        f"  {'':<44}{'one-off':>8} {'one-off':>8} {'session':>8} {'session':>8}   {'one-off':>7} {'one-off':>7}"
        f" {'session':>7} {'session':>7} {'written':>8} {'sent':>7}",
        flush=True,
    )
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        bench.scratch() as root,
        tempfile.TemporaryDirectory(dir=shared) as memory,
        model_server(root) as model,
    ):
        for number, variant in enumerate(variants(memory, root)[:only]):
            await compare(variant, root, number, model, rounds, turns)
