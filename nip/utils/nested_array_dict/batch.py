"""``NestedArrayDict``: a ``TensorDict`` of numpy arrays, which unlike tensors can hold strings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, cast, overload

import numpy as np
from numpy.typing import NDArray

from nip.errors import UnknownNameError, unknown_name
from nip.utils.nested_array_dict.indexing import (
    Index,
    Key,
    as_path,
    format_path,
    full_index,
    is_path,
    size_of_part,
)
from nip.utils.nested_array_dict.string_arrays import (
    as_array,
    is_string_array,
    kind_of,
    may_replace,
)


class NestedArrayDict:
    """Named, possibly nested numpy arrays with common leading batch dimensions.

    Numeric arrays are stored without a copy. Strings, lists of strings and object arrays are
    converted to ``numpy.dtypes.StringDType(na_object=None)``, where ``None`` is a missing value;
    note that numpy's ``==`` treats ``None`` as an empty string.

    Parameters
    ----------
    data : Mapping[str, Any]
        Entries by name. A mapping becomes a nested ``NestedArrayDict``.
    batch_size : int | Sequence[int]
        Leading dimensions of every entry.

    Raises
    ------
    ValueError
        If an entry has other leading dimensions, or is not an array of numbers or strings.

    Examples
    --------
    >>> batch = NestedArrayDict({"y": [0, 1, 1], "agents": {"text": ["a", "b", "c"]}}, 3)
    >>> batch[batch["y"] == 1]["agents", "text"].tolist()
    ['b', 'c']
    """

    __slots__ = ("_batch_size", "_entries")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Mapping[str, Any], batch_size: int | Sequence[int]) -> None:
        sizes = (batch_size,) if isinstance(batch_size, int | np.integer) else batch_size
        self._batch_size = tuple(int(size) for size in sizes)
        if min(self._batch_size, default=0) < 0:
            raise ValueError(f"batch_size must not be negative, got {self._batch_size}.")
        self._entries: dict[str, NDArray[Any] | NestedArrayDict] = {}
        self.update(data)

    @classmethod
    def _of(
        cls, entries: dict[str, "NDArray[Any] | NestedArrayDict"], batch_size: tuple[int, ...]
    ) -> "NestedArrayDict":
        """Wrap entries that are known to be valid, without checking them."""
        made = cls.__new__(cls)
        made._entries = entries
        made._batch_size = batch_size
        return made

    @property
    def batch_size(self) -> tuple[int, ...]:
        """The leading dimensions of all entries."""
        return self._batch_size

    @property
    def shape(self) -> tuple[int, ...]:
        """Alias of ``batch_size``."""
        return self._batch_size

    def __len__(self) -> int:
        if not self._batch_size:
            raise TypeError("A NestedArrayDict without batch dimensions has no length.")
        return self._batch_size[0]

    def __bool__(self) -> bool:
        raise TypeError("The truth value of a NestedArrayDict is ambiguous. Use len() or keys().")

    def __iter__(self) -> "Iterator[NestedArrayDict]":
        """Iterate over the first batch dimension."""
        return (self[row] for row in range(len(self)))

    def __contains__(self, key: object) -> bool:
        found: Any = self
        path = (key,) if isinstance(key, str) else key
        if not is_path(path):
            return False
        for name in path:
            if not isinstance(found, NestedArrayDict) or name not in found._entries:
                return False
            found = found._entries[name]
        return True

    # An entry is an array or a NestedArrayDict. The union type would force every caller to narrow
    # it, so the return type is Any.
    @overload
    def __getitem__(self, key: Key) -> Any: ...

    @overload
    def __getitem__(self, key: Index) -> "NestedArrayDict": ...

    def __getitem__(self, key: Key | Index) -> Any:
        """Return an entry by name or path, or a part along the batch dimensions."""
        if isinstance(key, str):
            try:
                return self._entries[key]
            except KeyError:
                raise _unknown(self, (key,), 0) from None
        if is_path(key):
            return self._look_up(key)
        index = full_index(cast(Index, key), self._batch_size)
        return self._part(index, size_of_part(self._batch_size, index))

    def __setitem__(self, key: Key | Index, value: Any) -> None:
        """Set an entry, or overwrite a part of all entries.

        Raises
        ------
        ValueError
            If shape or type do not match or, for a part, if the names differ.
        """
        if isinstance(key, str):
            self._entries[key] = self._checked((key,), value)
        elif is_path(key):
            self._parent(key)._entries[key[-1]] = self._checked(key, value)
        else:
            self._set_part(full_index(cast(Index, key), self._batch_size), value)

    def __delitem__(self, key: Key) -> None:
        path = (key,) if isinstance(key, str) else key
        self._look_up(path)
        del self._look_up(path[:-1])._entries[path[-1]]

    def get(self, key: Key, default: Any = None) -> Any:
        """Return an entry, or ``default`` if the name is unknown."""
        try:
            return self[key]
        except UnknownNameError:
            return default

    def keys(self, include_nested: bool = False, leaves_only: bool = False) -> list[Key]:
        """Return the names of the entries in insertion order.

        Parameters
        ----------
        include_nested : bool
            Include nested entries, as paths.
        leaves_only : bool
            Exclude the nested dictionaries themselves.
        """
        found: list[Key] = []
        for name, entry in self._entries.items():
            if not (leaves_only and isinstance(entry, NestedArrayDict)):
                found.append(name)
            if include_nested and isinstance(entry, NestedArrayDict):
                found += [(name, *as_path(key)) for key in entry.keys(include_nested, leaves_only)]
        return found

    def items(
        self, include_nested: bool = False, leaves_only: bool = False
    ) -> list[tuple[Key, Any]]:
        """Return names and entries; see ``keys``."""
        return [(key, self[key]) for key in self.keys(include_nested, leaves_only)]

    def update(self, other: "Mapping[str, Any] | NestedArrayDict") -> "NestedArrayDict":
        """Set all entries of another mapping; nested dictionaries of the same name are merged."""
        for name, value in _named(other):
            present = self._entries.get(name)
            if isinstance(present, NestedArrayDict) and _is_nested(value):
                present.update(value)
            else:
                self[name] = value
        return self

    def select(self, *keys: Key) -> "NestedArrayDict":
        """Return a new dictionary with some of the entries; arrays are shared."""
        chosen = self._of({}, self._batch_size)
        for key in keys:
            chosen[key] = self[key]
        return chosen

    def exclude(self, *keys: Key) -> "NestedArrayDict":
        """Return a new dictionary without some of the entries; arrays are shared."""
        rest = self._mapped(lambda array: array, self._batch_size)
        for key in keys:
            del rest[key]
        return rest

    def reshape(self, *batch_size: int) -> "NestedArrayDict":
        """Reshape the batch dimensions; one of them may be −1."""
        num_dims = len(self._batch_size)
        new = np.broadcast_to(False, self._batch_size).reshape(batch_size).shape
        return self._mapped(lambda array: array.reshape(new + array.shape[num_dims:]), new)

    def copy(self) -> "NestedArrayDict":
        """Return a deep copy."""
        return self._mapped(lambda array: array.copy(), self._batch_size)

    def equals(self, other: object) -> bool:
        """Return whether names, shapes, kinds and values are equal; NaN equals NaN."""
        if not isinstance(other, NestedArrayDict) or self._batch_size != other._batch_size:
            return False
        if self._entries.keys() != other._entries.keys():
            return False
        return all(_same(entry, other._entries[name]) for name, entry in self._entries.items())

    __eq__ = equals

    def __repr__(self) -> str:
        lines = [
            f"    {key!r}: {kind_of(entry)}{list(entry.shape)}"
            for key, entry in self.items(include_nested=True, leaves_only=True)
        ]
        return "\n".join(["NestedArrayDict({", *lines, f"}}, batch_size={self._batch_size})"])

    def _part(self, index: tuple[Any, ...], size: tuple[int, ...]) -> "NestedArrayDict":
        entries: dict[str, Any] = {}
        for name, entry in self._entries.items():
            if isinstance(entry, NestedArrayDict):
                entries[name] = entry._part(index, size)
            else:
                entries[name] = entry[index]
        return self._of(entries, size)

    def _mapped(
        self, change: Callable[[NDArray[Any]], NDArray[Any]], size: tuple[int, ...]
    ) -> "NestedArrayDict":
        entries: dict[str, Any] = {}
        for name, entry in self._entries.items():
            if isinstance(entry, NestedArrayDict):
                entries[name] = entry._mapped(change, size)
            else:
                entries[name] = change(entry)
        return self._of(entries, size)

    def _nesting(self) -> set[tuple[str, bool]]:
        """Return the name of each entry and whether it is a dictionary."""
        return {(name, isinstance(entry, NestedArrayDict)) for name, entry in self._entries.items()}

    def _look_up(self, path: tuple[str, ...]) -> Any:
        found: Any = self
        for depth, name in enumerate(path):
            if not isinstance(found, NestedArrayDict) or name not in found._entries:
                raise _unknown(found, path, depth)
            found = found._entries[name]
        return found

    def _parent(self, path: tuple[str, ...]) -> "NestedArrayDict":
        """Return the dictionary that holds the last name of a path; create missing ones."""
        found = self
        for depth, name in enumerate(path[:-1]):
            entry = found._entries.setdefault(name, self._of({}, self._batch_size))
            if not isinstance(entry, NestedArrayDict):
                raise ValueError(
                    f"{path!r} cannot be set: {path[: depth + 1]!r} is an array of shape "
                    f"{entry.shape}. Delete it first, or choose another name."
                )
            found = entry
        return found

    def _checked(self, path: tuple[str, ...], value: Any) -> "NDArray[Any] | NestedArrayDict":
        """Convert a value to the stored form; raise ValueError if it is not valid."""
        if _is_nested(value):
            nested = self._of({}, self._batch_size)
            for name, entry in _named(value):
                nested._entries[name] = self._checked((*path, name), entry)
            return nested
        try:
            array = as_array(value)
        except ValueError as error:
            raise ValueError(f"The entry {format_path(path)} {error}.") from error
        if array.shape[: len(self._batch_size)] != self._batch_size:
            raise ValueError(
                f"The entry {format_path(path)} has the shape {array.shape}, which must begin with "
                f"the batch size {self._batch_size}."
            )
        return array

    def _set_part(self, index: tuple[Any, ...], value: Any) -> None:
        size = size_of_part(self._batch_size, index)
        part = value if isinstance(value, NestedArrayDict) else NestedArrayDict(value, size)
        check_same_names([self, part])
        for key, array in self.items(include_nested=True, leaves_only=True):
            new = part[key]
            wanted = size + array.shape[len(self._batch_size) :]
            if new.shape != wanted or not may_replace(array, new):
                raise ValueError(
                    f"The new values for a part of {format_path(as_path(key))} must be "
                    f"{kind_of(array)}{list(wanted)}, got {kind_of(new)}{list(new.shape)}."
                )
        for key, array in self.items(include_nested=True, leaves_only=True):
            array[index] = part[key]


def check_same_names(batches: Sequence[NestedArrayDict], path: tuple[str, ...] = ()) -> None:
    """Raise ``ValueError`` naming the entries that differ, unless names and nesting are equal."""
    first = batches[0]
    for number, batch in enumerate(batches):
        differing = first._nesting() ^ batch._nesting()
        if differing:
            names = sorted({format_path((*path, name)) for name, _ in differing})
            raise ValueError(
                f"All dictionaries must have the same entries; numbers 0 and {number} differ in "
                f"{', '.join(names)}."
            )
    for name, is_nested in sorted(first._nesting()):
        if is_nested:
            check_same_names([batch[name] for batch in batches], (*path, name))


def _same(one: NDArray[Any] | NestedArrayDict, other: NDArray[Any] | NestedArrayDict) -> bool:
    if isinstance(one, NestedArrayDict) or isinstance(other, NestedArrayDict):
        return isinstance(one, NestedArrayDict) and one.equals(other)
    if one.dtype.kind != other.dtype.kind or one.shape != other.shape:
        return False
    if is_string_array(one):
        return one.tolist() == other.tolist()  # numpy treats a missing string as an empty one
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")


def _is_nested(value: object) -> TypeGuard[Mapping[str, Any] | NestedArrayDict]:
    return isinstance(value, Mapping | NestedArrayDict)


def _named(entries: Mapping[str, Any] | NestedArrayDict) -> Iterator[tuple[str, Any]]:
    for name, entry in entries.items():
        if not isinstance(name, str):
            raise TypeError(f"The name of an entry must be a string, got {name!r}.")
        yield name, entry


def _unknown(found: Any, path: tuple[str, ...], depth: int) -> UnknownNameError:
    if not isinstance(found, NestedArrayDict):
        return UnknownNameError(
            f"There is no entry {path!r}: {format_path(path[:depth])} is an array of shape "
            f"{found.shape}, not a dictionary."
        )
    where = f"entry in {format_path(path[:depth])} called" if depth else "entry"
    return UnknownNameError(unknown_name(where, path[depth], found._entries))
