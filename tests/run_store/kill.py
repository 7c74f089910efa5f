"""Running code in forked processes that kill themselves at chosen points."""

import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run


def run_until_killed(folder: Path, pieces: Mapping[str, str]) -> None:
    """Run each piece of code in a fork of this process, which must end by SIGKILL.

    A fork has torch loaded already, so that a piece takes milliseconds. Pieces may use
    ``open_run()``, ``checkpoint(iteration)``, ``die()`` and ``runs_dir``, which is
    ``folder / name``.
    """
    for name, piece in pieces.items():
        child = os.fork()
        if child == 0:
            _run(piece, folder / name)
        exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert exit_code == -signal.SIGKILL, f"{name}: was not killed, exit code {exit_code}"


def _run(piece: str, runs_dir: Path) -> NoReturn:
    def open_run(resume: Any = "auto") -> Run:
        return Run.open(ExperimentSettings(runs_dir=str(runs_dir)), "r", {"seed": 1}, resume)

    names = {
        "os": os,
        "runs_dir": runs_dir,
        "open_run": open_run,
        "checkpoint": _checkpoint,
        "die": _die,
    }
    try:
        exec(piece, names)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def _checkpoint(iteration: int) -> Checkpoint:
    group = {"weight": torch.full((100,), float(iteration))}
    return Checkpoint(iteration, {"a": group, "b": group}, {"step": iteration})


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
