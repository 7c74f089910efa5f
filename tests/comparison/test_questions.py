"""Paired comparison by question."""

import numpy as np
import pytest
from scipy import stats

from nip.comparison.questions import (
    compare_by_question,
    estimate_by_question,
    read_question_scores,
)
from nip.comparison.runs import read_runs
from nip.errors import ParameterError
from nip.utils.clustered_mean import clustered_mean
from tests.comparison.stored_runs import METRIC, write_run

QUESTIONS = np.array([f"q{number}" for number in range(40)])


def scores_of(num_runs: int, shift: np.ndarray, seed: int) -> np.ndarray:
    """Return scores with a spread between questions, and little between runs."""
    difficulty = np.linspace(0.1, 0.9, len(QUESTIONS))
    noise = np.random.default_rng(seed).normal(0, 0.02, size=(num_runs, len(QUESTIONS)))
    return difficulty + shift + noise


def test_over_questions_it_is_the_paired_t_test() -> None:
    first, second = scores_of(3, np.zeros(40), 0), scores_of(2, np.full(40, 0.01), 1)
    found = compare_by_question(first, second, QUESTIONS, "questions")
    expected = stats.ttest_rel(first.mean(axis=0), second.mean(axis=0))
    ends = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (ends.low, ends.high), abs=1e-9
    )


@pytest.mark.parametrize("unit", ["questions", "both"])
def test_of_two_equal_mean_differences_only_the_consistent_one_is_significant(unit) -> None:
    noise = np.random.default_rng(0).normal(0, 1, len(QUESTIONS))
    noise += 0.1 - noise.mean()
    baseline = scores_of(5, np.zeros(40), 0)
    consistent = compare_by_question(scores_of(5, np.full(40, 0.1), 1), baseline, QUESTIONS, unit)
    noisy = compare_by_question(scores_of(5, noise, 1), baseline, QUESTIONS, unit)
    assert consistent.interval.value == pytest.approx(noisy.interval.value)
    assert consistent.p_value < 0.001
    assert noisy.p_value > 0.3


def test_of_two_equal_mean_differences_over_seeds_only_the_consistent_one_is_significant() -> None:
    even = np.array([0.08, 0.1, 0.12])[:, None] + np.zeros(40)
    wild = np.array([-0.5, 0.1, 0.7])[:, None] + np.zeros(40)
    baseline = scores_of(3, np.zeros(40), 0)
    consistent = compare_by_question(baseline + even, baseline, QUESTIONS, "both")
    noisy = compare_by_question(baseline + wild, baseline, QUESTIONS, "both")
    assert consistent.interval.value == pytest.approx(noisy.interval.value)
    assert consistent.p_value < 0.05 < noisy.p_value


def test_without_interaction_the_variances_over_seeds_and_questions_add_up() -> None:
    by_run, by_question = np.array([0.0, 0.1, 0.4]), np.linspace(0, 1, 40)
    first = by_run[:, None] + by_question
    second = np.array([0.2, 0.3])[:, None] + np.zeros(40)
    found = compare_by_question(first, second, QUESTIONS, "both")
    seeds = by_run.var(ddof=1) / 3, np.var([0.2, 0.3], ddof=1) / 2
    questions = by_question.var(ddof=1) / 40
    assert found.standard_error**2 == pytest.approx(sum(seeds) + questions)
    terms = seeds[0] ** 2 / 2 + seeds[1] ** 2 / 1 + questions**2 / 39
    assert found.degrees_of_freedom == pytest.approx((sum(seeds) + questions) ** 2 / terms)


def test_questions_about_one_problem_count_as_one() -> None:
    problems = np.repeat(np.arange(4), 10).astype(str)
    scores = scores_of(1, np.zeros(40), 0)
    found = estimate_by_question(scores, problems, "questions")
    expected = clustered_mean(scores[0], problems)
    assert (found.low, found.high) == pytest.approx((expected.ci_low, expected.ci_high))


def test_what_cannot_be_known_is_refused() -> None:
    scores = scores_of(1, np.zeros(40), 0)
    with pytest.raises(ParameterError, match="at least 2 runs in each group, got 1"):
        compare_by_question(scores, scores, QUESTIONS, "both")
    with pytest.raises(ParameterError, match="at least 2 questions, got 1"):
        compare_by_question(scores, scores, np.repeat("one", 40), "questions")


def read(folder, iteration=1):
    records = read_runs(["a", "b"], folder)
    remarks = []
    iterations = {str(record.folder): iteration for record in records}
    return read_question_scores(records, iterations, None, remarks.append), remarks


def write_pair(folder, first, second, digests=("d", "d")) -> None:
    for name, dialogues, digest in zip("ab", (first, second), digests, strict=True):
        write_run(
            folder,
            name,
            {"seed": 1, "trainer": name, "dataset": f"data-{digest}"},
            {1: {METRIC: 0.5}},
            digests={"test dataset": digest},
            dialogues={1: dialogues},
        )


def test_scores_are_shares_of_right_verdicts_without_failed_dialogues(tmp_path) -> None:
    write_pair(
        tmp_path,
        {"q1": [True, False, None], "q2": [True], "q3": [None]},
        {"q1": [False], "q2": [True, True], "q3": [True]},
    )
    found, remarks = read(tmp_path)
    assert found.num_left_out == 1
    assert found.scores[str(tmp_path / "a")].tolist() == [0.5, 1.0]
    assert found.scores[str(tmp_path / "b")].tolist() == [0.0, 1.0]
    # The dataset of these runs does not exist.
    assert found.clusters.tolist() == ["q1", "q2"]
    assert "could not be read, so each datapoint counts" in remarks[0]


def test_runs_on_different_data_are_refused(tmp_path) -> None:
    write_pair(tmp_path, {"q1": [True]}, {"q1": [True]}, ("one", "two"))
    with pytest.raises(ParameterError, match="'a' and 'b' were tested on different data") as error:
        read(tmp_path)
    assert "'data-one' and 'data-two'" in str(error.value)


def test_runs_without_common_questions_or_without_dialogues_are_refused(tmp_path) -> None:
    write_pair(tmp_path, {"q1": [True]}, {"q2": [True]})
    with pytest.raises(ParameterError, match="no question that all runs have"):
        read(tmp_path)
    with pytest.raises(ParameterError, match="'a' has no test dialogues of iteration 2"):
        read(tmp_path, iteration=2)
