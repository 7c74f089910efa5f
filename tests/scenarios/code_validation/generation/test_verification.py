"""Verification finds the kind and the shortest input of a failure."""

from nip.scenarios.code_validation.generation.problem_tests import ProblemTests
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.generation.verification import verify


def test_verification_tells_what_goes_wrong() -> None:
    tests = ProblemTests(inputs=((1, 1), (3,), (20,), (4,)), expected=(1, 9, 400, 16), max_steps=90)
    programs = {
        "def solve(x): return x * x": ("exception", "[1, 1]", 0.25),
        "def solve(*x): return x[0] ** (len(x) + 1 if x[0] < 20 else 3)": (
            "wrong_answer",
            "[20]",
            0.25,
        ),
        "def solve(*x): return {1: 1, 3: 8, 20: 400, 4: 15}[x[0]]": ("wrong_answer", "[3]", 0.5),
        "def solve(*x):\n    while x[0] == 4: pass\n    return x[0] ** (3 - len(x))": (
            "timeout",
            "[4]",
            0.25,
        ),
    }
    with Sandbox() as sandbox:
        sandbox.set_inputs(tests.inputs)
        assert verify("def solve(*x): return x[0] * x[0]", tests, sandbox).is_correct
        # As elsewhere in Python, 1 and 1.0 and True are equal.
        assert verify("def solve(*x): return x[0] * 1.0 * x[0]", tests, sandbox).is_correct
        for program, (kind, failing_input, share) in programs.items():
            failure = verify(program, tests, sandbox).failure
            assert failure is not None
            found = (failure.kind, failure.failing_input, failure.tests_failed_share)
            assert found == (kind, failing_input, share), program
        assert verify("def solve(*x): return [0] * 10**10", tests, sandbox).unusable is not None
