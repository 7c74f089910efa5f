"""Keys of a ``NestedArrayDict``: names, paths of names, and indices along the batch dimensions."""

from types import EllipsisType
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

Key: TypeAlias = str | tuple[str, ...]
"""Name of an entry, or path to a nested entry, such as ``("agents", "reward")``."""

OneIndex: TypeAlias = (
    int | np.integer | slice | EllipsisType | NDArray[Any] | list[int] | list[bool]
)
Index: TypeAlias = OneIndex | tuple[OneIndex, ...]
"""Index along the batch dimensions, as in numpy."""


def is_path(key: object) -> TypeGuard[tuple[str, ...]]:
    """Return whether a key is a path; an index may be a tuple as well."""
    return isinstance(key, tuple) and key != () and all(isinstance(name, str) for name in key)


def as_path(key: Key) -> tuple[str, ...]:
    """Return a key as a path."""
    return (key,) if isinstance(key, str) else key


def format_path(path: tuple[str, ...]) -> str:
    """Format a path as the key that looks it up."""
    return repr(path[0] if len(path) == 1 else path)


def full_index(index: Index, batch_size: tuple[int, ...]) -> tuple[Any, ...]:
    """Extend an index along the batch dimensions to arrays with further dimensions.

    Raises ``IndexError`` if it has more dimensions than the batch or a mask has the wrong shape,
    ``TypeError`` if a part is not a valid index.
    """
    parts = index if isinstance(index, tuple) else (index,)
    normal: list[Any] = []
    dimension = 0
    for place, part in enumerate(parts):
        if part is Ellipsis:
            width = len(batch_size) - dimension - sum(map(_width, parts[place + 1 :]))
            normal += [slice(None)] * width
            dimension += width
            continue
        if isinstance(part, slice | int) and not isinstance(part, bool):
            normal.append(part)
            dimension += 1
            continue
        array = _index_array(part)
        if array.dtype.kind == "b":
            expected = batch_size[dimension : dimension + array.ndim]
            if array.shape != expected:
                raise IndexError(
                    f"A mask of shape {array.shape} cannot select from the batch size "
                    f"{batch_size}: it must have the shape {expected} there."
                )
            # All entries share these positions, so the mask is searched only once.
            normal += array.nonzero()
            dimension += array.ndim
        else:
            normal.append(part if array.ndim == 0 else array)
            dimension += 1
    if dimension > len(batch_size):
        raise IndexError(
            f"The index {index!r} selects along {dimension} dimensions, the batch size "
            f"{batch_size} has {len(batch_size)}."
        )
    return (*normal, ...)


def size_of_part(batch_size: tuple[int, ...], index: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the batch size of the part that a full index selects."""
    if len(index) == 2:
        only = index[0]
        if isinstance(only, slice):
            return (len(range(*only.indices(batch_size[0]))), *batch_size[1:])
        if isinstance(only, np.ndarray):
            return only.shape + batch_size[1:]
        if isinstance(only, int) and -batch_size[0] <= only < batch_size[0]:
            return batch_size[1:]
    return np.broadcast_to(False, batch_size)[index].shape


def _width(part: OneIndex) -> int:
    """Return the number of dimensions that one part of an index selects from."""
    if isinstance(part, slice):
        return 1
    array = _index_array(part)
    return array.ndim if array.dtype.kind == "b" else 1


def _index_array(part: Any) -> NDArray[Any]:
    array = np.asarray(part)
    if array.size == 0 and isinstance(part, list):
        array = array.astype(np.intp)
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"{part!r} is neither a name nor an index. Use names, integers, slices, masks or "
            f"arrays of integers."
        )
    return array
