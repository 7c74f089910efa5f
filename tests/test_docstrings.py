"""Docstrings name the parameters that there are, and mark code with double backticks.

Their sections, types and punctuation are checked by ``numpydoc lint`` and ruff.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source_files import REPOSITORY, dotted_name, python_files, tree_of

FILES = python_files("nip", "scripts", "benchmarks")
SECTION = re.compile(r"^( *)Parameters\n *-{10}\n(.*?)(?=^ *\w[\w ]*\n *-{4,}$|\Z)", re.M | re.S)
SINGLE_BACKTICKS = re.compile(r"(?<![`:\w])`[^`\n]+`(?![`_])")
MATH = re.compile(r":\w+:`[^`]+`")

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(path: Path) -> Iterator[tuple[Documented, str]]:
    """Yield the classes and functions of a file that have a docstring."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)) is not None:
            yield node, text


def documented_parameters(text: str) -> list[str]:
    """Return the names under Parameters, without stars."""
    section = SECTION.search(f"{text}\n")
    if section is None:
        return []
    entries = re.findall(rf"^{section[1]}(\S.*?)(?: :|$)", section[2], re.M)
    return [name.strip().lstrip("*") for entry in entries for name in entry.split(",")]


def parameters_of(node: Documented) -> set[str]:
    """Return the parameters of a function, or what a class can be constructed with."""
    if isinstance(node, ast.ClassDef):
        fields = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
        methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
        makers = [each for each in methods if each.name in ("__init__", "__new__")]
        return fields.union(*map(parameters_of, makers))
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {each.arg for each in every if each is not None}


def inherits(node: Documented) -> bool:
    """Tell whether a class may take over the constructor of another."""
    bases = map(dotted_name, node.bases) if isinstance(node, ast.ClassDef) else ()
    return any(base not in ("ABC", "Protocol", "NamedTuple") for base in bases)


@pytest.mark.parametrize("folder", ["nip", "scripts", "benchmarks"])
def test_documented_parameters_exist(folder: str) -> None:
    unknown = []
    for path in python_files(folder):
        for node, text in documented(path):
            names = set(documented_parameters(text)) - parameters_of(node)
            if names and not inherits(node):
                unknown.append((path.relative_to(REPOSITORY).as_posix(), node.name, names))
    assert unknown == []


def test_code_stands_in_double_backticks() -> None:
    found = []
    for path in FILES:
        module = ast.get_docstring(tree_of(path)) or ""
        for text in [module, *(text for _, text in documented(path))]:
            for match in SINGLE_BACKTICKS.findall(MATH.sub("", text)):
                found.append((path.relative_to(REPOSITORY).as_posix(), match))
    assert found == []


def test_a_parameter_that_is_gone_is_found() -> None:
    code = '''def f(a, *rest):
    """Do.

    Parameters
    ----------
    a, gone : int
        One.
    *rest : int
        Others.

    Returns
    -------
    b : int
        It.
    """
'''
    (function,) = ast.parse(code).body
    assert isinstance(function, ast.FunctionDef)
    assert documented_parameters(ast.get_docstring(function)) == ["a", "gone", "rest"]
    assert parameters_of(function) == {"a", "rest"}
