"""Reading and writing of the files of one checkpoint.

A checkpoint has one safetensors file per group of tensors, ``state.json``, and ``manifest.json``
with size and checksum of all other files, which detect incomplete copies and flipped bits.
"""

import errno
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nip.run_store.checkpoints.checkpoint import MANIFEST_FILE, Checkpoint
from nip.run_store.database.origin import Origin
from nip.utils.exact_json import dump_exactly
from nip.utils.files import flush_all_to_disk, flush_to_disk, read_text, storage_errors

_FORMAT = 1
_GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHUNK_BYTES = 1 << 22

# Tensors of other types (complex, 8-bit floats ...) are stored as bytes, because support for them
# depends on the version of safetensors.
_PLAIN_TYPES = frozenset(
    getattr(torch, name)
    for name in (
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "bfloat16", "float32", "float64"),
    )
)


class DamagedCheckpointError(Exception):
    """A file of a checkpoint is missing or has changed."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(f"The checkpoint {folder} is damaged: {problem}")
        self.folder = folder


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint into a new folder and flush it to disk.

    Raises ``TypeError`` if the state cannot be restored exactly from JSON, and ``StorageError`` if
    the disk is full or fails; nothing is left then.
    """
    state = dump_exactly(checkpoint.state)
    with storage_errors(folder):
        folder.mkdir()
        try:
            _write_files(folder, checkpoint, state)
        except BaseException:
            # An incomplete checkpoint would keep a full disk full.
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _write_files(folder: Path, checkpoint: Checkpoint, state: str) -> None:
    document = folder / "state.json"
    document.write_text(state, encoding="utf-8")
    as_bytes = {}
    for group, tensors in checkpoint.tensors.items():
        assert _GROUP_NAME.fullmatch(group), f"{group!r} is not a valid file name"
        path = folder / f"{group}.safetensors"
        _write_group(path, {name: _for_disk(tensor) for name, tensor in tensors.items()})
        # safetensors lets nobody else read its files, whatever the umask.
        path.chmod(document.stat().st_mode)
        as_bytes[group] = {
            name: {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
            for name, tensor in tensors.items()
            if tensor.dtype not in _PLAIN_TYPES
        }
    manifest = {
        "format": _FORMAT,
        "iteration": checkpoint.iteration,
        **checkpoint.origin.to_dict(),
        "groups": list(checkpoint.tensors),
        "stored_as_bytes": as_bytes,
        "files": {path.name: _fingerprint(path) for path in sorted(folder.iterdir())},
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    flush_all_to_disk(folder.iterdir())
    flush_to_disk(folder)


def _write_group(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        # The tensors are valid, so that only the disk can be the reason, of which it has the text.
        found = re.search(r"os error (\d+)", str(error))
        number = int(found.group(1)) if found else errno.EIO
        raise OSError(number, os.strerror(number)) from error


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint; raise ``DamagedCheckpointError`` if a file is missing or has changed."""
    try:
        manifest = json.loads(read_text(folder / MANIFEST_FILE))
        _check_files(folder, manifest)
        return Checkpoint(
            iteration=manifest["iteration"],
            tensors={group: _read_group(folder, group, manifest) for group in manifest["groups"]},
            state=json.loads(read_text(folder / "state.json")),
            origin=Origin.from_mapping(manifest),
        )
    except _UNREADABLE as error:
        raise DamagedCheckpointError(folder, f"{type(error).__name__}: {error}") from error


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    if manifest["format"] != _FORMAT:
        raise ValueError(f"it has format {manifest['format']}, this version of nip reads {_FORMAT}")
    for name, expected in manifest["files"].items():
        found = _fingerprint(folder / name)
        if found != expected:
            raise ValueError(f"{name} should have {expected}, but has {found}")


def _read_group(folder: Path, group: str, manifest: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read one safetensors file into newly allocated tensors.

    Tensors in a mapped file are aligned differently, and on some processors the last bits of a sum
    depend on the alignment.
    """
    tensors = {name: t.clone() for name, t in load_file(folder / f"{group}.safetensors").items()}
    for name, original in manifest["stored_as_bytes"][group].items():
        dtype = getattr(torch, original["dtype"])
        tensors[name] = tensors[name].view(dtype).reshape(original["shape"])
    return tensors


def _for_disk(tensor: Tensor) -> Tensor:
    """Return a contiguous copy on the CPU that shares no memory with other tensors."""
    copy = tensor.detach().resolve_conj().resolve_neg().to("cpu", copy=True).contiguous()
    return copy if copy.dtype in _PLAIN_TYPES else copy.reshape(-1).view(torch.uint8)


def _fingerprint(path: Path) -> dict[str, int]:
    checksum = 0
    for chunk in _chunks(path):
        checksum = zlib.crc32(chunk, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
