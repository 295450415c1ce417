"""The fixtures are those of Tests/Clients, and so are the variables they want. FRAMEWORKS names the directory of the
frameworks' environments, one for each requirements-NAME.txt here: they do not all want the same openai."""

from __future__ import annotations

import sys
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[1] / "Clients"
sys.path.insert(0, str(CLIENTS))

pytest_plugins = ["client_fixtures"]
