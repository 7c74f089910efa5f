"""Tensor datasets, and the endless shuffled order of their datapoints."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from nip.scenario_base.data import EndlessShuffledOrder, TensorDataset


@given(
    size=st.integers(1, 9), counts=st.lists(st.integers(0, 12), max_size=8), seed=st.integers(0, 9)
)
def test_every_pass_draws_each_datapoint_once(size, counts, seed):
    order = EndlessShuffledOrder(size, seed)
    drawn = [index for count in counts for index in order.draw(count).tolist()]
    assert len(drawn) == sum(counts)
    for start in range(0, len(drawn), size):
        a_pass = drawn[start : start + size]
        assert len(set(a_pass)) == len(a_pass)
        assert set(a_pass) <= set(range(size))


@given(first=st.lists(st.integers(0, 7), max_size=5), then=st.lists(st.integers(0, 7), max_size=5))
def test_a_stored_order_goes_on_where_it_was(first, then):
    order, other = EndlessShuffledOrder(5, seed=1), EndlessShuffledOrder(5, seed=2)
    for count in first:
        order.draw(count)
    stored = order.state_dict()
    expected = [order.draw(count).tolist() for count in then]
    other.load_state_dict(stored)
    assert [other.draw(count).tolist() for count in then] == expected


def test_successive_passes_are_shuffled_differently():
    order = EndlessShuffledOrder(50, seed=0)
    passes = [tuple(order.draw(50).tolist()) for _ in range(3)]
    assert len({*passes, tuple(range(50))}) == 4


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="at least 1 datapoint"):
        EndlessShuffledOrder(0, seed=0)


def test_keys_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"'a' has 3 rows, but there are 2 labels"):
        TensorDataset({"a": torch.zeros(3)}, torch.zeros(2), message_shape=(4,))


@pytest.fixture
def dataset() -> TensorDataset:
    return TensorDataset({"a": torch.arange(8.0).view(4, 2)}, torch.tensor([0, 1, 0, 1]), (2,))


@pytest.mark.parametrize("number", [1, -3, np.int64(1), torch.tensor(1)])
def test_a_datapoint_is_a_dictionary_with_its_label(dataset, number):
    datapoint = dataset[number]
    assert datapoint.keys() == {"a", "y"}
    assert datapoint["a"].tolist() == [2, 3]
    assert datapoint["y"].item() == 1


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, None, 2),
        [1, 3],
        [-3, -1],
        torch.tensor([1, 3]),
        np.array([1, 3]),
        torch.tensor([False, True, False, True]),
        [False, True, False, True],
    ],
    ids=str,
)
def test_several_datapoints_are_a_dataset(dataset, rows):
    part = dataset[rows]
    assert isinstance(part, TensorDataset)
    assert len(part) == 2
    assert part.observations["a"].tolist() == [[2, 3], [6, 7]]
    assert part.y.tolist() == [1, 1]
    assert part.message_shape == (2,)


def test_rows_may_repeat_and_there_may_be_none(dataset):
    assert dataset[[3, 0, 3]]["a"].tolist() == [[6, 7], [0, 1], [6, 7]]
    assert len(dataset[[]]) == len(dataset[:0]) == len(dataset[dataset.y > 1]) == 0


def test_a_column_is_looked_up_by_its_name(dataset):
    assert dataset["y"] is dataset.y
    assert dataset["a"] is dataset.observations["a"]
    with pytest.raises(KeyError, match=r"no column 'b'. It has 'a', 'y'"):
        dataset["b"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (4, "0 to 3, or from -1 to -4 from the end, got 4"),
        (-5, "got -5"),
        ([0, 9], r"got \[0, 9\]"),
        ([True, False], "one bool for each of the 4 datapoints, got 2"),
        (1.5, "got 1.5"),
        (True, "got True"),
        ([[1]], r"got \[\[1\]\]"),
        (None, "got None"),
    ],
)
def test_rows_that_do_not_exist_are_refused(dataset, rows, message):
    with pytest.raises(IndexError, match=message):
        dataset[rows]


def test_a_dataset_can_be_iterated_and_loaded_in_batches(dataset):
    assert [each["y"].item() for each in dataset] == [0, 1, 0, 1]
    first, second = DataLoader(dataset, batch_size=3)
    assert first["a"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert second["y"].tolist() == [1]


@pytest.mark.parametrize("part", [slice(None, None, -1), slice(3, 0, -2)])
def test_a_slice_may_go_backwards(dataset, part):
    rows = list(range(4))[part]
    assert torch.equal(dataset[part]["a"], dataset["a"][rows])
    assert torch.equal(dataset[part]["y"], dataset["y"][rows])
