"""Problems and pairs are spread evenly over splits and problems."""

from collections import Counter

import pytest

from nip.errors import ParameterError
from nip.scenarios.code_validation.generation.splitting import deal, split_problems
from nip.scenarios.code_validation.problems.collection import all_problems


@pytest.mark.parametrize(
    ("total", "capacities", "counts"),
    [
        (7, [None, None, None], [3, 2, 2]),
        (7, [1, None, None], [1, 3, 3]),
        (7, [1, 0, 6], [1, 0, 6]),
        (7, [1, 0, 5], None),
        (0, [None], [0]),
    ],
)
def test_dealing_is_as_even_as_can_be(
    total: int, capacities: list[int | None], counts: list[int] | None
) -> None:
    assert deal(total, capacities) == counts


@pytest.mark.parametrize("seed", range(5))
def test_topics_are_spread_over_the_splits(seed: int) -> None:
    split = split_problems(all_problems(), 0.2, seed)
    assert len(split["test"]) == round(0.2 * len(all_problems()))
    in_test = Counter(problem.topic for problem in split["test"])
    for topic, count in Counter(problem.topic for problem in all_problems()).items():
        assert abs(in_test[topic] - 0.2 * count) < 1


def test_splits_share_no_problem_and_lose_none() -> None:
    split = split_problems(all_problems(), 0.2, seed=0)
    names = [problem.name for group in split.values() for problem in group]
    assert sorted(names) == [problem.name for problem in all_problems()]


@pytest.mark.parametrize("test_share", [0.0, 1.0])
def test_a_split_without_problems_is_refused(test_share: float) -> None:
    with pytest.raises(ParameterError, match="--test-share must be between 0 and 1"):
        split_problems(all_problems(), test_share, seed=0)


def test_a_single_problem_cannot_be_split() -> None:
    with pytest.raises(ParameterError, match="At least 2 problems are needed"):
        split_problems(all_problems()[:1], 0.5, seed=0)
