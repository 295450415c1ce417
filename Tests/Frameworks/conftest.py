"""The fixtures are those of Tests/Clients, and so are the variables they want. FRAMEWORKS names the directory of the
frameworks' environments, one for each requirements-NAME.txt here: they do not all want the same openai."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[1] / "Clients"
sys.path.insert(0, str(CLIENTS))

# By path, because both files are called conftest.
_spec = importlib.util.spec_from_file_location(
    "client_fixtures", CLIENTS / "conftest.py"
)
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules["client_fixtures"] = _fixtures
_spec.loader.exec_module(_fixtures)
pytest_plugins = ["client_fixtures"]
