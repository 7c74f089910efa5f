"""Reading the Python code in docstrings: doctests and ``.. code-block:: python``."""

import ast
import doctest
import re
from pathlib import Path
from textwrap import dedent

from tests.doc.pages import Block
from tests.source_files import REPOSITORY, python_files, tree_of

FOLDERS = ("nip", "scripts", "benchmarks")
DOCTEST = "pycon"
"""The language of blocks that show a prompt, ``>>>``."""

_DIRECTIVE_NAME = re.compile(r"\.\. (?:code-block|code|sourcecode):: python")
# A directive with all indented lines below it, and the line before it, where a reason may stand.
_DIRECTIVE = re.compile(
    r"^(?:[ ]*\.\. not run: (?P<reason>.+)\n)?"
    r"(?P<indent>[ ]*)\.\. (?:code-block|code|sourcecode):: python\n\n"
    r"(?P<code>(?:(?P=indent)[ ]+\S.*\n|[ ]*\n)+)",
    re.M,
)


def documented(path: Path) -> list[tuple[int, str]]:
    """Return the docstrings of a file, each with the number of its first line."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, kinds) and (text := ast.get_docstring(node, clean=False)) is not None:
            found.append((node.body[0].lineno, dedent("    " + text)))
    return found


def blocks_of_docstrings(path: Path) -> list[Block]:
    """Return the Python code in the docstrings of a file."""
    source = path.relative_to(REPOSITORY).as_posix()
    blocks: list[Block] = []
    # Parsing all files takes seconds.
    code = path.read_text(encoding="utf-8")
    if ">>>" not in code and not _DIRECTIVE_NAME.search(code):
        return blocks
    for first_line, text in documented(path):
        for found in _DIRECTIVE.finditer(f"{text}\n"):
            line = first_line + text.count("\n", 0, found.start("code"))
            blocks.append(Block(source, line, "python", dedent(found["code"]), found["reason"]))
        if doctest.DocTestParser().get_examples(text):
            blocks.append(Block(source, first_line, DOCTEST, text))
    return blocks


def files_with_code() -> list[Path]:
    """Return the files whose docstrings hold Python code."""
    return [path for path in python_files(*FOLDERS) if blocks_of_docstrings(path)]
