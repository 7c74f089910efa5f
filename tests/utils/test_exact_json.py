"""Refusal of data that JSON changes; round trips are in ``test_checkpoint_files.py``."""

import json

import pytest

from nip.utils.exact_json import dump_exactly


def test_tuples_become_lists():
    assert json.loads(dump_exactly({"betas": (0.9, 0.999)})) == {"betas": [0.9, 0.999]}


def test_the_smallest_difference_between_floats_survives():
    assert json.loads(dump_exactly([0.1 + 0.2, 0.3])) == [0.30000000000000004, 0.3]


@pytest.mark.parametrize("key", [1, None, True, (1, 2)])
def test_keys_that_json_would_turn_into_text_are_refused(key):
    with pytest.raises(TypeError, match=r"state\.a has the key .* must be strings"):
        dump_exactly({"a": {key: 1}})


def test_a_value_that_cannot_be_stored_is_named_by_its_path():
    with pytest.raises(TypeError, match=r"^state\.a\[1\]\.b is of type builtins\.set; "):
        dump_exactly({"a": [0, {"b": {1}}]})
