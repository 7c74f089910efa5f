"""Running functions on two ranks, which are forks of one fresh interpreter.

The interpreter imports torch once, and so starts its ranks in a fraction of a second.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUM_RANKS = 2
KILLED = -signal.SIGKILL
REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ending:
    """How one rank ended."""

    exit_code: int
    """0, 1 after an exception, or ``KILLED``."""

    result: Any
    """What the function returned, as JSON gives it back; None if it did not return."""


def run_on_ranks(*jobs: tuple[str, Any], timeout_s: float = 250) -> list[list[Ending]]:
    """Call functions, one after the other, each on two ranks of its own.

    Parameters
    ----------
    *jobs : tuple of str and Any
        A function, given as ``module:function``, and its argument, plain data.
    timeout_s : float
        When to give up.

    Returns
    -------
    endings : list of list of Ending
        Of each job, and of each of its ranks.
    """
    parent = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert parent.returncode == 0, parent.stderr
    lines = [json.loads(line) for line in parent.stdout.splitlines()]
    results = {(job, rank): result for kind, job, rank, result in lines if kind == "result"}
    codes = {(job, rank): code for kind, job, rank, code in lines if kind == "code"}
    endings = [
        [Ending(codes[job, rank], results.get((job, rank))) for rank in range(NUM_RANKS)]
        for job in range(len(jobs))
    ]
    assert all(each.exit_code in (0, 1, KILLED) for job in endings for each in job), parent.stderr
    return endings


def tell(*line: Any) -> None:
    os.write(1, f"{json.dumps(line)}\n".encode())


def run_rank(job: int, rank: int, function: str, argument: Any) -> int:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    module, _, name = function.partition(":")
    try:
        tell("result", job, rank, getattr(importlib.import_module(module), name)(argument))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    jobs = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    for function, _ in jobs:
        importlib.import_module(function.partition(":")[0])
    from torch.distributed import TCPStore

    for job, (function, argument) in enumerate(jobs):
        # As torchrun does, the parent keeps the store by which the ranks find each other.
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        os.environ |= {
            "WORLD_SIZE": str(NUM_RANKS),
            "LOCAL_WORLD_SIZE": str(NUM_RANKS),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        children = []
        for rank in range(NUM_RANKS):
            child = os.fork()
            if child == 0:
                os._exit(run_rank(job, rank, function, argument))
            children.append(child)
        for rank, child in enumerate(children):
            tell("code", job, rank, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
