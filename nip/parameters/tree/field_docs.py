"""Help texts of fields, read from the docstrings under them."""

import ast
import dataclasses
import functools
import inspect
import sys
from collections.abc import Iterator

from nip.parameters.parameters_base import SubParameters, field_rules


def field_docs(cls: type[SubParameters]) -> dict[str, str]:
    """Return the docstrings under the fields of a group, by name, in the order of definition.

    Inherited fields are included, fields without a text are not.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            docs |= _docs_of_class(base)
    return {name: docs[name] for name in field_rules(cls) if name in docs}


@functools.cache
def _docs_of_class(cls: type) -> dict[str, str]:
    """Return the docstrings under the fields that a class itself defines."""
    definition = _definitions(cls.__module__).get(cls.__qualname__)
    if definition is None:
        # A class that was defined interactively, or in a function, has no source to be found.
        return {}
    docs = {}
    for statement, below in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            docs[statement.target.id] = inspect.cleandoc(below.value.value)
    return docs


@functools.cache
def _definitions(module: str) -> dict[str, ast.ClassDef]:
    """Return the definitions of all classes of a module by qualified name, parsing it once."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError):
        return {}
    return dict(_classes_in(tree, ""))


def _classes_in(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for statement in getattr(node, "body", []):
        if isinstance(statement, ast.ClassDef):
            name = prefix + statement.name
            yield name, statement
            yield from _classes_in(statement, f"{name}.")
        elif isinstance(statement, ast.FunctionDef):
            yield from _classes_in(statement, f"{prefix}{statement.name}.<locals>.")
        else:
            yield from _classes_in(statement, prefix)
