"""A budget that several runs share: a file in which each run reserves before it spends.

Each run has a claim, an upper bound of all that it has spent and reserved so far. A claim is raised
before a request is sent, and lowered after its charge was recorded, under a lock on the file. So
the claims never add up to more than the budget, and the claim of a killed run stays until the run
is resumed.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import fsum
from pathlib import Path
from typing import Any, Literal

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.run_store.reading import is_run_in_use
from nip.utils.file_lock import FileLock
from nip.utils.files import read_text, write_atomically
from nip.utils.stop_signals import stop_if_requested

Verdict = Literal["granted", "wait", "exceeded"]

POLL_S = 0.25
"""Seconds until a run asks again for dollars that other runs have reserved."""

_MARGIN = 1e-3
"""Share of the budget that a run claims in advance, so that not every call waits for the file."""


@dataclass
class Claim:
    """What one run may have spent and reserved."""

    dollars: float = 0.0
    """Upper bound of all that the run has spent and reserved."""

    is_settled: bool = False
    """Whether nothing of it is reserved, so that the run has no dollars to return."""

    is_probing: bool = False
    """Whether its only request is the first to some model, so that its charge is not known."""


@dataclass
class SharedBudget:
    """Content of the file."""

    max_cost: float
    """The budget in dollars."""

    claims: dict[str, Claim] = field(default_factory=dict)
    """Claims by the folder of the run."""

    excess: dict[str, list[float]] = field(default_factory=dict)
    """By model: largest ratio of a charge to its bound, and dollars per token beyond the price."""

    @property
    def claimed(self) -> float:
        """Dollars that all runs together may have spent and reserved."""
        return fsum(claim.dollars for claim in self.claims.values())

    @classmethod
    def read(cls, path: Path) -> "SharedBudget":
        """Read the file.

        Raises
        ------
        ParameterError
            If it is missing or damaged.
        """
        try:
            data = json.loads(read_text(path))
            claims = {name: Claim(**claim) for name, claim in data["claims"].items()}
            excess = {name: [float(each) for each in pair] for name, pair in data["excess"].items()}
            return cls(float(data["max_cost"]), claims, excess)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ParameterError(
                f"settings.shared_budget={str(path)!r} is not the file of a shared budget "
                f"({type(error).__name__}). It is created by a sweep with max_cost; restore it "
                "from a copy, because it holds what was spent."
            ) from error

    def write(self, path: Path) -> None:
        """Replace the file."""
        write_atomically(path, json.dumps(asdict(self), indent=1))


@contextmanager
def locked_budget(path: Path) -> Iterator[SharedBudget]:
    """Read the file under its lock, and write what a block has changed, unless it raises."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    lock.acquire(wait=True)
    try:
        budget = SharedBudget.read(path)
        before = asdict(budget)
        yield budget
        # A run that waits asks again and again, and changes nothing.
        if asdict(budget) != before:
            budget.write(path)
    finally:
        lock.release()


def set_shared_budget(path: Path, max_cost: float) -> None:
    """Create the file, or change the budget and leave the claims."""
    if not path.exists():
        SharedBudget(max_cost).write(path)
        return
    with locked_budget(path) as budget:
        budget.max_cost = max_cost


class BudgetShare:
    """The claim of one run on a shared budget.

    Parameters
    ----------
    path : Path
        File of the budget.
    run_folder : Path
        Folder of the run, whose lock this process holds.
    """

    def __init__(self, path: Path, run_folder: Path) -> None:
        self.path = path
        self._name = str(run_folder.absolute())
        earlier = SharedBudget.read(path).claims.get(self._name, Claim())
        self._claim = Claim(earlier.dollars)

    def claim(
        self,
        spent: float,
        needed: float,
        *,
        wanted: float = 0.0,
        is_idle: bool,
        is_probe: bool = False,
    ) -> Verdict:
        """Claim dollars for a request.

        Parameters
        ----------
        spent : float
            All that the run has spent and reserved.
        needed : float
            Dollars that the request needs in addition.
        wanted : float
            Dollars that are claimed for it if there are as many.
        is_idle : bool
            Whether no other request of this run is under way.
        is_probe : bool
            Whether everything that is left is reserved while it runs.

        Returns
        -------
        verdict : Verdict
            ``granted``; ``wait`` if other requests or runs may still return dollars; or
            ``exceeded``.
        """
        if not is_probe and spent + needed <= self._claim.dollars:
            return "granted"
        with locked_budget(self.path) as budget:
            others = {name: each for name, each in budget.claims.items() if name != self._name}
            left = budget.max_cost - fsum(each.dollars for each in others.values())
            is_blocked = any(each.is_probing and _is_alive(name) for name, each in others.items())
            verdict: Verdict = "wait"
            claim = Claim(spent, is_settled=is_idle, is_probing=self._claim.is_probing)
            if spent + needed <= left and not is_blocked:
                verdict = "granted"
                wanted = max(wanted, needed + _MARGIN * budget.max_cost)
                is_probing = is_probe or self._claim.is_probing
                claim = Claim(min(left, spent + wanted), is_probing=is_probing)
            elif is_idle and not is_blocked:
                may_return = (name for name, each in others.items() if not each.is_settled)
                verdict = "wait" if any(map(_is_alive, may_return)) else "exceeded"
            budget.claims[self._name] = claim
        self._claim = claim
        return verdict

    def wait_for(self, spent: float, needed: float, *, is_idle: bool = True) -> bool:
        """Claim dollars, and wait until other runs return them; return whether there are enough.

        Unless ``is_idle``, there is no wait: the run has requests under way that may return some.
        """
        while (verdict := self.claim(spent, needed, is_idle=is_idle)) == "wait" and is_idle:
            stop_if_requested()
            time.sleep(POLL_S)
        return verdict == "granted"

    def settle(self, spent: float, *, is_probing: bool = False, exactly: bool = False) -> None:
        """Return dollars after charges were recorded.

        Parameters
        ----------
        spent : float
            All that the run has spent and reserved.
        is_probing : bool
            Whether the first request to some model is still under way.
        exactly : bool
            Whether all requests have ended, so that everything is returned. Otherwise a little is
            kept for the next ones.
        """
        claim = Claim(spent, is_settled=exactly, is_probing=is_probing)
        if claim == self._claim:
            return
        if is_probing == self._claim.is_probing and not exactly:
            surplus = self._claim.dollars - spent
            if surplus <= 2 * _MARGIN * self.read().max_cost:
                return
        with locked_budget(self.path) as budget:
            budget.claims[self._name] = claim
        self._claim = claim

    def read(self) -> SharedBudget:
        """Read the file, without its lock."""
        return SharedBudget.read(self.path)

    def known_excess(self, model: ModelSpec) -> list[float] | None:
        """Return what the first call to a model has shown, also in another run; else None."""
        return self.read().excess.get(_key(model))

    def note_excess(self, model: ModelSpec, excess: float, unpriced: float) -> None:
        """Let other runs know by how much the charges of a model exceed their bound."""
        known = self.known_excess(model)
        if known is not None and known[0] >= excess and known[1] >= unpriced:
            return
        with locked_budget(self.path) as budget:
            before = budget.excess.get(_key(model), [0.0, 0.0])
            budget.excess[_key(model)] = [max(before[0], excess), max(before[1], unpriced)]


def _is_alive(folder: str) -> bool:
    return is_run_in_use(Path(folder))


def _key(model: ModelSpec) -> str:
    data: dict[str, Any] = model.to_dict()
    return json.dumps(data, sort_keys=True)
