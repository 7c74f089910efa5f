"""Rows of datasets, and a function that writes them, for tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GOOD = {"question": "Add.", "solution": "def solve(a, b): return a + b", "y": 1}
BAD = {"question": "Add.", "solution": "def solve(a, b): return a - b", "y": 0}


def write(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
