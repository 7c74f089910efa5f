"""Random images with random classes, for trying things out."""

from pathlib import Path

import numpy as np

from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.seeding import stable_seed

NUM_IMAGES = 100
"""Number of images in each split."""


def read_random_split(folder: Path, split: str) -> ImageArrays:  # noqa: ARG001
    """Return random images of 28x28 pixels; the classes 0 and 1 are equally frequent."""
    rng = np.random.default_rng(stable_seed("random images", split))
    images = rng.integers(256, size=(NUM_IMAGES, 1, 28, 28), dtype=np.uint8)
    return ImageArrays(images, rng.permutation(NUM_IMAGES) % 2)
