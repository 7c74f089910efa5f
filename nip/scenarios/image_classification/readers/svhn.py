"""The MATLAB files of SVHN, the Street View House Numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.scenarios.image_classification.readers.official_files import SVHN_NAMES, damaged
from nip.utils.files import regular

_NUM_CLASSES = 10


def read_svhn_split(folder: Path, split: str) -> ImageArrays:
    """Read the images of one split. The digit 0, whose label is 10 in the files, is class 0.

    Raises
    ------
    DatasetError
        If the file is damaged, or SciPy is missing.
    """
    path = folder / SVHN_NAMES[split]
    content = _load_matrices(path)
    pixels, labels = content.get("X"), content.get("y")
    if (
        not isinstance(pixels, np.ndarray)
        or not isinstance(labels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 4
        or pixels.shape[:3] != (32, 32, 3)
        or labels.size != pixels.shape[3]
    ):
        raise damaged(path, "it has no array X of 32x32x3 bytes with a label y for each image")
    labels = labels.reshape(-1).astype(np.int64)
    if len(labels) and not (labels.min() >= 1 and labels.max() <= _NUM_CLASSES):
        raise damaged(path, "a label is not from 1 to 10")
    images = np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))
    return ImageArrays(images, labels % _NUM_CLASSES)


def _load_matrices(path: Path) -> dict[str, Any]:
    # Its reader parses arrays and executes nothing.
    from scipy.io import loadmat

    try:
        content: dict[str, Any] = loadmat(regular(path), variable_names=("X", "y"))
    except Exception as error:  # Damaged files make SciPy raise many unrelated types.
        raise damaged(path, error) from error
    return content
