"""Incentives: what the reward table of an agent pays it for."""

from collections.abc import Sequence
from enum import Enum, auto

DecidedRewards = Sequence[Sequence[float]]
"""``table[y][decision]``: rewards of one agent by the label and the decision."""


class Incentive(Enum):
    """What an agent is rewarded for."""

    REJECTION = auto()
    """A rejection, whatever the label."""

    ACCEPTANCE = auto()
    """An acceptance, whatever the label."""

    TRUTH = auto()
    """A right decision, equally for both labels."""

    ERROR = auto()
    """A wrong decision, equally for both labels."""

    NOTHING = auto()
    """The decision makes no difference."""

    MIXED = auto()
    """Anything else."""


def incentive_of(table: DecidedRewards) -> Incentive:
    """Return what a reward table pays for."""
    (reject_wrong, accept_wrong), (reject_correct, accept_correct) = table
    if reject_wrong == accept_wrong and reject_correct == accept_correct:
        return Incentive.NOTHING
    if (reject_wrong, accept_wrong) == (reject_correct, accept_correct):
        return Incentive.ACCEPTANCE if accept_wrong > reject_wrong else Incentive.REJECTION
    if (reject_wrong, accept_wrong) == (accept_correct, reject_correct):
        return Incentive.TRUTH if reject_wrong > accept_wrong else Incentive.ERROR
    return Incentive.MIXED


def side_of(table: DecidedRewards) -> int | None:
    """Return the decision that pays more for both labels; None if there is none."""
    for decision in (0, 1):
        if all(row[decision] > row[1 - decision] for row in table):
            return decision
    return None


def pays_against(table: DecidedRewards, decision: int) -> bool:
    """Return whether a table pays more for the other decision, for at least one label."""
    return any(row[decision] < row[1 - decision] for row in table)
