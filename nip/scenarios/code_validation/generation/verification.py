"""Verification of programs by running them on the tests of a problem."""

import json
from dataclasses import dataclass
from typing import Literal

from nip.scenarios.code_validation.generation.problem_tests import ProblemTests
from nip.scenarios.code_validation.generation.sandbox.sandbox import Outcome, Sandbox

BugKind = Literal["wrong_answer", "exception", "timeout"]
"""Kind of a failure: a wrong answer, an exception, or a timeout."""

KINDS: dict[str, BugKind] = {
    "value": "wrong_answer",
    "strange": "wrong_answer",
    "exception": "exception",
    "timeout": "timeout",
}
"""Kind of bug by kind of outcome, the most informative first."""


@dataclass(frozen=True)
class Failure:
    """How a program fails its tests."""

    kind: BugKind
    """Kind of failure on the input below."""

    failing_input: str
    """Shortest arguments for which it fails, as a JSON list; wrong answers are preferred."""

    expected: str
    """Expected return value, as JSON."""

    actual: str
    """Actual return value, as JSON; the exception; or empty for a timeout."""

    tests_failed_share: float
    """Share of failed tests, above 0."""


@dataclass(frozen=True)
class Verdict:
    """Result of the verification of a program."""

    failure: Failure | None = None
    """How it fails; None if it passes all tests."""

    unusable: str | None = None
    """Why it was stopped, so that it is neither correct nor buggy; None if it was not."""

    @property
    def is_correct(self) -> bool:
        """Whether it passes all tests."""
        return self.failure is None and self.unusable is None


def verify(program: str, tests: ProblemTests, sandbox: Sandbox) -> Verdict:
    """Run a program on all tests of a problem; their inputs must be set in the sandbox."""
    run = sandbox.run(program, tests.max_steps)
    if run.stopped is not None:
        return Verdict(unusable=run.stopped)
    failed = [
        (index, outcome)
        for index, (outcome, expected) in enumerate(zip(run.outcomes, tests.expected, strict=True))
        if outcome.kind != "value" or outcome.value != expected
    ]
    return Verdict(_describe(failed, tests) if failed else None)


def _describe(failed: list[tuple[int, Outcome]], tests: ProblemTests) -> Failure:
    ranks = list(KINDS.values())
    texts = {index: _json(tests.inputs[index]) for index, _ in failed}

    def rank(item: tuple[int, Outcome]) -> tuple[int, int, int]:
        index, outcome = item
        return ranks.index(KINDS[outcome.kind]), len(texts[index]), index

    index, outcome = min(failed, key=rank)
    return Failure(
        kind=KINDS[outcome.kind],
        failing_input=texts[index],
        expected=_json(tests.expected[index]),
        actual=outcome.text,
        tests_failed_share=round(len(failed) / len(tests.inputs), 4),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
