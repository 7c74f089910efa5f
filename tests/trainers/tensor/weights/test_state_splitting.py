"""Nested state dicts as files of tensors and a JSON document."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nip.run_store import Checkpoint
from nip.run_store.checkpoints.checkpoint_files import read_checkpoint, write_checkpoint
from nip.trainers.tensor.weights.checkpointing import checkpoint_state, make_checkpoint
from nip.trainers.tensor.weights.state_splitting import join_state, split_state

ONE, TWO = torch.tensor([1.0]), torch.tensor([2, 2])


def test_the_tensors_of_each_mapping_get_a_file_named_after_its_path():
    state = {
        "agents": {"verifier": {"body": {"0.weight": ONE, "0.bias": TWO}, "head": {}}},
        "learner": {"num_steps": 3, "optimizer": {"state": {"verifier.body:step": ONE}}},
        "own": TWO,
    }
    files, document = split_state(state)
    assert files == {
        "root": {"own": TWO},
        "agents.verifier.body": {"0.weight": ONE, "0.bias": TWO},
        "learner.optimizer.state": {"verifier.body:step": ONE},
    }
    assert document == {
        "format": 2,
        "state": {
            "agents": {"verifier": {"body": {}, "head": {}}},
            "learner": {"num_steps": 3, "optimizer": {"state": {}}},
        },
        "files": {
            "root": [],
            "agents.verifier.body": ["agents", "verifier", "body"],
            "learner.optimizer.state": ["learner", "optimizer", "state"],
        },
    }


def test_paths_that_give_the_same_file_name_get_two_files():
    state = {"a": {"b.c": {"x": ONE}, "b": {"c": {"x": TWO}}}, "ü/": {"x": ONE}}
    files, document = split_state(state)
    assert list(files) == ["a.b.c", "a.b.c_2", "x__"]
    assert join_state(files, document) == state


def test_joining_changes_neither_files_nor_document():
    files, document = split_state({"a": {"number": 1, "x": ONE}})
    before = json.dumps(document)
    join_state(files, document)["a"]["y"] = TWO
    assert json.dumps(document) == before
    assert files == {"a": {"x": ONE}}


def test_a_list_of_tensors_is_refused_with_its_path():
    message = r"state_dict\(\)\['a'\]\['b'\] is a list of tensors.*name for each"
    with pytest.raises(TypeError, match=message):
        split_state({"a": {"b": [ONE]}})


@pytest.mark.parametrize("value", [ONE, 2])
def test_a_key_that_is_no_string_is_refused_with_its_path(value):
    with pytest.raises(TypeError, match=r"state_dict\(\)\['a'\] has the key 1 of type int"):
        split_state({"a": {1: value}})


def test_a_value_that_json_cannot_hold_is_refused_with_its_path():
    with pytest.raises(TypeError, match=r"^state\.a\.b\[0\] is of type builtins\.set"):
        split_state({"a": {"b": [{1}]}})


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(-9, 9), max_size=3),
    st.builds(lambda values: torch.tensor(values), st.lists(st.integers(-9, 9), max_size=3)),
)
states = st.recursive(
    st.dictionaries(st.text(max_size=4), leaves, max_size=4),
    lambda inner: st.dictionaries(st.text(max_size=4), inner | leaves, max_size=4),
    max_leaves=12,
)


def assert_same(first, second):
    """Require the same keys and, bit by bit, the same values at all depths."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second)
    else:
        assert first == second


@given(states)
def test_any_state_comes_back_through_json(state):
    files, document = split_state(state)
    assert all(file.isascii() and "/" not in file for file in files)
    assert not any(isinstance(value, dict) for tensors in files.values() for value in tensors)
    assert_same(join_state(files, json.loads(json.dumps(document))), state)


def test_a_state_comes_back_from_the_files_of_a_checkpoint(tmp_path):
    state = {"a": {"x": ONE, "share": 1 / 3}, "b": {"c": {"y": TWO}}}
    write_checkpoint(tmp_path / "checkpoint", make_checkpoint(7, state))
    checkpoint = read_checkpoint(tmp_path / "checkpoint")
    assert isinstance(checkpoint, Checkpoint) and checkpoint.iteration == 7
    assert_same(checkpoint_state(checkpoint), state)
