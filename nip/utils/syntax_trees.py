"""Parsing Python source in several threads."""

import ast
from threading import Lock

_LOCK = Lock()


def parse(source: str) -> ast.Module:
    """Parse source code, as ``ast.parse`` does, in one thread at a time.

    CPython 3.11 keeps the depth of the tree that it builds for the whole interpreter: two threads
    that parse at the same time fail with ``SystemError: AST constructor recursion depth mismatch``
    (https://github.com/python/cpython/issues/106905).
    """
    with _LOCK:
        return ast.parse(source)
