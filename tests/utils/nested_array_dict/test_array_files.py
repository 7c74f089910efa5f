"""Batches of named arrays on disk."""

import json

import numpy as np
import pytest
from hypothesis import given

from nip.utils.nested_array_dict import NestedArrayDict
from tests.utils.nested_array_dict.arbitrary_batches import batches


@given(batch=batches((3, 2)))
def test_a_batch_comes_back_as_it_went(tmp_path_factory, batch):
    path = tmp_path_factory.mktemp("arrays") / "batch.npz"
    assert batch.save(path) == path
    loaded = NestedArrayDict.load(path)
    assert loaded == batch
    assert repr(loaded) == repr(batch), "order, types and shapes"


def test_a_folder_gets_a_file_and_nothing_else(tmp_path):
    batch = NestedArrayDict({"x": ["a", None]}, 2)
    assert batch.save(tmp_path) == tmp_path / "arrays.npz"
    batch.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["arrays.npz"]
    assert NestedArrayDict.load(tmp_path) == batch


def test_the_same_batch_gives_the_same_bytes(tmp_path):
    batch = NestedArrayDict({"x": ["a", None], "y": [1.0, 2.0]}, 2)
    first = batch.save(tmp_path / "one.npz").read_bytes()
    assert batch.copy().save(tmp_path / "two.npz").read_bytes() == first


def test_batches_without_rows_or_entries_are_kept(tmp_path):
    for batch in (NestedArrayDict({}, (2, 0)), NestedArrayDict({"x": [[]]}, (1, 0))):
        batch.save(tmp_path)
        assert NestedArrayDict.load(tmp_path) == batch


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(FileNotFoundError):
        NestedArrayDict.load(path)
    path.write_text("not an archive")
    with pytest.raises(ValueError, match=r"x\.npz is no file of nested arrays"):
        NestedArrayDict.load(path)
    np.savez(path, x=np.zeros(3))
    with pytest.raises(ValueError, match="is no file of nested arrays"):
        NestedArrayDict.load(path)
    index = np.frombuffer(json.dumps({"format": "other"}).encode(), dtype=np.uint8)
    np.savez(path, index=index)
    with pytest.raises(ValueError, match="its format is 'other'"):
        NestedArrayDict.load(path)


def test_half_a_file_is_refused(tmp_path):
    path = NestedArrayDict({"x": ["abc" * 1000]}, 1).save(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="or it is damaged"):
        NestedArrayDict.load(tmp_path)
