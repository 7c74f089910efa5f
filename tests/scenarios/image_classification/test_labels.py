"""Labels follow from classes by the chosen method, and rows keep their positions."""

from itertools import combinations

import numpy as np
import pytest

from nip.errors import DatasetError
from nip.parameters import DatasetOptionsParameters
from nip.scenarios.image_classification.labels import label_rows
from nip.scenarios.image_classification.sources import ImageSource, image_datasets

SOURCE = ImageSource(lambda *_: None, num_classes=5, selected_classes=(3, 1))
CLASSES = np.array([0, 1, 2, 3, 4] * 8 + [1, 1, 1])


def labelled(split="train", source=SOURCE, classes=CLASSES, **options):
    return label_rows(classes, DatasetOptionsParameters(**options), source, split)


@pytest.mark.parametrize("seed", range(4))
def test_merge_gives_each_class_one_label_and_half_of_them_zero(seed) -> None:
    kept = labelled(binarification_seed=seed, make_balanced=False)
    assert np.array_equal(kept.rows, np.arange(len(CLASSES)))
    label_of_class = {}
    for label, class_ in zip(kept.labels, CLASSES, strict=True):
        assert label_of_class.setdefault(class_, label) == label
    assert sorted(label_of_class.values()) == [0, 0, 1, 1, 1]


def test_merge_draws_the_classes_by_the_seed_alone() -> None:
    by_seed = [labelled(binarification_seed=seed, make_balanced=False).labels for seed in range(9)]
    assert any(not np.array_equal(*pair) for pair in combinations(by_seed, 2))
    default = labelled(make_balanced=False).labels
    assert np.array_equal(default, by_seed[0])
    other = ImageSource(SOURCE.read, 5, binarification_seed=2)
    assert np.array_equal(labelled(source=other, make_balanced=False).labels, by_seed[2])
    test = labelled("test", make_balanced=False).labels
    assert np.array_equal(test, default)


def test_two_classes_are_labels_already() -> None:
    source = ImageSource(SOURCE.read, num_classes=2)
    classes = np.array([1, 0, 0, 1])
    for seed in range(4):
        kept = labelled(
            source=source, classes=classes, binarification_seed=seed, make_balanced=False
        )
        assert np.array_equal(kept.labels, classes)


@pytest.mark.parametrize("chosen", [None, (4, 0)])
def test_select_two_keeps_two_classes(chosen) -> None:
    kept = labelled(
        binarification_method="select_two", selected_classes=chosen, make_balanced=False
    )
    first, second = chosen or (3, 1)
    assert np.array_equal(kept.rows, np.flatnonzero((first == CLASSES) | (second == CLASSES)))
    assert np.array_equal(kept.labels, (CLASSES[kept.rows] == second).astype(int))


def test_random_labels_are_coins() -> None:
    classes = np.zeros(4000, dtype=int)
    options = {"binarification_method": "random", "make_balanced": False, "classes": classes}
    first = labelled(binarification_seed=1, **options).labels
    # Five standard deviations.
    assert abs(first.mean() - 0.5) < 5 * 0.5 / 4000**0.5
    assert np.array_equal(first, labelled(binarification_seed=1, **options).labels)
    assert not np.array_equal(first, labelled(binarification_seed=2, **options).labels)
    assert not np.array_equal(first, labelled("test", binarification_seed=1, **options).labels)


def test_balancing_cuts_the_larger_class_and_puts_zeros_first() -> None:
    kept = labelled(binarification_method="select_two")
    assert kept.labels.tolist() == [0] * 8 + [1] * 8
    assert set(CLASSES[kept.rows[:8]]) == {3} and set(CLASSES[kept.rows[8:]]) == {1}
    assert len(set(kept.rows)) == 16
    assert kept.rows.tolist() != sorted(kept.rows)


@pytest.mark.parametrize(("limit", "expected"), [(2, 2), (7, 6), (100, 16)])
def test_the_training_split_is_cut_and_stays_balanced(limit, expected) -> None:
    options = {"binarification_method": "select_two", "max_train_size": limit}
    kept = labelled(**options)
    assert len(kept.labels) == expected
    assert kept.labels.mean() == 0.5
    assert len(labelled("test", **options).labels) == 16


def test_without_balancing_a_cut_keeps_the_order() -> None:
    kept = labelled(max_train_size=10, make_balanced=False)
    assert len(kept.rows) == 10
    assert kept.rows.tolist() == sorted(set(kept.rows.tolist()))


def test_a_label_without_images_is_reported() -> None:
    with pytest.raises(DatasetError, match="8 images of label 0 and 0 of label 1"):
        labelled(
            binarification_method="select_two", selected_classes=(0, 1), classes=np.zeros(8, int)
        )


def test_the_defaults_of_the_datasets_are_those_of_the_published_code() -> None:
    seeds = {name: source.binarification_seed for name, source in image_datasets.items()}
    assert seeds == {**dict.fromkeys(seeds, 0), "svhn": 2}
    chosen = {name: source.selected_classes for name, source in image_datasets.items()}
    assert chosen == {**dict.fromkeys(chosen, (0, 1)), "cifar10": (3, 5)}
