"""Datapoints of text scenarios, and datasets of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from nip.seeding import stable_seed


def prover_stance_of(solution: str) -> int:
    """Return the randomised stance of a prover for a solution: the decision it argues for.

    It is 0 (reject) or 1 (accept), each for about half of all solutions, and depends on nothing
    but the text of the solution.
    """
    return stable_seed("prover stance", solution) % 2


@dataclass(frozen=True, slots=True)
class TextDatapoint:
    """One solution to one problem, which is either right or wrong."""

    id: str
    """Unique id within the dataset, the same in every run."""

    question: str
    """The problem."""

    solution: str
    """The solution that the verifier judges."""

    y: int
    """1 if the solution is right, 0 if it is wrong."""

    prover_stance: int
    """Decision (0 or 1) for which a single prover argues, if stances are randomised."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further JSON data, hidden from all agents."""

    cluster: str | None = None
    """Name of the unit by which the data is split, such as the problem that many solutions share;
    None for the question. Datapoints of one cluster are not independent, so that confidence
    intervals cluster by it."""

    @property
    def cluster_id(self) -> str:
        """Name of the cluster: ``cluster``, or else the text of the question."""
        return self.question if self.cluster is None else self.cluster


class TextDataset(Sequence[TextDatapoint]):
    """Datapoints in a fixed order.

    Parameters
    ----------
    datapoints : iterable of TextDatapoint
        The datapoints, with unique ids.

    Raises
    ------
    ValueError
        If two datapoints have the same id.
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
        """Return the datapoint at an index, or the dataset of a slice."""
        if isinstance(index, slice):
            return TextDataset(self._datapoints[index])
        return self._datapoints[index]

    def fingerprint(self) -> str:
        """Return the SHA-256 of ids, texts, labels and stances, in order."""
        digest = hashlib.sha256()
        for each in self._datapoints:
            row = [each.id, each.question, each.solution, int(each.y), int(each.prover_stance)]
            digest.update(json.dumps(row).encode() + b"\n")
        return digest.hexdigest()
