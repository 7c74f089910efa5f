"""Questions about texts, and collections of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from nip.seeding import stable_seed


def prover_stance_of(solution: str) -> int:
    """Return for which decision a prover argues about a solution, if stances are randomised.

    Parameters
    ----------
    solution : str
        The text of the solution, which alone decides.

    Returns
    -------
    stance : int
        0 (reject) or 1 (accept), each for about half of all texts.
    """
    return stable_seed("prover stance", solution) % 2


@dataclass(frozen=True, slots=True)
class TextDatapoint:
    """One solution to one problem, which is either right or wrong."""

    id: str
    """Unique name within the dataset, which stays the same from run to run."""

    question: str
    """The problem."""

    solution: str
    """What is to be judged."""

    y: int
    """1 if the solution is right, 0 if it is wrong."""

    prover_stance: int
    """For which decision (0 or 1) a single prover argues, if stances are randomised."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else is known; nobody in the dialogue reads it. JSON must be able to hold it."""


class TextDataset(Sequence[TextDatapoint]):
    """Datapoints in a fixed order.

    Parameters
    ----------
    datapoints : iterable of TextDatapoint
        The datapoints; their ids must differ.

    Raises
    ------
    ValueError
        If two of them have the same id.
    """

    def __init__(self, datapoints: Iterable[TextDatapoint]) -> None:
        self._datapoints = tuple(datapoints)
        seen: set[str] = set()
        for datapoint in self._datapoints:
            if datapoint.id in seen:
                raise ValueError(
                    f"The ids of the datapoints must differ, got {datapoint.id!r} twice. Rename "
                    "one of them."
                )
            seen.add(datapoint.id)

    def __len__(self) -> int:
        return len(self._datapoints)

    @overload
    def __getitem__(self, index: int) -> TextDatapoint: ...

    @overload
    def __getitem__(self, index: slice) -> "TextDataset": ...

    def __getitem__(self, index: int | slice) -> "TextDatapoint | TextDataset":
        """Return one datapoint, or a dataset of some."""
        if isinstance(index, slice):
            return TextDataset(self._datapoints[index])
        return self._datapoints[index]

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that agents, rewards and labels depend on, in order."""
        digest = hashlib.sha256()
        for each in self._datapoints:
            row = [each.id, each.question, each.solution, int(each.y), int(each.prover_stance)]
            digest.update(json.dumps(row).encode() + b"\n")
        return digest.hexdigest()
