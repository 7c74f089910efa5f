"""The MATLAB files of SVHN are read as arrays."""

import numpy as np
import pytest
from scipy.io import savemat

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers.svhn import read_svhn_split
from tests.scenarios.image_classification.official_files import random_pixels


def test_images_are_turned_and_ten_becomes_zero(tmp_path) -> None:
    pixels = random_pixels(3, 3, 32, 32)
    content = {"X": pixels.transpose(2, 3, 1, 0), "y": np.array([[10], [1], [9]], dtype=np.uint8)}
    savemat(tmp_path / "train_32x32.mat", content, do_compression=True)
    arrays = read_svhn_split(tmp_path, "train")
    assert np.array_equal(arrays.images, pixels)
    assert arrays.classes.tolist() == [0, 1, 9]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"X": np.zeros((32, 32, 3, 2), np.uint8)}, "no array X"),
        ({"X": np.zeros((32, 32, 3, 2)), "y": np.ones((2, 1))}, "no array X"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.ones((3, 1))}, "no array X"),
        ({"X": np.zeros((32, 32, 3, 1), np.uint8), "y": np.array([[11]])}, "not from 1 to 10"),
    ],
)
def test_other_arrays_are_refused(tmp_path, content, reason) -> None:
    savemat(tmp_path / "test_32x32.mat", content)
    with pytest.raises(DatasetError, match=reason):
        read_svhn_split(tmp_path, "test")


def test_what_is_no_matlab_file_is_refused(tmp_path) -> None:
    (tmp_path / "test_32x32.mat").write_bytes(b"\x80\x04pickle" * 50)
    with pytest.raises(DatasetError, match="damaged or not the official file"):
        read_svhn_split(tmp_path, "test")
