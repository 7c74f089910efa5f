"""Finding out whether a program is correct, by running it."""

import json
from dataclasses import dataclass
from typing import Literal

from nip.scenarios.code_validation.generation.problem_tests import ProblemTests
from nip.scenarios.code_validation.generation.sandbox import Outcome, Sandbox

BugKind = Literal["wrong_answer", "exception", "timeout"]
"""What a buggy program does with an input: answers wrongly, raises, or does not come to an end."""

KINDS: dict[str, BugKind] = {
    "value": "wrong_answer",
    "strange": "wrong_answer",
    "exception": "exception",
    "timeout": "timeout",
}
"""The kind of bug by the kind of outcome, the most telling first."""


@dataclass(frozen=True)
class Failure:
    """How a program fails its tests."""

    kind: BugKind
    """What it does with the input below."""

    failing_input: str
    """The shortest arguments for which it fails, as a list in JSON; if it ever answers wrongly,
    the shortest for which it does."""

    expected: str
    """What it should return for them, as JSON."""

    actual: str
    """What it returns, as JSON; or the exception; or nothing if it does not come to an end."""

    tests_failed_share: float
    """Share of all tests that it fails, above 0."""


@dataclass(frozen=True)
class Verdict:
    """What is known about a program after its tests."""

    failure: Failure | None = None
    """How it fails, if it does."""

    unusable: str | None = None
    """Why it was stopped, if it was; then it counts neither as correct nor as buggy."""

    @property
    def is_correct(self) -> bool:
        """Whether it passes all tests."""
        return self.failure is None and self.unusable is None


def verify(program: str, tests: ProblemTests, sandbox: Sandbox) -> Verdict:
    """Run a program on all tests of a problem, whose inputs are set in the sandbox."""
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
