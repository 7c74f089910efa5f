"""The handwritten digits that come with scikit-learn: 1797 images of 8x8 pixels."""

from pathlib import Path

import numpy as np

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.seeding import stable_seed

_BRIGHTEST = 16
_TEST_SHARE = 0.5


def read_digits_split(folder: Path, split: str) -> ImageArrays:  # noqa: ARG001
    """Return a half of the images, drawn once and for all.

    Raises
    ------
    DatasetError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DatasetError(
            "The dataset 'digits' comes with scikit-learn, which is not installed. Install it "
            "with: pip install nip[images], or choose dataset=find_the_plus."
        ) from error
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(stable_seed("digits")).permutation(len(images))
    num_test = round(len(images) * _TEST_SHARE)
    rows = np.sort(order[:num_test] if split == "test" else order[num_test:])
    pixels = (images[rows] * (255 / _BRIGHTEST)).round().astype(np.uint8)
    return ImageArrays(pixels.reshape(-1, 1, 8, 8), classes[rows].astype(np.int64))
