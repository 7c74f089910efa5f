"""The tests of every problem: enough inputs, on which all solutions agree."""

import pytest

from nip.scenarios.code_validation.generation.problem_tests import draw_inputs, make_tests
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.problems.collection import all_problems, choose_problems


@pytest.mark.parametrize("problem", all_problems(), ids=lambda problem: problem.name)
def test_solutions_agree_in_the_sandbox_whatever_the_order_of_sets(
    problem, sandboxes: tuple[Sandbox, Sandbox]
) -> None:
    one, other = (make_tests(problem, sandbox, seed=1) for sandbox in sandboxes)
    assert one.expected == other.expected
    assert len(one.inputs) >= 40
    assert one.max_steps < 200_000


@pytest.fixture(scope="module")
def sandboxes():
    with Sandbox(hash_seed=0) as one, Sandbox(hash_seed=1) as other:
        yield one, other


def test_inputs_begin_with_the_edge_cases_and_depend_on_the_seed_alone() -> None:
    (problem,) = choose_problems(["run_lengths"])
    inputs = draw_inputs(problem, seed=1)
    assert inputs[: len(problem.edge_cases)] == problem.edge_cases
    assert draw_inputs(problem, seed=1) == inputs != draw_inputs(problem, seed=2)
