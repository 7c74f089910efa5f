"""Generation of mutants: programs with one mistake of a random kind at a random place."""

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nip.scenarios.code_validation.generation.mutations import expressions, statements, variables
from nip.scenarios.code_validation.generation.mutations.mutation import Mutation
from nip.scenarios.code_validation.generation.rewrites.formatting import format_program
from nip.utils.syntax_trees import parse

MUTATIONS: tuple[Mutation, ...] = (
    expressions.boundary,
    expressions.comparison,
    expressions.arithmetic,
    expressions.boolean,
    expressions.forgotten_condition,
    expressions.negation,
    expressions.sign,
    expressions.constant,
    expressions.forgotten_shift,
    expressions.truth_value,
    expressions.range_bound,
    expressions.slice_bound,
    expressions.index,
    expressions.crossed_indices,
    expressions.function,
    expressions.method,
    expressions.forgotten_call,
    expressions.swapped_arguments,
    expressions.swapped_operands,
    expressions.sort_order,
    expressions.text,
    statements.dropped_statement,
    statements.missing_guard,
    statements.forgotten_else,
    statements.one_branch,
    statements.second_if,
    statements.early_return,
    statements.jump,
    statements.overwritten,
    statements.order,
    statements.nesting,
    statements.sequential_assignment,
    variables.wrong_variable,
)
"""All mutations."""


@dataclass(frozen=True)
class Mutant:
    """A program with one mistake, unless the change happens to be harmless."""

    program: str
    """Source text."""

    mutation: str | None
    """Name of the mutation; None for programs of a language model."""


def make_mutants(program: str, count: int, generator: random.Random) -> list[Mutant]:
    """Make at most ``count`` different mutants of a correct program, each with one mistake.

    They have as many kinds of mistakes as possible.
    """
    tree = parse(program)
    # A list, because the tree changes during the iteration.
    nodes = list(ast.walk(tree))
    num_places = [sum(1 for _ in _mistakes(nodes, mutation)) for mutation in MUTATIONS]
    wanted = _choose(num_places, count, generator)
    found: dict[str, Mutant] = {}
    for mutation, places in zip(MUTATIONS, wanted, strict=True):
        if not places:
            continue
        for place, _ in enumerate(_mistakes(nodes, mutation)):
            if place in places:
                mutant = format_program(ast.unparse(ast.fix_missing_locations(tree)))
                if mutant is not None and mutant != program:
                    found.setdefault(mutant, Mutant(mutant, mutation.__name__))
    mutants = list(found.values())
    generator.shuffle(mutants)
    return mutants


def _mistakes(nodes: Sequence[ast.AST], mutation: Mutation) -> Iterator[None]:
    for node in nodes:
        yield from mutation(node)


def _choose(num_places: Sequence[int], count: int, generator: random.Random) -> list[set[int]]:
    """Draw places for each mutation, as evenly over the mutations as their places allow."""
    left = [generator.sample(range(number), number) for number in num_places]
    wanted: list[set[int]] = [set() for _ in num_places]
    while count > 0 and any(left):
        kinds = [kind for kind, places in enumerate(left) if places]
        for kind in generator.sample(kinds, min(count, len(kinds))):
            wanted[kind].add(left[kind].pop())
            count -= 1
    return wanted
