"""Tests of a problem: inputs, and the outputs on which all solutions agree."""

import json
import random
from dataclasses import dataclass
from typing import Any

from nip.scenarios.code_validation.generation.sandbox.sandbox import ProgramRun, Sandbox
from nip.scenarios.code_validation.problems.problem import LARGEST_SIZE, Arguments, Problem
from nip.seeding import stable_seed

NUM_GENERATED_INPUTS = 200
"""Number of generated inputs per problem, in addition to the edge cases, before duplicates."""

MAX_SOLUTION_STEPS = 1_000_000

STEP_FACTOR, STEP_ALLOWANCE = 20, 1000
"""Step limit of variants: a multiple of the slowest solution's steps, plus an allowance."""


@dataclass(frozen=True)
class ProblemTests:
    """Inputs with their expected outputs."""

    inputs: tuple[Arguments, ...]
    """Arguments of each call: first the edge cases, then the generated inputs."""

    expected: tuple[Any, ...]
    """Expected return values of ``solve``."""

    max_steps: int
    """Number of steps after which a call counts as a timeout."""


def make_tests(problem: Problem, sandbox: Sandbox, seed: int) -> ProblemTests:
    """Draw the inputs of a problem and compute the expected outputs.

    The inputs stay set in the sandbox. A solution that fails, or disagrees with another one, is a
    mistake in the problem and raises an AssertionError.
    """
    inputs = draw_inputs(problem, seed)
    sandbox.set_inputs(inputs)
    runs = [sandbox.run(solution, MAX_SOLUTION_STEPS) for solution in problem.solutions]
    columns = [_outputs(problem, index, run, inputs) for index, run in enumerate(runs)]
    for arguments, values in zip(inputs, zip(*columns, strict=True), strict=True):
        assert all(value == values[0] for value in values), (
            f"The solutions of {problem.name} disagree on {json.dumps(arguments)}: {values}"
        )
    steps = max(run.steps for run in runs)
    return ProblemTests(inputs, tuple(columns[0]), STEP_FACTOR * steps + STEP_ALLOWANCE)


def draw_inputs(problem: Problem, seed: int) -> tuple[Arguments, ...]:
    """Return the inputs of a problem without duplicates: edge cases, then small to large."""
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
