"""Distribution of problems and datapoints over the splits."""

import random
from collections.abc import Sequence

from nip.errors import ParameterError
from nip.scenarios.code_validation.problems.problem import Problem
from nip.seeding import stable_seed


def check_test_share(test_share: float) -> None:
    """Raise a ParameterError for a share of the test split that leaves a split empty."""
    if not 0 < test_share < 1:
        raise ParameterError(
            f"--test-share must be between 0 and 1, both exclusive, got {test_share}: an "
            "experiment needs a train and a test split."
        )


def split_problems(
    problems: Sequence[Problem], test_share: float, seed: int
) -> dict[str, list[Problem]]:
    """Assign each problem to a split, so that topics are spread over both.

    Raises
    ------
    ParameterError
        If a split would have no problems.
    """
    check_test_share(test_share)
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
    # Take problems at equal distances in this order, from a random offset.
    offset = generator.randrange(len(order))
    chosen = {(offset + place * len(order) // num_test) % len(order) for place in range(num_test)}
    splits: dict[str, list[Problem]] = {"train": [], "test": []}
    for place, problem in enumerate(order):
        splits["test" if place in chosen else "train"].append(problem)
    for group in splits.values():
        # If the pairs cannot be distributed evenly, the first problems get one more.
        generator.shuffle(group)
    return splits


def deal(total: int, capacities: Sequence[int | None]) -> list[int] | None:
    """Distribute a number over parts as evenly as their capacities allow.

    A capacity is None if it is unlimited or unknown. Return None if the total exceeds them all.
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
