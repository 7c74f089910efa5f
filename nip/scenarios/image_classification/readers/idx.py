"""The IDX files of MNIST, Fashion-MNIST and Kuzushiji-MNIST."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.scenarios.image_classification.readers.official_files import IDX_NAMES, damaged
from nip.utils.files import regular

_NUM_CLASSES = 10
_UNSIGNED_BYTES = 8

MAX_BYTES = 2**30
"""Maximum size of a decompressed file; the largest official one has 47 MB."""


def read_idx_split(folder: Path, split: str) -> ImageArrays:
    """Read the images of one split.

    Raises
    ------
    DatasetError
        If a file is damaged.
    """
    images_path, classes_path = (folder / name for name in IDX_NAMES[split])
    images, classes = read_idx(images_path, num_axes=3), read_idx(classes_path, num_axes=1)
    if len(images) != len(classes):
        raise damaged(classes_path, f"it has {len(classes)} labels for {len(images)} images")
    if len(classes) and classes.max() >= _NUM_CLASSES:
        raise damaged(classes_path, f"it has the label {classes.max()}, more than 9")
    return ImageArrays(images[:, None], classes.astype(np.int64))


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """Read an array of bytes from a compressed IDX file.

    The file begins with two zero bytes, the type of the numbers, the number of axes, and the length
    of each axis as four bytes, the highest first.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    try:
        with gzip.open(regular(path)) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    if len(content) > MAX_BYTES:
        raise damaged(path, f"it has more than {MAX_BYTES} bytes")
    if content[:4] != bytes((0, 0, _UNSIGNED_BYTES, num_axes)):
        raise damaged(path, f"it does not hold bytes with {num_axes} axes")
    start = 4 + 4 * num_axes
    header = content[4:start]
    shape = np.frombuffer(header, dtype=">u4").tolist() if len(header) == 4 * num_axes else []
    values = np.frombuffer(content, dtype=np.uint8, offset=min(start, len(content)))
    if not shape or values.size != math.prod(shape):
        raise damaged(path, f"it has {values.size} bytes for an array of the shape {shape}")
    return values.reshape(shape)
