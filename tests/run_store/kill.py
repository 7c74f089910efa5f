"""Running pieces of runs in other processes, which kill themselves at chosen points."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# One process imports torch once and forks a child for each piece: many pieces take little time.
_FORKING = """
import json, os, signal, sys, traceback
import torch
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def checkpoint(iteration):
    group = {"weight": torch.full((100,), float(iteration))}
    return Checkpoint(iteration, {"a": group, "b": group}, {"step": iteration})

def open_run(resume="auto"):
    return Run.open(ExperimentSettings(runs_dir=runs_dir), "r", {"seed": 1}, resume)

folder, pieces = json.load(sys.stdin)
for name, piece in pieces.items():
    runs_dir = os.path.join(folder, name)
    child = os.fork()
    if child == 0:
        try:
            exec(piece, globals())
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        sys.exit(f"{name}: was not killed, status {status}")
"""


def run_until_killed(folder: Path, pieces: Mapping[str, str]) -> None:
    """Run pieces of code, each in a process of its own that must end by SIGKILL.

    They may use `open_run()`, `checkpoint(iteration)` and `die()`; runs lie in `folder / name`.
    """
    child = subprocess.run(
        [sys.executable, "-c", _FORKING],
        input=json.dumps([str(folder), dict(pieces)]),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
