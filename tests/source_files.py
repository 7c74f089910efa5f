"""Files, module names, imports and calls of the source code, for tests of its structure."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Import:
    """One imported module, as a full dotted name."""

    module: str
    line: int
    is_for_types: bool = False
    """Whether it is under ``if TYPE_CHECKING``, and so is never executed."""


def python_files(*folders: str) -> list[Path]:
    """Return all Python files below the named folders of the repository, sorted."""
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted module name of a file, e.g. ``nip.protocols.handler``."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def dotted_name(node: ast.expr) -> str:
    """Return ``a.b.c`` for an attribute chain that begins with a name, else the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted_name(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """Return every import of a file, also those within functions and ``import_module("...")``.

    ``from a import b`` gives ``a.b`` where that is a module of the repository, else ``a``.
    """
    return tuple(_imports_of(path))


def _imports_of(path: Path) -> Iterator[Import]:
    for_types = _lines_for_types(path)
    for node in ast.walk(tree_of(path)):
        is_for_types = getattr(node, "lineno", 0) in for_types
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, is_for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_base(path, node)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield Import(name if _is_module(name) else base, node.lineno, is_for_types)
        elif (
            isinstance(node, ast.Call)
            and dotted_name(node.func).endswith("import_module")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield Import(str(node.args[0].value), node.lineno)


def _lines_for_types(path: Path) -> set[int]:
    """Return the numbers of the lines under ``if TYPE_CHECKING``."""
    return {
        line
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.If) and dotted_name(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }


def _absolute_base(path: Path, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = list(path.relative_to(REPOSITORY).parent.parts)
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, node.module] if node.module else package)


@cache
def _is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
