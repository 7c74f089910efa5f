"""The files of MNIST and its relatives are read as their authors write them."""

import gzip
import os

import numpy as np
import pytest

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers import idx
from nip.scenarios.image_classification.readers.idx import read_idx, read_idx_split
from tests.scenarios.image_classification.official_files import (
    random_pixels,
    write_idx,
    write_mnist,
)


def test_images_and_classes_are_read(tmp_path) -> None:
    pixels = random_pixels(3, 28, 28)
    write_mnist(tmp_path, "test", pixels, np.array([7, 0, 9]))
    arrays = read_idx_split(tmp_path, "test")
    assert arrays.images.shape == (3, 1, 28, 28)
    assert np.array_equal(arrays.images[:, 0], pixels)
    assert arrays.classes.tolist() == [7, 0, 9]


def test_the_bytes_of_the_format_are_those_of_its_description(tmp_path) -> None:
    """Magic number 2049, the number of items, the items: from the description of MNIST."""
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(bytes.fromhex("00000801 00000003 05 00 04".replace(" ", ""))))
    assert read_idx(path, num_axes=1).tolist() == [5, 0, 4]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "gzip"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc", mtime=0), "3 bytes for an array of the shape"),
        (gzip.compress(b"\0\0\x0d\x01\0\0\0\x01abcd", mtime=0), "does not hold bytes with 1 axes"),
        (gzip.compress(b"\0\0\x08\x01\0", mtime=0), "bytes for an array of the shape"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x01a", mtime=0)[:-9], "damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, reason) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        read_idx(path, num_axes=1)


def test_sizes_whose_product_overflows_are_refused(tmp_path) -> None:
    """2^31 x 2^31 x 4 is 0 in 64 bits, the size of a file without pixels."""
    shape = b"".join(size.to_bytes(4, "big") for size in (2**31, 2**31, 4))
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + shape))
    with pytest.raises(DatasetError, match="0 bytes for an array of the shape"):
        read_idx(path, num_axes=3)


def test_a_file_that_decompresses_without_end_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(idx, "MAX_BYTES", 1000)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(b"\0" * 10**6))
    with pytest.raises(DatasetError, match="more than 1000 bytes"):
        read_idx(path, num_axes=3)


def test_a_named_pipe_is_refused(tmp_path) -> None:
    path = tmp_path / "images.gz"
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="a named pipe"):
        read_idx(path, num_axes=3)


@pytest.mark.parametrize(
    ("classes", "reason"), [([1, 2], "2 labels for 3 images"), ([1, 2, 10], "the label 10")]
)
def test_labels_must_fit_the_images(tmp_path, classes, reason) -> None:
    write_mnist(tmp_path, "train", random_pixels(3, 28, 28), np.array(classes))
    with pytest.raises(DatasetError, match=reason):
        read_idx_split(tmp_path, "train")


def test_a_file_with_other_axes_is_refused(tmp_path) -> None:
    write_idx(tmp_path / "x.gz", random_pixels(2, 3))
    with pytest.raises(DatasetError, match="3 axes"):
        read_idx(tmp_path / "x.gz", num_axes=3)
