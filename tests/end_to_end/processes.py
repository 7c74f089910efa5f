"""Running whole experiments in processes of their own, some of which kill themselves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.fork_server import KILLED, fork_server

__all__ = ["KILLED", "Start", "run_in_processes"]


@dataclass(frozen=True)
class Start:
    """One start of an experiment in a process of its own."""

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
    server, codes = fork_server(hash_seed), []
    for start in starts:
        ending = server.call("tests.end_to_end.forking_child:run", asdict(start))
        assert ending.exit_code in (0, KILLED), ending.stderr
        codes.append(ending.exit_code)
    return codes
