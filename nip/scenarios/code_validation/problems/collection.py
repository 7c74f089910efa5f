"""All problems of the project."""

import importlib
import pkgutil
from functools import cache

from nip.scenarios.code_validation import problems
from nip.scenarios.code_validation.problems.problem import Problem


@cache
def all_problems() -> tuple[Problem, ...]:
    """Gather the ``PROBLEMS`` of every module in this package, in the order of their names."""
    found: dict[str, Problem] = {}
    for module in pkgutil.iter_modules(problems.__path__, f"{problems.__name__}."):
        for problem in getattr(importlib.import_module(module.name), "PROBLEMS", ()):
            assert problem.name not in found, f"two problems are called {problem.name}"
            found[problem.name] = problem
    return tuple(found[name] for name in sorted(found))
