"""Programs with forbidden imports or names, or that are too long, are rejected unrun."""

import pytest

from nip.scenarios.code_validation.generation.program_rules import objection

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
        (f"x = '{'a' * 20_000}'", "it has more than 20000 characters"),
    ],
)
def test_programs_that_reach_out_are_not_run_at_all(line: str, reason: str | None) -> None:
    assert objection(f"{line}\n{SOLVE}") == reason
