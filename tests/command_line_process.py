"""Running `scripts/run_experiment.py` as a user does: in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SCRIPT = REPOSITORY / "scripts" / "run_experiment.py"

# Runs the script as `python script ...` would, and tells at the end what it has imported.
_WRAPPER = """
import json, runpy, sys
script, report, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = script
sys.path[0] = script.rpartition("/")[0]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    heavy = sorted({"torch", "tensordict", "torchrl", "matplotlib"} & set(sys.modules))
    with open(report, "w") as file:
        json.dump(heavy, file)
"""


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    exit_code: int
    stdout: str
    stderr: str
    heavy_imports: list[str]


def run_command_line(arguments: Sequence[str], folder: Path, **environment: str) -> Outcome:
    """Run the script in a folder, with the given arguments."""
    report = folder.parent / f"{folder.name}_imports.json"
    process = subprocess.run(
        [sys.executable, "-c", _WRAPPER, str(SCRIPT), str(report), *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    heavy_imports = json.loads(report.read_text())
    return Outcome(process.returncode, process.stdout, process.stderr, heavy_imports)
