"""Running whole experiments in processes of their own, some of which kill themselves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Start:
    """One start of an experiment in a fresh process."""

    run_id: str
    """Name of the run."""

    parameters: dict[str, Any]
    """The hyper-parameters as plain data."""

    settings: dict[str, Any]
    """The settings as plain data."""

    preparation: str = ""
    """Code that runs before, with the functions of ``forking_child.py``."""


def run_in_processes(starts: Sequence[Start], *, hash_seed: int = 0) -> list[int]:
    """Run experiments, one after the other, each in a process of its own.

    Parameters
    ----------
    starts : sequence of Start
        What to run.
    hash_seed : int
        Value of ``PYTHONHASHSEED``, on which the order of sets depends.

    Returns
    -------
    exit_codes : list of int
        Of each process; ``KILLED`` for one that was killed.
    """
    child = subprocess.run(
        [sys.executable, Path(__file__).with_name("forking_child.py")],
        input=json.dumps([asdict(start) for start in starts]),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
    )
    codes = [int(line) for line in child.stdout.splitlines()]
    assert set(codes) <= {0, KILLED}, child.stderr
    assert len(codes) == len(starts), child.stderr
    return codes
