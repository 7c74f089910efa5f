"""Random images are balanced and always the same."""

import numpy as np

from nip.scenarios.image_classification.readers.random_images import read_random_split


def test_images_are_balanced_and_reproducible(tmp_path) -> None:
    first, second = (read_random_split(tmp_path, "train") for _ in range(2))
    assert first.images.shape == (100, 1, 28, 28)
    assert first.classes.mean() == 0.5
    assert np.array_equal(first.images, second.images)
    assert not np.array_equal(first.images, read_random_split(tmp_path, "test").images)
