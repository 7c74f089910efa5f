"""Which questions are asked in which iteration."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nip.parameters import HyperParameters
from nip.run_store import RolloutPhase
from nip.seeding import stable_seed


@dataclass(frozen=True)
class RolloutRequest:
    """One question that is to be played."""

    position: int
    """Place among the rollouts of the stage."""

    datapoint: int
    """Row of the question in its split."""

    copy: int
    """How often the question has come before in this stage."""


def questions_of_stage(
    hyper_params: HyperParameters, phase: RolloutPhase, iteration: int, num_datapoints: int
) -> list[RolloutRequest]:
    """Return what is asked in a stage.

    A test on a part of its split asks the same part every time, so that its results compare.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    phase, iteration
        The stage.
    num_datapoints : int
        Questions in the split.
    """
    if phase == "test" and hyper_params.text_rl.test_on_whole_dataset:
        return whole_split(num_datapoints)
    number = _num_rollouts(hyper_params, num_datapoints)
    if phase == "test":
        number, iteration = min(number, num_datapoints), 0
    return questions_of_iteration(num_datapoints, number, iteration, hyper_params.seed)


def reruns_tests(hyper_params: HyperParameters) -> bool:
    """Whether nothing is trained, but the models of another run are tested."""
    return hyper_params.base_run.base_run_type == "rerun_tests"


def is_tested(
    hyper_params: HyperParameters, iteration: int, num_iterations: int | None = None
) -> bool:
    """Whether the agents play on the test split after an iteration.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    iteration : int
        The iteration, counted from 0.
    num_iterations : int, optional
        Iterations of a run that is stopped early.
    """
    is_forced = hyper_params.base_run.rerun_tests_force_test_during_training_state
    if reruns_tests(hyper_params) and is_forced:
        return True
    num_iterations = num_iterations or hyper_params.rl.num_iterations
    is_first, is_last = iteration == 0, iteration == num_iterations - 1
    return {
        "none": False,
        "all": True,
        "last": is_last,
        "first_and_last": is_first or is_last,
    }[hyper_params.text_rl.test_scheme]


def num_rollouts_of_iterations(
    hyper_params: HyperParameters, iterations: range, num_train: int, num_test: int
) -> int:
    """Count the rollouts of some iterations, tests included.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    iterations : range
        The iterations, counted from 0.
    num_train, num_test : int
        Questions in the splits.
    """
    num_tests = sum(is_tested(hyper_params, iteration) for iteration in iterations)
    per_iteration = 0 if reruns_tests(hyper_params) else _num_rollouts(hyper_params, num_train)
    per_test = len(questions_of_stage(hyper_params, "test", 0, num_test)) if num_tests else 0
    return len(iterations) * per_iteration + num_tests * per_test


def num_rollouts_of_run(hyper_params: HyperParameters, num_train: int, num_test: int) -> int:
    """Count the rollouts of all iterations and tests together."""
    iterations = range(hyper_params.rl.num_iterations)
    return num_rollouts_of_iterations(hyper_params, iterations, num_train, num_test)


def questions_of_iteration(
    num_datapoints: int, num_rollouts: int, iteration: int, seed: int
) -> list[RolloutRequest]:
    """Go on where the last iteration stopped, and round the data as often as is needed.

    Every pass over the data has an order of its own, so that any number of iterations of any size
    sees each question equally often, up to the pass that is under way.

    Parameters
    ----------
    num_datapoints : int
        Questions in the split.
    num_rollouts : int
        Rollouts of each iteration.
    iteration : int
        The iteration, counted from 0.
    seed : int
        Decides the orders.
    """
    first = iteration * num_rollouts
    rows: list[int] = []
    while len(rows) < num_rollouts:
        pass_number, offset = divmod(first + len(rows), num_datapoints)
        order = _order_of_pass(num_datapoints, pass_number, seed)
        rows.extend(order[offset : offset + num_rollouts - len(rows)])
    return with_copies(rows)


def whole_split(num_datapoints: int) -> list[RolloutRequest]:
    """Ask every question once, in the order of the data."""
    return with_copies(range(num_datapoints))


def with_copies(rows: Sequence[int]) -> list[RolloutRequest]:
    """Count how often each row has come before."""
    seen: Counter[int] = Counter()
    asked = []
    for position, row in enumerate(rows):
        asked.append(RolloutRequest(position, row, seen[row]))
        seen[row] += 1
    return asked


def _num_rollouts(hyper_params: HyperParameters, num_datapoints: int) -> int:
    return hyper_params.rl.rollouts_per_iteration or num_datapoints


def _order_of_pass(num_datapoints: int, pass_number: int, seed: int) -> list[int]:
    generator = np.random.default_rng(stable_seed(seed, "questions", pass_number))
    return [int(row) for row in generator.permutation(num_datapoints)]
