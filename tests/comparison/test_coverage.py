"""Confidence intervals contain the true value as often as they say, also with few seeds.

The true values follow from the distributions of the simulated runs; nothing is taken from the
code under test.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from nip.comparison.differences import compare_samples
from nip.comparison.estimates import Interval, Sample, estimate
from nip.comparison.questions import compare_by_question

pytestmark = pytest.mark.slow

SEEDS = [3, 5, 10]
NUM_REPETITIONS = 4000
LOW, HIGH = 0.93, 0.97


def coverage(intervals: Iterator[Interval], truth: float) -> float:
    """Return the share of intervals that contain the true value."""
    return float(np.mean([each.low <= truth <= each.high for each in intervals]))


def draws(num_runs: int, seed: int = 0) -> np.ndarray:
    """Return runs of many repetitions, (repetition, run), with mean 0.8 and spread 0.05."""
    return np.random.default_rng((num_runs, seed)).normal(0.8, 0.05, (NUM_REPETITIONS, num_runs))


@pytest.mark.parametrize("num_runs", SEEDS)
@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_an_estimate(statistic, num_runs: int) -> None:
    found = coverage((estimate(Sample.of(x), statistic) for x in draws(num_runs)), 0.8)
    assert LOW <= found <= HIGH


@pytest.mark.parametrize("num_runs", SEEDS)
def test_a_mean_of_accuracies_that_are_not_normal(num_runs: int) -> None:
    accuracies = np.random.default_rng(num_runs).beta(20, 5, (NUM_REPETITIONS, num_runs))
    found = coverage((estimate(Sample.of(x), is_share=True) for x in accuracies), 20 / 25)
    assert LOW <= found <= HIGH


@pytest.mark.parametrize("num_runs", SEEDS)
def test_a_difference_of_means(num_runs: int) -> None:
    pairs = zip(draws(num_runs), draws(num_runs, 1) + 0.1, strict=True)
    found = coverage((compare_samples(Sample.of(x), Sample.of(y)).interval for x, y in pairs), -0.1)
    assert LOW <= found <= HIGH


@pytest.mark.parametrize("num_runs", SEEDS)
def test_a_difference_of_interquartile_means(num_runs: int) -> None:
    pairs = list(zip(draws(num_runs), draws(num_runs, 1), strict=True))[:2000]
    intervals = (compare_samples(Sample.of(x), Sample.of(y), "iqm").interval for x, y in pairs)
    assert LOW <= coverage(intervals, 0.0) <= HIGH + 0.005


@pytest.mark.parametrize("num_runs", [3, 10])
def test_percentiles_of_few_seeds_are_too_narrow(num_runs: int) -> None:
    samples = (Sample.of(x) for x in draws(num_runs)[:1000])
    found = coverage((estimate(each, method="percentile") for each in samples), 0.8)
    assert found == pytest.approx({3: 0.75, 10: 0.9}[num_runs], abs=0.03)


@pytest.mark.parametrize("num_runs", SEEDS)
@pytest.mark.parametrize(
    ("of_questions", "of_verdicts", "highest"),
    [
        (0.2, 0.1, HIGH),
        # If little but single verdicts vary, the variance, which is never less than that of seeds
        # or of questions alone, is too large.
        (0.05, 0.3, HIGH + 0.015),
    ],
)
def test_a_difference_over_seeds_and_questions(
    num_runs: int, of_questions: float, of_verdicts: float, highest: float
) -> None:
    rng = np.random.default_rng(num_runs)
    names = np.arange(60).astype(str)

    def found() -> Iterator[Interval]:
        for _ in range(NUM_REPETITIONS // 2):
            question = rng.normal(0, 0.3, 60)
            groups = [
                question
                + rng.normal(0, of_questions, 60)  # How hard a question is for this group.
                + rng.normal(0, 0.03, (num_runs, 1))
                + rng.normal(0, of_verdicts, (num_runs, 60))
                for _ in range(2)
            ]
            yield compare_by_question(groups[0] + 0.1, groups[1], names, "both").interval

    assert LOW <= coverage(found(), 0.1) <= highest
