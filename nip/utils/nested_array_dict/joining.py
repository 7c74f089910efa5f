"""Stacking and concatenating batches."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nip.utils.nested_array_dict.batch import NestedArrayDict, check_same_names
from nip.utils.nested_array_dict.indexing import format_path
from nip.utils.nested_array_dict.string_arrays import is_string_array, kind_of


def stack(batches: Sequence[NestedArrayDict], dim: int = 0) -> NestedArrayDict:
    """Stack batches of equal size along a new batch dimension, at ``dim`` of the result.

    Raises ``ValueError`` if there are no batches, or their names or shapes differ.
    """
    first = _first(batches)
    check_same_names(batches)
    dim = _checked_dim(dim, len(first.batch_size) + 1)
    size = (*first.batch_size[:dim], len(batches), *first.batch_size[dim:])
    return _joined(batches, np.stack, dim, size)


def concatenate(batches: Sequence[NestedArrayDict], dim: int = 0) -> NestedArrayDict:
    """Concatenate batches along one of their batch dimensions.

    Raises ``ValueError`` if there are no batches, or if names, or shapes except along ``dim``,
    differ.
    """
    first = _first(batches)
    check_same_names(batches)
    dim = _checked_dim(dim, len(first.batch_size))
    size = list(first.batch_size)
    size[dim] = sum(batch.batch_size[dim] for batch in batches)
    return _joined(batches, np.concatenate, dim, tuple(size))


def _first(batches: Sequence[NestedArrayDict]) -> NestedArrayDict:
    if not batches:
        raise ValueError("Nothing to join: pass at least one NestedArrayDict.")
    first = batches[0]
    for number, batch in enumerate(batches):
        if len(batch.batch_size) != len(first.batch_size):
            raise ValueError(
                f"Batches must have the same number of dimensions: number 0 has the batch size "
                f"{first.batch_size}, number {number} has {batch.batch_size}."
            )
    return first


def _checked_dim(dim: int, num_dims: int) -> int:
    if not -num_dims <= dim < num_dims:
        raise ValueError(
            f"dim must be a batch dimension, from {-num_dims} to {num_dims - 1}, got {dim}."
        )
    return dim % num_dims


def _joined(
    batches: Sequence[NestedArrayDict],
    join: Callable[..., NDArray[Any]],
    dim: int,
    size: tuple[int, ...],
    path: tuple[str, ...] = (),
) -> NestedArrayDict:
    joined: dict[str, Any] = {}
    for name, entry in batches[0]._entries.items():
        entries: list[Any] = [batch._entries[name] for batch in batches]
        if isinstance(entry, NestedArrayDict):
            joined[name] = _joined(entries, join, dim, size, (*path, name))
            continue
        if len({is_string_array(array) for array in entries}) > 1:
            kinds = ", ".join(kind_of(array) for array in entries)
            raise ValueError(
                f"{format_path((*path, name))} cannot be joined: its types are {kinds}."
            )
        try:
            joined[name] = join(entries, axis=dim)
        except ValueError as error:
            shapes = ", ".join(str(array.shape) for array in entries)
            raise ValueError(
                f"{format_path((*path, name))} cannot be joined along dimension {dim}: its shapes "
                f"are {shapes}."
            ) from error
    return NestedArrayDict._of(joined, size)
