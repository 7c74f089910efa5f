"""Comparison of runs of language models by question: paired differences over the same questions."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from nip.comparison.differences import Difference, difference_of
from nip.comparison.estimates import Interval, t_quantile
from nip.comparison.runs import RunRecord
from nip.errors import NipError, NipWarning, ParameterError
from nip.run_store import open_database
from nip.utils.clustered_mean import clustered_mean

Unit = Literal["seeds", "questions", "both"]
"""Over what an interval generalises: new seeds, new questions, or both."""

UNITS: tuple[Unit, ...] = ("seeds", "questions", "both")
METRIC = "test_mean_accuracy"
"""The metric that can be compared by question."""

_DIGEST = "test dataset"

Scores = Float[NDArray[np.float64], "_run question"]


@dataclass(frozen=True)
class QuestionScores:
    """Accuracy of runs on each question of the same test split."""

    scores: Mapping[str, NDArray[np.float64]]
    """By the folder of the run, the share of its dialogues about each question, (question,), that
    ended with the right verdict."""

    clusters: NDArray[Any]
    """Cluster of each question, (question,), such as the problem that it is about."""

    num_left_out: int
    """Number of questions that some runs have no finished dialogue about."""

    def of(self, runs: Sequence[RunRecord]) -> Scores:
        """Return the scores of some runs."""
        return np.stack([self.scores[str(run.folder)] for run in runs])

    @property
    def num_questions(self) -> int:
        """Number of questions that are compared."""
        return len(self.clusters)

    @property
    def num_clusters(self) -> int:
        """Number of clusters of these questions."""
        return len(np.unique(self.clusters))


def read_question_scores(
    runs: Sequence[RunRecord],
    iterations: Mapping[str, int],
    data_dir: Path | str | None,
    note: Callable[[str], object],
) -> QuestionScores:
    """Read the test dialogues of runs of language models.

    Failed dialogues are left out, as from all metrics, and so are questions that a run has no
    finished dialogue about.

    Parameters
    ----------
    runs : sequence of RunRecord
        The runs.
    iterations : mapping of str to int
        Iteration of each run, by its folder, counted from 1.
    data_dir : Path or str or None
        Folder of the datasets, from which clusters of questions are read; None: the one that the
        first run used.
    note : callable
        Called with remarks that belong to the result.

    Raises
    ------
    ParameterError
        If a run has no test dialogues, the test splits differ, or there is no common question.
    """
    found = {str(run.folder): _scores_of(run, iterations[str(run.folder)]) for run in runs}
    _check_same_data(runs)
    common = sorted(set.intersection(*(set(scores) for scores in found.values())))
    all_questions = {question for scores in found.values() for question in scores}
    if not common:
        raise ParameterError(
            "There is no question that all runs have a finished test dialogue about. Choose --unit "
            "seeds, which does not pair questions."
        )
    cluster_of = _clusters(runs[0], data_dir, note)
    return QuestionScores(
        {
            folder: np.array([scores[question] for question in common])
            for folder, scores in found.items()
        },
        np.array([cluster_of.get(question, question) for question in common]),
        len(all_questions) - len(common),
    )


def _scores_of(run: RunRecord, iteration: int) -> dict[str, float]:
    """Return the share of right verdicts by the id of the question."""
    is_right = defaultdict(list)
    with open_database(run.folder) as database:
        for record in database.rollouts.load("test", iteration):
            if record["status"] != "failed":
                is_right[str(record["datapoint_id"])].append(record["verdict"] == record["y"])
    if not is_right:
        raise ParameterError(
            f"Run {run.run_id!r} has no test dialogues of iteration {iteration}, so it cannot be "
            "compared by question: only runs of language models store what was decided about each "
            "question. Choose --unit seeds."
        )
    return {question: float(np.mean(each)) for question, each in is_right.items()}


def _check_same_data(runs: Sequence[RunRecord]) -> None:
    first, *others = [run for run in runs if _DIGEST in run.digests] or [runs[0]]
    for run in others:
        if run.digests[_DIGEST] != first.digests[_DIGEST]:
            raise ParameterError(
                f"Runs {first.run_id!r} and {run.run_id!r} were tested on different data (dataset "
                f"{first.parameters.get('dataset')!r} and {run.parameters.get('dataset')!r}), so "
                "their questions cannot be paired. Compare runs of the same dataset, or choose "
                "--unit seeds."
            )


def _clusters(
    run: RunRecord, data_dir: Path | str | None, note: Callable[[str], object]
) -> dict[str, str]:
    """Return the cluster of each question of a run; empty if its dataset cannot be read."""
    # Imported late, because it builds the text scenario.
    from nip.rollout_analysis.text_run import open_text_run

    try:
        with warnings.catch_warnings():
            # Which options have no effect was said when the run began.
            warnings.simplefilter("ignore", NipWarning)
            with open_text_run(run.folder, data_dir) as text_run:
                return text_run.cluster_of()
    except (NipError, OSError) as error:
        note(
            f"The dataset of run {run.run_id!r} could not be read, so each datapoint counts as a "
            f"question of its own, even if several are about one problem: {error}"
        )
        return {}


def estimate_by_question(
    scores: Scores, clusters: NDArray[Any], unit: Unit, confidence: float = 0.95
) -> Interval:
    """Estimate the mean score of the runs of a group; see ``compare_by_question``."""
    value, error, freedom = _crossed([(1, scores)], clusters, unit)
    half_width = t_quantile(confidence, freedom) * error
    return Interval(value, max(value - half_width, 0.0), min(value + half_width, 1.0))


def compare_by_question(
    first: Scores,
    second: Scores,
    clusters: NDArray[Any],
    unit: Unit,
    confidence: float = 0.95,
) -> Difference:
    r"""Compare two groups of runs by their differences on the same questions.

    The difference :math:`d_q` of question q is that of the mean scores of the groups on it.

    With the unit ``questions``, the agents are taken as they are: the standard error is the
    clustered one of the :math:`d_q` (Miller, 2024, "Adding Error Bars to Evals", sections 2.2 and
    4.2), with one question per cluster that of a paired t test.

    With ``both``, seeds and questions are random effects, questions crossed with seeds and seeds
    nested in groups:

    .. math:: V = \sum_g \frac{s_g^2}{n_g} + \mathrm{SE}_q^2 - \sum_g \frac{r_g^2}{n_g Q}

    with the variance :math:`s_g^2` of the means of the :math:`n_g` runs of group g, the clustered
    standard error :math:`\mathrm{SE}_q` of the differences, and the mean square :math:`r_g^2` of
    the interaction of run and question, which both others contain (Searle, Casella and McCulloch,
    1992, "Variance Components", chapter 4). V is at least the larger of the first two terms.
    Degrees of freedom are those of Satterthwaite (1946).

    Parameters
    ----------
    first, second : Scores
        Score of each run on each question, (run, question), in the same order of questions.
    clusters : NDArray
        Cluster of each question, (question,).
    unit : Unit
        ``questions`` or ``both``.
    confidence : float
        Coverage probability of the interval, in (0, 1).

    Raises
    ------
    ParameterError
        If there is a single cluster, or, with ``both``, a single run in a group.
    """
    return difference_of(*_crossed([(1, first), (-1, second)], clusters, unit), confidence)


def _crossed(
    groups: Sequence[tuple[int, Scores]], clusters: NDArray[Any], unit: Unit
) -> tuple[float, float, float]:
    """Return a sum of group means with its standard error and degrees of freedom."""
    by_question = np.sum([sign * scores.mean(axis=0) for sign, scores in groups], axis=0)
    mean = clustered_mean(by_question, clusters)
    if mean.standard_error is None:
        raise ParameterError(
            "An interval over questions needs at least 2 questions, got 1. Choose --unit seeds."
        )
    questions = mean.standard_error**2, mean.num_clusters - 1
    if unit == "questions":
        return mean.mean, sqrt(questions[0]), questions[1]
    seeds = [_seed_variance(scores) for _, scores in groups]
    over_seeds = sum(variance for variance, _ in seeds)
    counted_twice = sum(_interaction(scores) for _, scores in groups)
    total = max(over_seeds + questions[0] - counted_twice, over_seeds, questions[0])
    terms = sum(variance**2 / freedom for variance, freedom in [*seeds, questions])
    return mean.mean, sqrt(total), total**2 / terms if terms else float(questions[1])


def _seed_variance(scores: Scores) -> tuple[float, int]:
    num_runs = len(scores)
    if num_runs < 2:
        raise ParameterError(
            "An interval over seeds needs at least 2 runs in each group, got 1. Train with more "
            "seeds, or choose --unit questions, which is about these agents only."
        )
    return float(scores.mean(axis=1).var(ddof=1)) / num_runs, num_runs - 1


def _interaction(scores: Scores) -> float:
    """Return the part of the variance of the mean that is due to the interaction."""
    num_runs, num_questions = scores.shape
    residuals = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    mean_square = float((residuals**2).sum()) / ((num_runs - 1) * (num_questions - 1))
    return mean_square / (num_runs * num_questions)
