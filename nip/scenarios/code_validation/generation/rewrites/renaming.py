"""Rewrite that renames the variables and helper functions of a program."""

import ast
import re

from nip.scenarios.code_validation.generation.rewrites.rewriting import Chance

SYNONYMS: dict[str, tuple[str, ...]] = {
    "answer": ("result", "solution"),
    "best": ("top", "optimum", "record"),
    "char": ("ch", "symbol"),
    "character": ("char", "symbol", "ch"),
    "cost": ("price", "expense"),
    "count": ("num", "tally", "counter"),
    "current": ("cur", "present", "now"),
    "digit": ("figure", "dig"),
    "distance": ("dist", "gap"),
    "end": ("finish", "stop", "last"),
    "found": ("hits", "matches", "collected"),
    "group": ("bucket", "cluster"),
    "index": ("idx", "pos", "place"),
    "left": ("low", "lo", "begin"),
    "length": ("size", "width", "extent"),
    "letter": ("ch", "char", "symbol"),
    "line": ("row", "entry"),
    "lines": ("rows", "entries"),
    "neighbor": ("nxt", "adjacent"),
    "neighbour": ("nxt", "adjacent"),
    "node": ("vertex", "point"),
    "number": ("num", "val", "integer"),
    "part": ("piece", "chunk"),
    "parts": ("pieces", "chunks"),
    "place": ("position", "idx", "spot"),
    "position": ("pos", "place", "idx"),
    "previous": ("prev", "prior", "before"),
    "queue": ("pending", "waiting"),
    "rest": ("remainder", "remaining", "leftover"),
    "result": ("answer", "output", "res"),
    "right": ("high", "hi", "upper"),
    "seen": ("visited", "known"),
    "size": ("length", "amount"),
    "stack": ("pile", "pending"),
    "start": ("begin", "first", "origin"),
    "step": ("move", "delta"),
    "steps": ("moves", "rounds"),
    "text": ("string", "content"),
    "token": ("word", "symbol"),
    "total": ("summed", "acc", "amount"),
    "value": ("val", "item", "entry"),
    "values": ("vals", "items", "entries"),
    "word": ("term", "item"),
    "words": ("terms", "items"),
}
"""Synonyms for words in names."""


class RenameVariables(ast.NodeTransformer):
    """Renames variables and helpers in one of several styles; arguments of ``solve`` keep theirs.

    A name is replaced everywhere in the program, so that nested functions keep sharing variables.
    """

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.names: dict[str, str] = {}

    def visit(self, node: ast.AST) -> ast.AST:
        """Rename all variables of a module."""
        style = self.chance.generator.choice((_short, _camel_case, _synonym, _synonym))
        for name in _renamable(node):
            # Mixed styles would look odd, so only synonyms are applied to some names only.
            if style is _synonym and not self.chance.strikes():
                continue
            candidate = style(name, self.chance)
            if candidate != name and self.chance.is_free(candidate):
                self.names[name] = self.chance.new_name(candidate)
        for inner in ast.walk(node):
            self._rename(inner)
        return node

    def _rename(self, node: ast.AST) -> None:
        for kind, field in ((ast.Name, "id"), (ast.arg, "arg"), (ast.FunctionDef, "name")):
            if isinstance(node, kind):
                name = getattr(node, field)
                setattr(node, field, self.names.get(name, name))
        if isinstance(node, ast.Nonlocal | ast.Global):
            node.names = [self.names.get(name, name) for name in node.names]


def _renamable(tree: ast.AST) -> list[str]:
    """Return the names that a program defines and that may change, in order of occurrence."""
    found: dict[str, None] = {}
    kept = {"solve", "_"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = None
        elif isinstance(node, ast.arg):
            found[node.arg] = None
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = None
            if node.name == "solve":
                kept |= {argument.arg for argument in node.args.args}
        elif isinstance(node, ast.keyword) and node.arg:
            kept.add(node.arg)
        elif isinstance(node, ast.ClassDef):
            kept |= {node.name, *(n.arg for n in ast.walk(node) if isinstance(n, ast.arg))}
    return [name for name in found if name not in kept]


def _short(name: str, _: Chance) -> str:
    return "".join(part[0] for part in name.split("_") if part)


def _camel_case(name: str, _: Chance) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _synonym(name: str, chance: Chance) -> str:
    def other(match: re.Match[str]) -> str:
        return chance.generator.choice(SYNONYMS.get(match[0], (match[0],)))

    return re.sub(r"[a-z]+", other, name)
