"""A generated datapoint carries its label together with the evidence for it."""

import dataclasses

from nip.scenarios.code_validation.generation.datapoints import (
    GeneratedDatapoint,
    buggy_datapoint,
    correct_datapoint,
)
from nip.scenarios.code_validation.generation.verification import Failure
from nip.scenarios.code_validation.problems.problem import Problem

PROBLEM = Problem(
    name="doubling",
    topic="numbers",
    question="Write solve(n), which doubles n.",
    solutions=("def solve(n):\n    return 2 * n", "def solve(n):\n    return n + n"),
    make_input=lambda generator, size: (generator.randint(0, size),),
)
PROGRAM = "def solve(n):\n    return n"
FAILURE = Failure("wrong_answer", "[3]", "6", "3", 0.75)
OF_BOTH = {
    "question": "Write solve(n), which doubles n.",
    "solution": PROGRAM,
    "problem": "doubling",
    "topic": "numbers",
    "num_tests": 40,
}


def columns(datapoint: GeneratedDatapoint) -> dict:
    return dataclasses.asdict(datapoint)


def test_a_correct_program_has_no_mistake_to_show() -> None:
    assert columns(correct_datapoint(PROBLEM, PROGRAM, "rewrite", 40)) == {
        **OF_BOTH,
        "y": 1,
        "origin": "rewrite",
        "mutation": None,
        "kind": None,
        "failing_input": None,
        "expected": None,
        "actual": None,
        "tests_failed_share": 0.0,
    }


def test_a_buggy_program_shows_where_it_fails() -> None:
    datapoint = buggy_datapoint(PROBLEM, PROGRAM, "mutation", 40, FAILURE, "dropped_factor")
    assert columns(datapoint) == {
        **OF_BOTH,
        "y": 0,
        "origin": "mutation",
        "mutation": "dropped_factor",
        "kind": "wrong_answer",
        "failing_input": "[3]",
        "expected": "6",
        "actual": "3",
        "tests_failed_share": 0.75,
    }


def test_a_buggy_program_of_a_language_model_has_no_mutation() -> None:
    datapoint = buggy_datapoint(PROBLEM, PROGRAM, "language_model", 40, FAILURE)
    assert (datapoint.origin, datapoint.mutation, datapoint.y) == ("language_model", None, 0)
