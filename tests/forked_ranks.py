"""Running functions on two ranks, each a process of its own."""

import json
import os
import traceback
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.fork_server import KILLED, fork_server

__all__ = ["KILLED", "Ending", "run_on_ranks"]

NUM_RANKS = 2


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
        How long each may take.

    Returns
    -------
    endings : list of list of Ending
        Of each job, and of each of its ranks.
    """
    endings = []
    for job in jobs:
        parent = fork_server().call(f"{__name__}:run_ranks", *job, seconds=timeout_s)
        assert parent.exit_code == 0, parent.stderr
        results = dict(json.loads(line) for line in parent.stdout.splitlines() if line[:1] == "[")
        ranks = [Ending(code, results.get(rank)) for rank, code in enumerate(parent.result)]
        assert all(each.exit_code in (0, 1, KILLED) for each in ranks), parent.stderr
        endings.append(ranks)
    return endings


def run_ranks(function: str, argument: Any) -> list[int]:
    """Fork for each rank; return their exit codes. Each writes its result to standard output."""
    from torch.distributed import TCPStore

    warnings.simplefilter("ignore")
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
            os._exit(run_rank(rank, function, argument))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def run_rank(rank: int, function: str, argument: Any) -> int:
    """Call the function on one rank; return the exit code."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    module, _, name = function.partition(":")
    try:
        result = getattr(import_module(module), name)(argument)
    except BaseException:
        traceback.print_exc()
        return 1
    # In one piece, so that what the ranks write does not mingle.
    os.write(1, f"{json.dumps([rank, result])}\n".encode())
    return 0
