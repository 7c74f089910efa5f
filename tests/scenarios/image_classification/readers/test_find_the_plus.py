"""A plus is hidden in the images of class 1, and nothing else tells the classes apart."""

import numpy as np
import pytest

from nip.scenarios.image_classification.readers.find_the_plus import (
    CELL,
    GRID,
    NUM_CELLS,
    NUM_IMAGES,
    NUM_MARKS,
    generate_plus_images,
    read_plus_split,
)

BRIGHT = 150
"""Between the brightest noise, 0.35 * 255, and the darkest pixel of a mark, 0.65 * 255."""
PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)


@pytest.fixture(scope="module")
def arrays():
    return generate_plus_images(400, np.random.default_rng(0))


def cells_of(images: np.ndarray) -> np.ndarray:
    """Return the bright pixels of each cell, (image, cell, row, column)."""
    bright = images[:, 0] > BRIGHT
    grid = bright.reshape(-1, GRID, CELL, GRID, CELL).swapaxes(2, 3)
    return grid.reshape(-1, NUM_CELLS, CELL, CELL)


def has_plus(cell: np.ndarray) -> bool:
    windows = [cell[row : row + 3, column : column + 3] for row in (0, 1) for column in (0, 1)]
    return any(np.array_equal(window, PLUS) for window in windows) and cell.sum() == PLUS.sum()


def test_exactly_the_images_of_class_1_have_a_plus_and_only_one(arrays) -> None:
    counts = [sum(map(has_plus, cells)) for cells in cells_of(arrays.images)]
    assert counts == arrays.classes.tolist()


def test_all_images_have_as_many_marks(arrays) -> None:
    assert set(cells_of(arrays.images).any((2, 3)).sum(1)) == {NUM_MARKS}


def test_the_place_of_the_plus_is_uniform(arrays) -> None:
    places = [
        index
        for cells in cells_of(arrays.images[arrays.classes == 1])
        for index, cell in enumerate(cells)
        if has_plus(cell)
    ]
    expected = 200 / NUM_CELLS
    # Five standard deviations of a count that is about Poisson distributed.
    assert np.abs(np.bincount(places, minlength=NUM_CELLS) - expected).max() < 5 * expected**0.5


def test_splits_are_balanced_reproducible_and_different(tmp_path) -> None:
    train, test = (read_plus_split(tmp_path, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (NUM_IMAGES["train"], NUM_IMAGES["test"])
    assert train.classes.mean() == test.classes.mean() == 0.5
    assert np.array_equal(train.images, read_plus_split(tmp_path, "train").images)
    assert not {bytes(image) for image in train.images} & {bytes(image) for image in test.images}
