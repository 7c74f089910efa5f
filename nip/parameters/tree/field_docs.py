"""Help texts of fields, read from the docstrings under them."""

import ast
import dataclasses
import functools
import inspect
import textwrap

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
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        # A class that was defined interactively has no source file.
        return {}
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            docs[statement.target.id] = inspect.cleandoc(below.value.value)
    return docs
