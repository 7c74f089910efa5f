"""Datapoints of generated datasets, with the columns of the file."""

from dataclasses import dataclass

from nip.scenarios.code_validation.generation.verification import Failure
from nip.scenarios.code_validation.problems.problem import Problem


@dataclass(frozen=True)
class GeneratedDatapoint:
    """A question, a program, its label, and the evidence for the label."""

    question: str
    """Task of the program."""

    solution: str
    """The program."""

    y: int
    """1 if it is correct, 0 if it is buggy."""

    problem: str
    """Name of the problem."""

    topic: str
    """Topic of the problem."""

    origin: str
    """``rewrite`` of a correct program, ``mutation`` of such a rewrite, or ``language_model``."""

    mutation: str | None
    """Kind of the mistake, for a mutation."""

    kind: str | None
    """``wrong_answer``, ``exception`` or ``timeout`` for a buggy program."""

    failing_input: str | None
    """Arguments for which a buggy program fails, as a JSON list."""

    expected: str | None
    """Expected return value for them, as JSON."""

    actual: str | None
    """Actual return value of the buggy program for them, as JSON, or the exception."""

    tests_failed_share: float
    """Share of failed tests; 0 for a correct program."""

    num_tests: int
    """Number of tests of the program."""


def correct_datapoint(
    problem: Problem, program: str, origin: str, num_tests: int
) -> GeneratedDatapoint:
    """Return the datapoint of a program that passed all tests."""
    return GeneratedDatapoint(
        question=problem.question,
        solution=program,
        y=1,
        problem=problem.name,
        topic=problem.topic,
        origin=origin,
        mutation=None,
        kind=None,
        failing_input=None,
        expected=None,
        actual=None,
        tests_failed_share=0.0,
        num_tests=num_tests,
    )


def buggy_datapoint(
    problem: Problem,
    program: str,
    origin: str,
    num_tests: int,
    failure: Failure,
    mutation: str | None = None,
) -> GeneratedDatapoint:
    """Return the datapoint of a program that failed a test."""
    return GeneratedDatapoint(
        question=problem.question,
        solution=program,
        y=0,
        problem=problem.name,
        topic=problem.topic,
        origin=origin,
        mutation=mutation,
        kind=failure.kind,
        failing_input=failure.failing_input,
        expected=failure.expected,
        actual=failure.actual,
        tests_failed_share=failure.tests_failed_share,
        num_tests=num_tests,
    )
