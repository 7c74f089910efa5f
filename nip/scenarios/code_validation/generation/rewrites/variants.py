"""Variants of programs by random sequences of rewrites."""

import ast
import random

from nip.scenarios.code_validation.generation.rewrites.conditions import (
    ElseAfterLeaving,
    EmptinessTests,
    ExpandConditionalExpressions,
    JoinBranches,
    MirrorComparisons,
    NameConditions,
    NestConditions,
    SplitChains,
    SwapBranches,
)
from nip.scenarios.code_validation.generation.rewrites.formatting import format_program
from nip.scenarios.code_validation.generation.rewrites.loops import (
    ComprehensionsToLoops,
    EndlessLoops,
    LoopsByIndex,
    LoopsToComprehensions,
    RangeLoopsToWhile,
)
from nip.scenarios.code_validation.generation.rewrites.renaming import RenameVariables
from nip.scenarios.code_validation.generation.rewrites.rewriting import Chance, Rewrite
from nip.scenarios.code_validation.generation.rewrites.statements import (
    ContractAssignments,
    ExpandAugmentedAssignments,
    JoinAssignments,
    NameArguments,
    NameReturnValues,
    SplitTuples,
    TurnSumsAndProducts,
    WriteSquaresOut,
)
from nip.utils.syntax_trees import parse

REWRITES: tuple[tuple[Rewrite, float], ...] = (
    (ComprehensionsToLoops, 0.4),
    (LoopsToComprehensions, 0.4),
    (LoopsByIndex, 0.25),
    (RangeLoopsToWhile, 0.25),
    (EndlessLoops, 0.15),
    (ExpandConditionalExpressions, 0.35),
    (JoinBranches, 0.35),
    (SwapBranches, 0.3),
    (NestConditions, 0.3),
    (ElseAfterLeaving, 0.3),
    (SplitChains, 0.3),
    (MirrorComparisons, 0.25),
    (EmptinessTests, 0.3),
    (NameConditions, 0.15),
    (ContractAssignments, 0.3),
    (ExpandAugmentedAssignments, 0.3),
    (SplitTuples, 0.4),
    (JoinAssignments, 0.35),
    (NameArguments, 0.25),
    (NameReturnValues, 0.25),
    (TurnSumsAndProducts, 0.15),
    (WriteSquaresOut, 0.5),
    (RenameVariables, 0.6),
)
"""All rewrites in the order of their application, each with its probability."""

SHARES = (0.4, 0.7, 1.0)
"""Shares of the possible places at which a rewrite is applied; one is drawn for each rewrite."""


def rewrite(program: str, generator: random.Random) -> str:
    """Rewrite a program without changing what it computes."""
    tree = parse(program)
    for make_rewrite, frequency in REWRITES:
        if generator.random() < frequency:
            chance = Chance(generator, generator.choice(SHARES), tree)
            tree = make_rewrite(chance).visit(tree)
            # Parsed again, because the next rewrite would change shared nodes twice.
            tree = parse(ast.unparse(ast.fix_missing_locations(tree)))
    return format_program(ast.unparse(tree)) or program


def canonical_form(program: str) -> str:
    """Return a form of a program that is equal for programs that differ only in names."""
    tree = parse(program)
    names: dict[str, str] = {}

    def canonical(name: str) -> str:
        return names.setdefault(name, f"v{len(names)}")

    stored = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    stored |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in stored:
            node.id = canonical(node.id)
        elif isinstance(node, ast.arg):
            node.arg = canonical(node.arg)
    return ast.unparse(tree)
