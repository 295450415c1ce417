"""The fake engine's account, models, configuration and sandbox (see fake_codex.py)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from fake_thread import VERSION, RPCError
from fake_wire import Wire

Json = dict[str, Any]


class Account(Wire):
    """Requests that concern no thread."""

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self.version = options.get("old-version", VERSION)
        self.experimental = False

    def initialize(self, params: Json) -> Json:
        client = params.get("clientInfo")
        if not isinstance(client, dict):
            raise RPCError("Invalid request: missing field `clientInfo`")
        capabilities = params.get("capabilities") or {}
        self.experimental = bool(capabilities.get("experimentalApi"))
        self.opted_out = set(capabilities.get("optOutNotificationMethods") or [])
        self.initialized = True
        name, version = client.get("name"), client.get("version")
        return {
            "userAgent": f"{name}/{self.version} (Debian 12.0.0; x86_64) unknown ({name}; {version})",
            "codexHome": os.environ.get("CODEX_HOME", ""),
            "platformFamily": "unix",
            "platformOs": "linux",
        }

    # -- configuration: any line with two equal signs in a row is broken, as in the real one

    @staticmethod
    def config_fault() -> Json | None:
        """Where config.toml is broken, as the real one tells it; None if it is not."""
        path = Path(os.environ.get("CODEX_HOME", "")) / "config.toml"
        lines = path.read_text().splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            column = line.find("= =") + 3
            if column > 2:
                place = {"line": number, "column": column}
                return {
                    "summary": "Invalid configuration; using defaults.",
                    "details": f"{path}:{number}:{column}: extra `=`, expected nothing",
                    "path": str(path),
                    "range": {"start": place, "end": place},
                }
        return None

    def check_config(self, words: str) -> None:
        fault = self.config_fault()
        if fault is not None:
            raise RPCError(f"{words}: {fault['details']}")

    def warn_of_config(self) -> None:
        fault = self.config_fault()
        if fault is not None:
            self.notify("configWarning", fault)
        if "config-warning" in self.options:
            text = "Codex is ignoring 1 unrecognized configuration setting."
            self.notify("configWarning", {"summary": text, "details": None})
        if "bubblewrap-hint" in self.options:
            for _ in range(2):
                text = "Codex could not find bubblewrap on PATH."
                self.notify("configWarning", {"summary": text, "details": None})

    def config_read(self, params: Json) -> Json:
        self.check_config("failed to read configuration layers")
        return {"config": {"model": None, "project_doc_max_bytes": 32768}}

    def account_read(self, params: Json) -> Json:
        if "not-logged-in" in self.options:
            return {
                "account": None,
                "requiresOpenaiAuth": True,
                "workspaceRouting": None,
            }
        return {
            "account": {"type": "apiKey"},
            "requiresOpenaiAuth": True,
            "workspaceRouting": None,
        }

    def rate_limits(self) -> Json:
        primary = None
        if "resets" in self.options:
            resets_at = int(time.time()) + int(self.options["resets"])
            primary = {
                "usedPercent": 100,
                "windowDurationMins": 300,
                "resetsAt": resets_at,
            }
        return {
            "rateLimits": {
                "limitId": "codex",
                "primary": primary,
                "secondary": None,
                "credits": None,
                "planType": None,
            }
        }

    def account_rate_limits_read(self, params: Json) -> Json:
        if "resets" not in self.options:
            raise RPCError("chatgpt authentication required to read rate limits")
        return self.rate_limits()

    def model_list(self, params: Json) -> Json:
        models = [
            (
                "gpt-6.1-sol",
                ["low", "medium", "high", "xhigh", "max", "ultra"],
                "low",
                False,
            ),
            (
                "gpt-5.6-luna",
                ["low", "medium", "high", "xhigh", "max"],
                "medium",
                False,
            ),
            ("gpt-5.5", ["low", "medium", "high", "xhigh"], "medium", False),
            ("codex-auto-review", ["low", "medium", "high", "xhigh"], "medium", True),
        ]
        data = [
            {
                "id": name,
                "model": name,
                "upgrade": None,
                "displayName": name.upper(),
                "description": "A model of the fake.",
                "hidden": hidden,
                "supportedReasoningEfforts": [
                    {"reasoningEffort": effort, "description": ""} for effort in efforts
                ],
                "defaultReasoningEffort": default,
                "inputModalities": ["text", "image"],
                "serviceTiers": [],
                "isDefault": name == "gpt-6.1-sol",
            }
            for name, efforts, default, hidden in models
            if not hidden or params.get("includeHidden")
        ]
        start = int(params.get("cursor") or 0)
        end = start + int(params.get("limit") or len(data))
        return {
            "data": data[start:end],
            "nextCursor": str(end) if end < len(data) else None,
        }

    def command_exec(self, params: Json) -> Json:
        if not params.get("command"):
            raise RPCError("Invalid request: missing field `command`")
        if "broken-sandbox" in self.options:
            failure = "bwrap: Creating new namespace failed: Operation not permitted"
            return {"exitCode": 1, "stdout": "", "stderr": failure}
        return {"exitCode": 0, "stdout": "", "stderr": ""}
