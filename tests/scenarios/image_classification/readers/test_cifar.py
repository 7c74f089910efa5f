"""The binary archives of CIFAR are read, and no pickle is."""

import numpy as np
import pytest

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers.cifar import (
    read_cifar10_split,
    read_cifar100_split,
)
from tests.scenarios.image_classification.official_files import (
    cifar_records,
    random_pixels,
    write_tar,
)

BATCHES = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]


def test_cifar10_joins_its_five_batches_in_order(tmp_path) -> None:
    pixels = random_pixels(6, 3, 32, 32)
    files = {name: cifar_records([[i]], pixels[i : i + 1]) for i, name in enumerate(BATCHES)}
    files["cifar-10-batches-bin/test_batch.bin"] = cifar_records([[9]], pixels[5:])
    write_tar(tmp_path / "cifar-10-binary.tar.gz", files)
    train, test = (read_cifar10_split(tmp_path, split) for split in ("train", "test"))
    assert np.array_equal(train.images, pixels[:5])
    assert train.classes.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(test.images, pixels[5:])
    assert test.classes.tolist() == [9]


def test_cifar100_has_the_fine_class_after_the_coarse_one(tmp_path) -> None:
    pixels = random_pixels(2, 3, 32, 32)
    content = cifar_records([[19, 99], [4, 0]], pixels)
    write_tar(tmp_path / "cifar-100-binary.tar.gz", {"cifar-100-binary/train.bin": content})
    arrays = read_cifar100_split(tmp_path, "train")
    assert arrays.classes.tolist() == [99, 0]
    assert np.array_equal(arrays.images, pixels)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cifar-100-binary/test.bin", b"\0\0", "train.bin"),
        ("cifar-100-binary/train.bin", b"\0" * 3073, "whole number of records"),
        ("cifar-100-binary/train.bin", b"\xff" * 3074, "class 255"),
    ],
)
def test_damaged_archives_are_refused(tmp_path, name, content, reason) -> None:
    write_tar(tmp_path / "cifar-100-binary.tar.gz", {name: content})
    with pytest.raises(DatasetError, match=reason):
        read_cifar100_split(tmp_path, "train")


def test_what_is_no_archive_is_refused(tmp_path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"\x80\x04pickle")
    with pytest.raises(DatasetError, match="damaged or not the official file"):
        read_cifar10_split(tmp_path, "test")
