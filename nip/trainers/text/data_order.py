"""The order of datapoints: which of them are sampled in which iteration and in tests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nip.parameters import HyperParameters
from nip.run_store import RolloutPhase
from nip.scenario_base.text.agent import TextAgent
from nip.seeding import stable_seed


@dataclass(frozen=True)
class RolloutRequest:
    """One rollout to sample."""

    position: int
    """Index among the rollouts of the stage."""

    datapoint: int
    """Row of the datapoint in its split."""

    copy: int
    """Number of earlier rollouts of the same datapoint in this stage."""


def requests_of_stage(
    hyper_params: HyperParameters, phase: RolloutPhase, iteration: int, num_datapoints: int
) -> list[RolloutRequest]:
    """Return the rollouts of a stage, for a split of ``num_datapoints``.

    A test on a part of the split uses the same part in every iteration, so that results are
    comparable.
    """
    if phase == "test" and hyper_params.text_rl.test_on_whole_dataset:
        return whole_split(num_datapoints)
    number = _num_rollouts(hyper_params, num_datapoints)
    if phase == "test":
        number, iteration = min(number, num_datapoints), 0
    return requests_of_iteration(num_datapoints, number, iteration, hyper_params.seed)


def reruns_tests(hyper_params: HyperParameters) -> bool:
    """Tell whether the run only tests the models of another run."""
    return hyper_params.base_run.base_run_type == "rerun_tests"


def is_tested(
    hyper_params: HyperParameters, iteration: int, num_iterations: int | None = None
) -> bool:
    """Tell whether an iteration, given by its index from 0, includes a test.

    ``num_iterations`` is that of the run, if it is stopped early.
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
    """Count the rollouts of some iterations, including tests, for the sizes of both splits."""
    num_tests = sum(is_tested(hyper_params, iteration) for iteration in iterations)
    per_iteration = 0 if reruns_tests(hyper_params) else _num_rollouts(hyper_params, num_train)
    per_test = len(requests_of_stage(hyper_params, "test", 0, num_test)) if num_tests else 0
    return len(iterations) * per_iteration + num_tests * per_test


def num_rollouts_of_run(hyper_params: HyperParameters, num_train: int, num_test: int) -> int:
    """Count the rollouts of all iterations, including tests."""
    iterations = range(hyper_params.rl.num_iterations)
    return num_rollouts_of_iterations(hyper_params, iterations, num_train, num_test)


def requests_of_iteration(
    num_datapoints: int, num_rollouts: int, iteration: int, seed: int
) -> list[RolloutRequest]:
    """Return the rollouts of an iteration, which continue the passes over the data.

    Each pass over the data has its own random order, and iterations take consecutive rows of these
    passes. So every datapoint is sampled equally often, except in the current pass, whatever the
    number of rollouts per iteration.
    """
    first = iteration * num_rollouts
    rows: list[int] = []
    while len(rows) < num_rollouts:
        pass_number, offset = divmod(first + len(rows), num_datapoints)
        order = _order_of_pass(num_datapoints, pass_number, seed)
        rows.extend(order[offset : offset + num_rollouts - len(rows)])
    return with_copies(rows)


def whole_split(num_datapoints: int) -> list[RolloutRequest]:
    """Return one rollout per datapoint, in the order of the split."""
    return with_copies(range(num_datapoints))


def with_copies(rows: Sequence[int]) -> list[RolloutRequest]:
    """Return rollouts of some rows, with positions and copy numbers."""
    num_copies: Counter[int] = Counter()
    requests = []
    for position, row in enumerate(rows):
        requests.append(RolloutRequest(position, row, num_copies[row]))
        num_copies[row] += 1
    return requests


def _num_rollouts(hyper_params: HyperParameters, num_datapoints: int) -> int:
    return hyper_params.rl.rollouts_per_iteration or num_datapoints


def _order_of_pass(num_datapoints: int, pass_number: int, seed: int) -> list[int]:
    generator = np.random.default_rng(stable_seed(seed, "questions", pass_number))
    return [int(row) for row in generator.permutation(num_datapoints)]


def first_iteration_learnt_from(
    hyper_params: HyperParameters, agent: TextAgent, iteration: int
) -> int:
    """Return the first iteration whose rollouts an agent learns from after an iteration."""
    if agent.params.rollout_window is not None:
        return max(0, iteration - agent.params.rollout_window + 1)
    return 0 if hyper_params.text_rl.fine_tune_on_all_previous_rollouts else iteration
