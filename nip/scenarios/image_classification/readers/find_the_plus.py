"""Find the plus: images in which a small plus is hidden among other marks, or not.

An image is a grid of cells. Some cells hold a mark of three by three pixels: a bar, a dash or a
cross, and in images of class 1 exactly one plus. The number of marks is always the same, so that it
reveals nothing, and every cell has the same noise. Whoever sees the whole image finds the plus.
Whoever sees only one cell needs to be told which: chosen at random, it shows the plus with
probability ``1 / NUM_CELLS``.

The task follows Anil, Zhang, Wu and Grosse: Learning to give checkable answers with prover-verifier
games (2021).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nip.scenarios.image_classification.readers.image_arrays import ImageArrays
from nip.seeding import stable_seed

GRID = 4
"""Number of cells in a row, and of rows."""

CELL = 4
"""Width of a cell in pixels."""

NUM_CELLS = GRID * GRID
"""Number of cells."""

NUM_MARKS = 5
"""Number of marks in each image, including the plus."""

NUM_IMAGES = {"train": 4000, "test": 2000}
"""Number of images in each split."""

_PLUS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
_OTHERS = (
    ((0, 1, 0), (0, 1, 0), (0, 1, 0)),
    ((0, 0, 0), (1, 1, 1), (0, 0, 0)),
    ((1, 0, 1), (0, 1, 0), (1, 0, 1)),
)
_MARKS = np.array((*_OTHERS, _PLUS), dtype=np.float64)
_PLUS_INDEX = len(_OTHERS)
_NOISE = 0.35
"""Brightness of the background is uniform from 0 to this; marks are brighter by the rest."""


def read_plus_split(folder: Path, split: str) -> ImageArrays:  # noqa: ARG001
    """Generate the images of a split, always the same; both classes are equally frequent."""
    rng = np.random.default_rng(stable_seed("find the plus", split))
    return generate_plus_images(NUM_IMAGES[split], rng)


def generate_plus_images(num_images: int, rng: np.random.Generator) -> ImageArrays:
    """Generate images in random order, half of them with a plus."""
    classes = rng.permutation(num_images) % 2
    places = rng.random((num_images, NUM_CELLS)).argsort(axis=1)[:, :NUM_MARKS]
    kinds = rng.integers(len(_OTHERS), size=(num_images, NUM_MARKS))
    kinds[:, 0] = np.where(classes == 1, _PLUS_INDEX, kinds[:, 0])
    offsets = rng.integers(CELL - _MARKS.shape[1] + 1, size=(2, num_images, NUM_MARKS))
    marks = np.zeros((num_images, NUM_CELLS, CELL, CELL))
    rows, steps = np.arange(num_images)[:, None, None, None], np.arange(_MARKS.shape[1])
    tops = offsets[0][..., None, None] + steps[:, None]
    lefts = offsets[1][..., None, None] + steps
    marks[rows, places[..., None, None], tops, lefts] = _MARKS[kinds]
    noise = rng.uniform(0, _NOISE, size=(num_images, GRID * CELL, GRID * CELL))
    pixels = noise + (1 - _NOISE) * _tiled(marks)
    return ImageArrays((pixels * 255).round().astype(np.uint8)[:, None], classes)


def _tiled(
    cells: Float[np.ndarray, "image cell row column"],
) -> Float[np.ndarray, "image height width"]:
    """Put the cells of each image beside each other."""
    grid = cells.reshape(-1, GRID, GRID, CELL, CELL).swapaxes(2, 3)
    return grid.reshape(-1, GRID * CELL, GRID * CELL)
