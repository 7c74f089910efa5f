"""Differences of two trees are listed by dotted names with both values."""

from typing import Any

import pytest
from hypothesis import given, settings

from nip.parameters import HyperParameters
from nip.parameters.tree.difference import ABSENT, Difference, difference
from tests.parameters.examples import make_tree, trees


def test_equal_trees_do_not_differ() -> None:
    assert difference(make_tree(), make_tree()) == []
    assert difference(make_tree(), make_tree().to_dict(stamp=True)) == []


def test_each_changed_parameter_is_listed_with_both_values() -> None:
    old = make_tree(agents={"prover": {"d_gnn": 8}})
    new = old.with_changes({"rl.lr": 0.1, "agents.prover.d_gnn": 4, "seed": 1})
    assert difference(old, new) == [
        ("seed", 6198, 1),
        ("agents.prover.d_gnn", 8, 4),
        ("rl.lr", 0.003, 0.1),
    ]


def test_a_listed_agent_is_compared_with_the_default_of_the_other_tree() -> None:
    old = make_tree()
    assert difference(old, make_tree(agents={"prover": None, "verifier": {}})) == []
    new = make_tree(agents={"prover": {"d_gnn": 8}})
    assert difference(old, new) == [("agents.prover.d_gnn", 16, 8)]
    assert difference(new, old) == [("agents.prover.d_gnn", 8, 16)]


def test_what_one_tree_lacks_is_absent() -> None:
    old, new = make_tree().to_dict(), make_tree().to_dict()
    del old["rl"]["greedy_test"]
    new["extra"] = {"temperature": 1.0}
    assert difference(old, new) == [
        ("rl.greedy_test", ABSENT, False),
        ("extra", ABSENT, {"temperature": 1.0}),
    ]
    assert repr(ABSENT) == "<absent>"


def test_another_kind_of_agent_is_listed_with_its_class() -> None:
    new = make_tree(agents={"prover": {"is_random": True}})
    found = {each.name: (each.old, each.new) for each in difference(make_tree(), new)}
    assert found["agents.prover.is_random"] == (False, True)
    assert found["agents.prover.d_gnn"] == (16, ABSENT)
    assert not any(name.startswith("agents.verifier") for name in found)


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [(1, 1.0, False), (1, True, True), (0, False, True), (None, 0, True), ([1], [1], False)],
)
def test_numbers_are_compared_as_numbers_and_flags_as_flags(
    old: Any, new: Any, differs: bool
) -> None:
    assert bool(difference({"a": {"b": old}}, {"a": {"b": new}})) is differs


def test_a_difference_reads_as_a_sentence() -> None:
    assert str(Difference("rl.lr", 0.003, 0.1)) == "rl.lr: 0.003 → 0.1"


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore::nip.errors.NipWarning")
@settings(max_examples=20)
@given(trees(), trees())
def test_trees_without_difference_have_the_same_agents_and_groups(
    one: HyperParameters, other: HyperParameters
) -> None:
    assert difference(one, one.to_dict()) == []
    names = {name for name in one.child_names() if getattr(one, name) != getattr(other, name)}
    different = {each.name.split(".")[0] for each in difference(one, other)}
    # Agents may be listed with what is the default, which makes no difference.
    assert different <= names
    assert names - different <= {"agents"}
