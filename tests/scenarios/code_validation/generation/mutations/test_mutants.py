"""Mutants are different valid programs with one mistake each."""

import random

from nip.scenarios.code_validation.generation.mutations.mutants import MUTATIONS, make_mutants
from tests.scenarios.code_validation.generation.mutations.mistakes import texts

PROGRAM = """\
def solve(values, limit):
    best = 0
    for index, value in enumerate(values):
        if value > limit and index % 2 == 0:
            best = max(best, value)
        elif not value:
            break
    return best - 1
"""


def test_every_mutation_leaves_the_tree_as_it_was() -> None:
    for mutation in MUTATIONS:
        list(texts(mutation, PROGRAM))


def test_mutants_are_different_valid_programs() -> None:
    mutants = make_mutants(PROGRAM, 30, random.Random(0))
    programs = {mutant.program for mutant in mutants}
    assert len(programs) == len(mutants) >= 25
    assert PROGRAM not in programs
    for program in programs:
        compile(program, "mutant", "exec")


def test_few_mutants_are_of_many_kinds() -> None:
    mutants = make_mutants(PROGRAM, 12, random.Random(1))
    assert len({mutant.mutation for mutant in mutants}) == len(mutants) >= 10


def test_a_mutant_differs_in_one_place() -> None:
    before = PROGRAM.splitlines()
    for mutant in make_mutants(PROGRAM, 100, random.Random(2)):
        if mutant.mutation in ("boundary", "constant", "arithmetic", "wrong_variable"):
            pairs = zip(before, mutant.program.splitlines(), strict=True)
            assert sum(one != other for one, other in pairs) == 1


def test_the_same_seed_makes_the_same_mutants() -> None:
    one, other = (make_mutants(PROGRAM, 10, random.Random(3)) for _ in range(2))
    assert one == other
