"""Rules about options that have no effect."""

from dataclasses import FrozenInstanceError

import pytest

from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from tests.parameters.examples import make_tree


def test_without_a_condition_it_holds_for_groups_and_for_whole_trees():
    rule = UnusedOptionRule(("lr",), "at all")
    assert rule.applies(make_tree())
    assert rule.applies(make_tree().rl, make_tree())


def test_its_condition_is_called_as_it_is_given_and_not_as_a_method():
    rule = UnusedOptionRule(("lr",), "in short runs", lambda rl, tree: (rl, tree) == (1, 2))
    assert rule.applies(1, 2)
    assert not rule.applies(2, 1)


def test_a_rule_shared_by_all_trees_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        UnusedOptionRule(("lr",), "at all").options = ("gamma",)
