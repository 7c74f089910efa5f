"""The tests of a problem: inputs, and the outputs on which all of its solutions agree."""

import json
import random
from dataclasses import dataclass
from typing import Any

from nip.scenarios.code_validation.generation.sandbox import ProgramRun, Sandbox
from nip.scenarios.code_validation.problems.problem import LARGEST_SIZE, Arguments, Problem
from nip.seeding import stable_seed

NUM_GENERATED_INPUTS = 200
"""Generated inputs per problem, besides the hand-picked ones; fewer where they repeat."""

MOST_STEPS_OF_A_SOLUTION = 1_000_000

STEP_FACTOR, STEP_ALLOWANCE = 20, 1000
"""A variant may take so many times the steps of the slowest solution, and so many more."""


@dataclass(frozen=True)
class ProblemTests:
    """Inputs with their expected outputs."""

    inputs: tuple[Arguments, ...]
    """Arguments of each call: the hand-picked ones first, then the generated ones."""

    expected: tuple[Any, ...]
    """What ``solve`` has to return."""

    max_steps: int
    """Steps after which a call is given up."""


def make_tests(problem: Problem, sandbox: Sandbox, seed: int) -> ProblemTests:
    """Draw the inputs of a problem and find out the expected outputs.

    Afterwards the inputs are set in the sandbox. A solution of the problem that fails, or that
    disagrees with another one, is a mistake of ours and raises an AssertionError.

    Parameters
    ----------
    problem : Problem
        What is to be tested.
    sandbox : Sandbox
        Where the solutions are run.
    seed : int
        The same seed draws the same inputs.
    """
    inputs = draw_inputs(problem, seed)
    sandbox.set_inputs(inputs)
    runs = [sandbox.run(solution, MOST_STEPS_OF_A_SOLUTION) for solution in problem.solutions]
    columns = [_outputs(problem, index, run, inputs) for index, run in enumerate(runs)]
    for arguments, values in zip(inputs, zip(*columns, strict=True), strict=True):
        assert all(value == values[0] for value in values), (
            f"The solutions of {problem.name} disagree on {json.dumps(arguments)}: {values}"
        )
    steps = max(run.steps for run in runs)
    return ProblemTests(inputs, tuple(columns[0]), STEP_FACTOR * steps + STEP_ALLOWANCE)


def draw_inputs(problem: Problem, seed: int) -> tuple[Arguments, ...]:
    """Put together the inputs of a problem, each once, from small to large after the edge cases."""
    generator = random.Random(stable_seed(seed, "code_validation", "inputs", problem.name))
    found: dict[str, Arguments] = {}
    for arguments in problem.edge_cases:
        found.setdefault(json.dumps(arguments), arguments)
    for index in range(NUM_GENERATED_INPUTS):
        size = index * (LARGEST_SIZE + 1) // NUM_GENERATED_INPUTS
        arguments = problem.make_input(generator, size)
        found.setdefault(json.dumps(arguments), arguments)
    return tuple(found.values())


def _outputs(
    problem: Problem, index: int, run: ProgramRun, inputs: tuple[Arguments, ...]
) -> list[Any]:
    place = f"Solution {index} of {problem.name}"
    assert run.stopped is None, f"{place} was stopped: {run.stopped}"
    for arguments, outcome in zip(inputs, run.outcomes, strict=True):
        assert outcome.kind == "value", (
            f"{place} gives {outcome.kind} {outcome.text} for {json.dumps(arguments)}"
        )
    return [outcome.value for outcome in run.outcomes]
