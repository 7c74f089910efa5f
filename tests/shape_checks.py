"""Checks every annotated shape while the tests run.

The annotated types of other code are left to mypy: decorating all functions of the package
would cost each interpreter seconds. A function is checked once for each combination of shapes
and types with which it is called, and of those that it returns, because a check takes longer
than what most functions do.
"""

import functools
import inspect
import threading
import types
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, install_import_hook

REPOSITORY = Path(__file__).parents[1]

# An int is as good as a float.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

_running = threading.local()
_checks: dict[int, "ShapeCheck"] = {}
_jaxtyped = jaxtyping.jaxtyped


class ShapeCheck:
    """The check of one function, which is prepared when the function is called first.

    Parameters
    ----------
    function : FunctionType
        The annotated function.
    """

    def __init__(self, function: types.FunctionType) -> None:
        # Kept, so that no other code gets the address by which this check is found.
        self.code = function.__code__
        self._known: dict[Any, set[Any]] = {}
        self._checked = self._prepare(function)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function, and check what it is given and what it returns."""
        if self._checked is None:
            return function(*args, **kwargs)
        given = _shapes_in((args, kwargs))
        if given not in self._known:
            result = self._call_checked(function, args, kwargs)
            self._known[given] = {_shapes_in(result)}
            return result
        result = function(*args, **kwargs)
        returned = _shapes_in(result)
        if returned not in self._known[given]:
            self._call_checked(lambda *_args, **_kwargs: result, args, kwargs)
            self._known[given].add(returned)
        return result

    def _call_checked(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        assert self._checked is not None
        _running.function = function
        return self._checked(*args, **kwargs)

    @staticmethod
    def _prepare(function: types.FunctionType) -> Callable[..., Any] | None:
        """Return a checked function that calls the running one; None if there are no shapes."""
        hints = inspect.get_annotations(function)
        if not any(isinstance(hint, str) or _has_shape(hint) for hint in hints.values()):
            return None

        running = _running

        def call_running(*args: Any, **kwargs: Any) -> Any:
            return running.function(*args, **kwargs)

        # Names in annotations are looked up in the module of the function.
        caller = types.FunctionType(
            call_running.__code__, function.__globals__, closure=call_running.__closure__
        )
        return _jaxtyped(functools.update_wrapper(caller, function), typechecker=checked)


def _has_shape(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return isinstance(hint, str) or any(_has_shape(part) for part in get_args(hint))


@functools.cache
def _array_types() -> tuple[type, ...]:
    import numpy as np
    import torch

    return torch.Tensor, np.ndarray


def _shapes_in(value: Any) -> Any:
    """Return all that a check of this value can depend on."""
    kind = type(value)
    if isinstance(value, _array_types()):
        return kind, tuple(value.shape), value.dtype
    if isinstance(value, (tuple, list)):
        return kind, *[_shapes_in(part) for part in value]
    if isinstance(value, dict):
        return kind, *[(key, _shapes_in(part)) for key, part in value.items()]
    return kind


def jaxtyped(*, typechecker: Any) -> Callable[[Any], Any]:
    """Return a decorator that does what that of jaxtyping does, once for each shape."""

    def decorate(decorated: Any) -> Any:
        if inspect.isclass(decorated):
            if is_dataclass(decorated) and "__init__" in vars(decorated):
                decorated.__init__ = decorate(decorated.__init__)
            return decorated
        if not isinstance(decorated, types.FunctionType):
            return _jaxtyped(decorated, typechecker=typechecker)
        if hasattr(decorated, "is_shape_checked"):
            # A dataclass with a constructor of its own.
            return decorated
        import torch

        @functools.wraps(decorated)
        def call(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return decorated(*args, **kwargs)
            # A function within another is made anew with each call of that.
            check = _checks.get(id(decorated.__code__))
            if check is None:
                check = _checks[id(decorated.__code__)] = ShapeCheck(decorated)
            return check.call(decorated, args, kwargs)

        call.is_shape_checked = True  # type: ignore[attr-defined]
        return call

    return decorate


def modules_with_shapes() -> list[str]:
    """Return the names of all modules of the package which import jaxtyping."""
    return [
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in sorted((REPOSITORY / "nip").rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


def check_shapes() -> None:
    """Check whatever is imported of these modules from now on."""
    jaxtyping.jaxtyped = jaxtyped
    install_import_hook(modules_with_shapes(), f"{__name__}.checked")
