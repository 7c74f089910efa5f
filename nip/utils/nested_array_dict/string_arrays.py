"""Conversion of values to arrays of numbers, booleans, or strings of any length."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRING = np.dtypes.StringDType(na_object=None)
"""Type of all string arrays: UTF-8 of any length, with ``None`` for missing values."""

NUMBERS = frozenset("biufc")
"""Kinds of all other arrays: booleans, integers, floating-point and complex numbers."""


def is_string_array(array: NDArray[Any]) -> bool:
    """Return whether an array has the type ``STRING``."""
    return array.dtype == STRING


def kind_of(array: NDArray[Any]) -> str:
    """Return the name of the type of an array, for error messages."""
    return "str" if is_string_array(array) else str(array.dtype)


def may_replace(old: NDArray[Any], new: NDArray[Any]) -> bool:
    """Return whether new values can be written into an array without changing their kind."""
    if is_string_array(old) or is_string_array(new):
        return is_string_array(old) and is_string_array(new)
    return np.can_cast(new.dtype, old.dtype, "same_kind")


def as_array(value: Any) -> NDArray[Any]:
    """Convert numbers, strings, lists of them, or a numpy array to a supported array.

    Numeric arrays and arrays of type ``STRING`` are returned without a copy. Raises
    ``ValueError`` if the value is ragged, has elements other than numbers and strings, mixes them,
    or has a string that is not valid Unicode.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS:
        return value
    if isinstance(value, np.ndarray) and value.dtype == STRING:
        return value
    if isinstance(value, np.ndarray) and isinstance(value.dtype, np.dtypes.StringDType):
        return value.astype(STRING)
    if isinstance(value, np.ndarray | np.generic):
        return _from_other_array(np.asarray(value))
    found = np.asarray(value, dtype=None if _is_number(value) else object)
    return found if found.dtype.kind in NUMBERS else _from_other_array(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex)


def _from_other_array(array: NDArray[Any]) -> NDArray[Any]:
    """Convert arrays of Python objects and of strings of fixed length."""
    if array.dtype.kind in NUMBERS:
        return array
    if array.dtype.kind == "U":
        return array.astype(STRING)
    if array.dtype.kind != "O":
        raise ValueError(f"has the type {array.dtype}; only numbers and strings are supported")
    values = array.reshape(-1).tolist()
    only_missing = bool(values) and all(item is None for item in values)
    if only_missing or any(isinstance(item, str) for item in values):
        return _from_strings(values).reshape(array.shape)
    return _from_numbers(values, array.shape)


def _from_strings(values: list[Any]) -> NDArray[Any]:
    unsupported = next((item for item in values if not isinstance(item, str | None)), None)
    if unsupported is not None:
        raise ValueError(f"mixes strings with {unsupported!r} of type {type(unsupported).__name__}")
    try:
        return np.array(values, dtype=STRING)
    except UnicodeEncodeError as error:
        raise ValueError(f"has a string that is not valid Unicode: {error}") from error


def _from_numbers(values: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    unsupported = [item for item in values if not np.isscalar(item)]
    if unsupported:
        raise ValueError(
            f"is ragged or has elements other than numbers and strings: {unsupported[0]!r}"
        )
    return np.array(values).reshape(shape)
