"""Programs with forbidden imports or names, or that are too long, are rejected unrun."""

import pytest

from nip.scenarios.code_validation.generation.language_model_author import program_in
from nip.scenarios.code_validation.generation.program_rules import objection
from nip.scenarios.code_validation.generation.rewrites.variants import canonical_form

SOLVE = "def solve(x):\n    return x\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import math, re", None),
        ("from collections.abc import Iterable", None),
        ("import os.path", "it imports os.path"),
        ("from . import x", "it imports None"),
        ("from subprocess import run", "it imports subprocess"),
        ("x = ().__class__", "it uses __class__"),
        ("__builtins__", "it uses __builtins__"),
        ("x = g.gi_frame", "it uses gi_frame"),
        ("async def f(): pass", "it is asynchronous"),
        ("x = (", "it is not valid Python"),
        (f"x = {'-' * 19_000}1", "it is not valid Python"),
        # The assignment, the module and their contents are three levels above the sum of two.
        (f"x = 1{' + 1' * 95}", None),
        (f"x = 1{' + 1' * 100}", "it is nested more than 100 levels deep"),
        (f"x = 1{'()' * 900}", "it is nested more than 100 levels deep"),
        (f"x = '{'a' * 20_000}'", "it has more than 20000 characters"),
    ],
)
def test_programs_that_reach_out_are_not_run_at_all(line: str, reason: str | None) -> None:
    assert objection(f"{line}\n{SOLVE}") == reason


@pytest.mark.parametrize(
    "deep", ["x + " * 90 + "x", "-" * 90 + "x", "not " * 90 + "x", "x" + ".a" * 90]
)
def test_what_is_accepted_can_be_written_as_a_text_again(deep: str) -> None:
    program = f"def solve(x):\n    return {deep}\n"
    assert objection(program) is None
    assert program_in(program) is not None
    assert canonical_form(program)
