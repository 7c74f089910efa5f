"""Pairs of one problem: verified, new each time, and the same for the same seed."""

import pytest

from nip.scenarios.code_validation.generation.pair_generator import PairGenerator
from nip.scenarios.code_validation.generation.rewrites.variants import canonical_form
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.problems.collection import choose_problems

GENERATION = "nip.scenarios.code_validation.generation"
(PROBLEM,) = choose_problems(["check_digit"])


@pytest.fixture(scope="module")
def sandbox():
    with pytest.MonkeyPatch.context() as patch, Sandbox() as opened:
        patch.setattr(f"{GENERATION}.pair_generator.MUTANTS_PER_VARIANT", 4)
        patch.setattr(f"{GENERATION}.pair_generator.MAX_FAILED_ATTEMPTS", 4)
        patch.setattr(f"{GENERATION}.problem_tests.NUM_GENERATED_INPUTS", 20)
        yield opened


def test_pairs_do_not_depend_on_how_many_are_requested_at_once(sandbox: Sandbox) -> None:
    once, twice = PairGenerator(PROBLEM, seed=1), PairGenerator(PROBLEM, seed=1)
    calls: list[int] = []
    once.make(3, sandbox, lambda: calls.append(len(once.pairs)))
    twice.make(1, sandbox)
    twice.make(3, sandbox)
    assert calls == [1, 2, 3]
    assert twice.pairs == once.pairs
    forms = {canonical_form(each.solution) for pair in once.pairs for each in pair}
    assert len(forms) == 6
    for correct, buggy in once.pairs:
        assert (correct.y, buggy.y) == (1, 0)
        assert buggy.tests_failed_share > 0


def test_a_generator_without_new_programs_is_exhausted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{GENERATION}.pair_generator.rewrite", lambda program, _: program)
    generator = PairGenerator(PROBLEM, seed=1)
    generator.make(10, sandbox)
    # Without rewrites, each solution gives one pair.
    assert 1 <= len(generator.pairs) <= len(PROBLEM.solutions)
    assert generator.is_exhausted
