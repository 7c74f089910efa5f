"""Selecting along the first dimensions of arrays, leaving the others alone."""

from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

OneIndex: TypeAlias = (
    int | np.integer | slice | EllipsisType | NDArray[Any] | list[int] | list[bool]
)
Index: TypeAlias = OneIndex | tuple[OneIndex, ...]
"""What selects along the batch dimensions, as in numpy."""


def full_index(index: Index, batch_size: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an index for arrays that begin with the batch dimensions and have any more.

    Raises
    ------
    IndexError
        If the index reaches beyond the batch dimensions, or a mask has another shape than they.
    TypeError
        If something in it is no index.
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
            # The positions serve all entries, so a mask is searched only once.
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
    """Return the batch size of what a full index selects."""
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
    """Return along how many dimensions a part of an index selects."""
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
