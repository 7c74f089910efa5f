"""Labels 0 and 1 from the classes of images, and the choice of the images that are kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from nip.errors import DatasetError
from nip.parameters import DatasetOptionsParameters
from nip.scenarios.image_classification.sources import ImageSource
from nip.seeding import stable_seed


@dataclass(frozen=True)
class LabelledRows:
    """Images of a dataset that are kept, in a new order, with their labels."""

    rows: Int[np.ndarray, " kept"]
    """Position of each image in the dataset; it selects what belongs to the image elsewhere."""

    labels: Int[np.ndarray, " kept"]
    """Labels, 0 or 1."""


def label_rows(
    classes: Int[np.ndarray, " image"],
    options: DatasetOptionsParameters,
    source: ImageSource,
    split: str,
) -> LabelledRows:
    """Give labels to the images of a split, and choose those that are kept.

    With ``make_balanced`` all images of label 0 come first, in random order, then as many of label
    1. Otherwise the images keep their order.

    Raises
    ------
    DatasetError
        If no image is left, or a balanced dataset has no image of one of the labels.
    """
    seed = source.binarification_seed
    if options.binarification_seed is not None:
        seed = options.binarification_seed
    labels = _METHODS[options.binarification_method](classes, options, source, seed, split)
    rows = np.flatnonzero(labels >= 0)
    limit = options.max_train_size if split == "train" else None
    if options.make_balanced:
        rows = _balanced(rows, labels[rows], limit, split)
    elif limit is not None and len(rows) > limit:
        rows = np.sort(_shuffled(rows, split)[:limit])
    return LabelledRows(rows, labels[rows])


def _merge(
    classes: np.ndarray, _: object, source: ImageSource, seed: int, __: str
) -> Int[np.ndarray, " image"]:
    """Give label 1 to half of the classes, drawn at random; two classes are labels already."""
    if source.num_classes == 2:
        return classes
    rng = np.random.default_rng(stable_seed("merged classes", seed))
    order = rng.permutation(source.num_classes)
    label_of_class = np.ones(source.num_classes, dtype=np.int64)
    label_of_class[order[: source.num_classes // 2]] = 0
    return label_of_class[classes]


def _select_two(
    classes: np.ndarray,
    options: DatasetOptionsParameters,
    source: ImageSource,
    _: int,
    __: str,
) -> Int[np.ndarray, " image"]:
    """Give labels to the images of two classes, and -1 to all others."""
    first, second = options.selected_classes or source.selected_classes
    return np.select([classes == first, classes == second], [0, 1], default=-1)


def _random(
    classes: np.ndarray, _: object, __: object, seed: int, split: str
) -> Int[np.ndarray, " image"]:
    """Toss a coin for each image."""
    rng = np.random.default_rng(stable_seed("random labels", seed, split))
    return rng.integers(2, size=len(classes))


_METHODS: dict[str, Callable[..., np.ndarray]] = {
    "merge": _merge,
    "select_two": _select_two,
    "random": _random,
}


def _balanced(
    rows: np.ndarray, labels: np.ndarray, limit: int | None, split: str
) -> Int[np.ndarray, " kept"]:
    """Return equally many rows of each label: those of label 0, then those of label 1."""
    of_label = [_shuffled(rows[labels == label], split) for label in (0, 1)]
    counts = [len(each) for each in of_label]
    if min(counts) == 0:
        raise DatasetError(
            f"The {split} split has {counts[0]} images of label 0 and {counts[1]} of label 1, so "
            "that it cannot be balanced. Choose other classes or another "
            "dataset_options.binarification_method, or set dataset_options.make_balanced=False."
        )
    count = min(*counts, *([] if limit is None else [limit // 2]))
    return np.concatenate([each[:count] for each in of_label])


def _shuffled(rows: np.ndarray, split: str) -> np.ndarray:
    return np.random.default_rng(stable_seed("kept images", split)).permutation(rows)
