"""Named arrays in one file, without pickling: an ``.npz`` archive and an index in JSON.

The archive holds ``index`` (the JSON text as bytes) and, for the i-th entry, either ``array_i``, or
for strings ``bytes_i`` (all of them one after the other, in UTF-8) and ``lengths_i`` (in bytes; −1
for one that is missing).
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nip.utils.files import write_atomically
from nip.utils.nested_array_dict.string_arrays import STRING, is_string_array

FORMAT = "nip-nested-arrays-1"
MISSING = -1
"""Length of a string that is missing."""

ArraysByName = Mapping[tuple[str, ...], NDArray[Any]]


def write_arrays(path: Path, batch_size: tuple[int, ...], arrays: ArraysByName) -> None:
    """Write named arrays and their batch size, replacing the file in one step."""
    parts: dict[str, NDArray[Any]] = {}
    entries = []
    for number, (key, array) in enumerate(arrays.items()):
        is_string = is_string_array(array)
        entries.append({"key": list(key), "is_string": is_string, "shape": list(array.shape)})
        if is_string:
            content, lengths = _pack(array)
            parts |= {f"bytes_{number}": content, f"lengths_{number}": lengths}
        else:
            parts[f"array_{number}"] = array
    index = {"format": FORMAT, "batch_size": list(batch_size), "entries": entries}
    parts["index"] = np.frombuffer(json.dumps(index).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **parts)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path) -> tuple[tuple[int, ...], dict[tuple[str, ...], NDArray[Any]]]:
    """Read what ``write_arrays`` wrote.

    Returns
    -------
    batch_size, arrays
        As they were written.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file was written by something else, or is damaged.
    """
    content = io.BytesIO(path.read_bytes())  # numpy leaves a damaged file open
    try:
        with np.load(content, allow_pickle=False) as parts:
            index = json.loads(parts["index"].tobytes())
            if index["format"] != FORMAT:
                raise ValueError(f"its format is {index['format']!r}, not {FORMAT!r}")
            arrays = {
                tuple(entry["key"]): _read_entry(parts, number, entry)
                for number, entry in enumerate(index["entries"])
            }
            return tuple(index["batch_size"]), arrays
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is no file of nested arrays, or it is damaged: {error}. "
            f"Write it again with NestedArrayDict.save."
        ) from error


def _read_entry(
    parts: Mapping[str, NDArray[Any]], number: int, entry: Mapping[str, Any]
) -> NDArray[Any]:
    if not entry["is_string"]:
        return parts[f"array_{number}"]
    return _unpack(parts[f"bytes_{number}"], parts[f"lengths_{number}"], tuple(entry["shape"]))


def _pack(strings: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    encoded = [None if item is None else item.encode() for item in strings.reshape(-1).tolist()]
    content = b"".join(item for item in encoded if item)
    lengths = [MISSING if item is None else len(item) for item in encoded]
    return np.frombuffer(content, dtype=np.uint8), np.array(lengths, dtype=np.int64)


def _unpack(content: NDArray[Any], lengths: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    data, strings, begin = content.tobytes(), [], 0
    for length in lengths.tolist():
        end = begin + max(length, 0)
        strings.append(None if length == MISSING else data[begin:end].decode())
        begin = end
    if begin != len(data):
        raise ValueError(f"the strings have {len(data)} bytes, their lengths say {begin}")
    return np.array(strings, dtype=STRING).reshape(shape)
