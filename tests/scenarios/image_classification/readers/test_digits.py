"""The digits of scikit-learn are divided once and for all."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers.digits import read_digits_split


def test_the_splits_hold_every_digit_once(tmp_path) -> None:
    splits = [read_digits_split(tmp_path, split) for split in ("train", "test")]
    assert [len(split) for split in splits] == [899, 898]
    found = np.concatenate([split.images.reshape(-1, 64) for split in splits])
    expected = (load_digits().data * 255 / 16).round()
    assert sorted(map(bytes, found)) == sorted(map(bytes, expected.astype(np.uint8)))


def test_images_keep_their_classes(tmp_path) -> None:
    arrays = read_digits_split(tmp_path, "test")
    data = load_digits()
    # Equal images would have equal classes, so the order of the rows does not matter.
    class_of = {
        bytes(row): label
        for row, label in zip(
            (data.data * 255 / 16).round().astype(np.uint8), data.target, strict=True
        )
    }
    assert [class_of[bytes(image.reshape(-1))] for image in arrays.images] == list(arrays.classes)


def test_the_extra_is_named_without_scikit_learn(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DatasetError, match=r"pip install nip\[images\].*find_the_plus"):
        read_digits_split(tmp_path, "test")
