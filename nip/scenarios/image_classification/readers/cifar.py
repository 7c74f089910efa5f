"""The binary archives of CIFAR-10 and CIFAR-100.

The archives for Python hold pickles, which can execute anything, and are not read.
"""

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nip.scenarios.image_classification.readers.idx import MAX_BYTES
from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.scenarios.image_classification.readers.official_files import CIFAR_ARCHIVES, damaged
from nip.utils.files import regular

_SHAPE = (3, 32, 32)
_NUM_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Layout:
    """Names in a binary archive, and the layout of its records."""

    dataset: str
    """Name of the dataset."""

    members: dict[str, tuple[str, ...]]
    """Files of each split."""

    num_label_bytes: int
    """Number of bytes before the pixels of an image; the last is its class."""

    num_classes: int
    """Number of classes."""


_CIFAR10 = _Layout(
    dataset="cifar10",
    members={
        "train": tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("cifar-10-batches-bin/test_batch.bin",),
    },
    num_label_bytes=1,
    num_classes=10,
)
_CIFAR100 = _Layout(
    dataset="cifar100",
    members={"train": ("cifar-100-binary/train.bin",), "test": ("cifar-100-binary/test.bin",)},
    num_label_bytes=2,
    num_classes=100,
)


def read_cifar10_split(folder: Path, split: str) -> ImageArrays:
    """Read the images of a split of CIFAR-10."""
    return _read_split(folder, split, _CIFAR10)


def read_cifar100_split(folder: Path, split: str) -> ImageArrays:
    """Read the images of a split of CIFAR-100, with the fine classes."""
    return _read_split(folder, split, _CIFAR100)


def _read_split(folder: Path, split: str, layout: _Layout) -> ImageArrays:
    path = folder / CIFAR_ARCHIVES[layout.dataset]
    try:
        with tarfile.open(regular(path), "r:gz") as archive:
            parts = [_read_member(archive, name) for name in layout.members[split]]
    except (tarfile.TarError, OSError, EOFError, KeyError, zlib.error) as error:
        raise damaged(path, error) from error
    content = np.frombuffer(b"".join(parts), dtype=np.uint8)
    num_bytes = layout.num_label_bytes + _NUM_PIXELS
    if content.size % num_bytes:
        raise damaged(path, f"the {split} split is not a whole number of records")
    records = content.reshape(-1, num_bytes)
    classes = records[:, layout.num_label_bytes - 1].astype(np.int64)
    if (classes >= layout.num_classes).any():
        raise damaged(path, f"it has the class {classes.max()} of {layout.num_classes}")
    return ImageArrays(records[:, layout.num_label_bytes :].reshape(-1, *_SHAPE), classes)


def _read_member(archive: tarfile.TarFile, name: str) -> bytes:
    """Read a file of the archive into memory, without writing anything to disk."""
    size, file = archive.getmember(name).size, archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    if size > MAX_BYTES:
        raise tarfile.TarError(f"{name} has more than {MAX_BYTES} bytes")
    with file:
        return file.read()
