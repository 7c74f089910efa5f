"""All problems of the project."""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from nip.errors import UnknownNameError, unknown_name
from nip.scenarios.code_validation import problems
from nip.scenarios.code_validation.problems.problem import TOPICS, Problem


@cache
def all_problems() -> tuple[Problem, ...]:
    """Gather the ``PROBLEMS`` of every module in this package, in the order of their names."""
    found: dict[str, Problem] = {}
    for module in pkgutil.iter_modules(problems.__path__, f"{problems.__name__}."):
        for problem in getattr(importlib.import_module(module.name), "PROBLEMS", ()):
            assert problem.name not in found, f"two problems are called {problem.name}"
            found[problem.name] = problem
    return tuple(found[name] for name in sorted(found))


def choose_problems(names: Sequence[str]) -> tuple[Problem, ...]:
    """Return the problems of some topics, or with some names; all of them if none are named.

    Raises
    ------
    UnknownNameError
        If a name is neither a topic nor a problem.
    """
    known = {*TOPICS, *(problem.name for problem in all_problems())}
    for name in names:
        if name not in known:
            raise UnknownNameError(unknown_name("topic or problem", name, known))
    return tuple(
        problem
        for problem in all_problems()
        if not names or problem.topic in names or problem.name in names
    )
