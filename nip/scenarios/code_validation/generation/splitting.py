"""Dividing problems and datapoints among the splits."""

import random
from collections.abc import Sequence

from nip.errors import ParameterError
from nip.scenarios.code_validation.problems.problem import Problem
from nip.seeding import stable_seed


def split_problems(
    problems: Sequence[Problem], test_share: float, seed: int
) -> dict[str, list[Problem]]:
    """Decide for each problem in which split it is, so that topics are spread over both.

    Raises
    ------
    ParameterError
        If a split would be left without problems.
    """
    if not 0 < test_share < 1:
        raise ParameterError(
            f"--test-share must be between 0 and 1, both exclusive, got {test_share}: an "
            "experiment needs a train and a test split."
        )
    if len(problems) < 2:
        raise ParameterError(
            f"At least 2 problems are needed, because the splits share none, got {len(problems)}. "
            "Give --problems more topics or problems."
        )
    generator = random.Random(stable_seed(seed, "code_validation", "split"))
    order = sorted(problems, key=lambda problem: problem.name)
    generator.shuffle(order)
    order.sort(key=lambda problem: problem.topic)
    num_test = min(max(round(test_share * len(order)), 1), len(order) - 1)
    # Every so many problems of the order one is taken, beginning anywhere.
    offset = generator.randrange(len(order))
    chosen = {(offset + place * len(order) // num_test) % len(order) for place in range(num_test)}
    splits: dict[str, list[Problem]] = {"train": [], "test": []}
    for place, problem in enumerate(order):
        splits["test" if place in chosen else "train"].append(problem)
    for group in splits.values():
        # The first ones get one pair more than the others where pairs cannot be dealt evenly.
        generator.shuffle(group)
    return splits


def deal(total: int, capacities: Sequence[int | None]) -> list[int] | None:
    """Divide a number among parts as evenly as they can take it.

    Parameters
    ----------
    total : int
        What is to be divided.
    capacities : sequence of int or None
        The most that each part can take; None if that is not known to be limited.

    Returns
    -------
    counts : list of int, or None
        One number per part; None if all of them together cannot take the total.
    """
    counts = [0] * len(capacities)
    while total > 0:
        open_parts = [
            part
            for part, capacity in enumerate(capacities)
            if capacity is None or counts[part] < capacity
        ]
        if not open_parts:
            return None
        for part in open_parts[:total]:
            counts[part] += 1
        total -= len(open_parts[:total])
    return counts
