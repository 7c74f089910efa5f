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
        self.known: dict[Any, set[Any]] = {}
        """For all that was right to be given, what was right to be returned."""

        self._function = function

    @functools.cached_property
    def _checked(self) -> Callable[..., Any]:
        running = _running

        def call_running(*args: Any, **kwargs: Any) -> Any:
            return running.function(*args, **kwargs)

        # Names in annotations are looked up in the module of the function.
        caller = types.FunctionType(
            call_running.__code__, self._function.__globals__, closure=call_running.__closure__
        )
        return _jaxtyped(functools.update_wrapper(caller, self._function), typechecker=checked)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function, and check what it is given and what it returns."""
        _running.function = function
        return self._checked(*args, **kwargs)


def has_shapes(function: types.FunctionType) -> bool:
    """Tell whether there may be shapes among the annotations of a function."""
    return any(map(_has_shape, inspect.get_annotations(function).values()))


def _has_shape(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return isinstance(hint, str) or any(_has_shape(part) for part in get_args(hint))


def _shapes_in(value: Any) -> Any:
    """Return all that a check of this value can depend on."""
    kind = type(value)
    look = _looks.get(kind)
    if look is None:
        look = _looks[kind] = _how_to_look_at(kind)
    return look(value)


_looks: dict[type, Callable[[Any], Any]] = {}


def _how_to_look_at(kind: type) -> Callable[[Any], Any]:
    import numpy as np
    import torch

    if issubclass(kind, torch.Tensor | np.ndarray):
        return lambda array: (kind, array.shape, array.dtype)
    if issubclass(kind, tuple | list):
        return lambda parts: (kind, *map(_shapes_in, parts))
    if issubclass(kind, dict):
        return lambda parts: (kind, *parts, *map(_shapes_in, parts.values()))
    return lambda _: kind


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
        if not has_shapes(decorated):
            return decorated
        import torch

        # A function within another is made anew with each call of that.
        check = _checks.get(id(decorated.__code__))
        if check is None:
            check = _checks[id(decorated.__code__)] = ShapeCheck(decorated)

        @functools.wraps(decorated)
        def call(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return decorated(*args, **kwargs)
            given = (*map(_shapes_in, args), _shapes_in(kwargs)) if kwargs else _shapes_in(args)
            known = check.known.get(given)
            if known is None:
                result = check.call(decorated, args, kwargs)
                check.known[given] = {_shapes_in(result)}
                return result
            result = decorated(*args, **kwargs)
            returned = _shapes_in(result)
            if returned not in known:
                check.call(lambda *_args, **_kwargs: result, args, kwargs)
                known.add(returned)
            return result

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
