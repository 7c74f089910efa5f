"""Older trees are translated, step by step, into the present form."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.tree.migrations import MigrationChain, chain, package_stamp, parse_version
from tests.parameters.examples import make_tree

Tree = dict[str, Any]


@pytest.fixture
def steps() -> MigrationChain:
    """Make a chain of two steps, entered in the wrong order."""
    steps = MigrationChain()

    @steps.migration("0.10.0")
    def merge_rates(tree: Tree) -> Tree:
        tree["lr"] = tree.pop("rate") * 2
        return tree

    @steps.migration("0.9.0")
    def rename_rate(tree: Tree) -> Tree:
        tree["rate"] = tree.pop("speed")
        return tree

    return steps


@pytest.mark.parametrize(
    ("version", "stored"),
    [
        ("0.8.3", {"speed": 1}),
        ("0.9.0", {"rate": 1}),
        ("0.9.7+local.1", {"rate": 1}),
        ("0.10.0", {"lr": 2}),
        ("0.10.1rc1", {"lr": 2}),
        ("1.0.0", {"lr": 2}),
    ],
)
def test_a_tree_passes_the_steps_after_its_version(
    steps: MigrationChain, version: str, stored: Tree
) -> None:
    given = {"_package_name": "nip", "_package_version": version, **stored}
    before = dict(given)
    assert steps.migrate(given) == {"lr": 2}
    assert given == before


def test_a_tree_without_version_is_of_today(steps: MigrationChain) -> None:
    assert steps.migrate({"lr": 2}) == {"lr": 2}


def test_one_version_has_one_step(steps: MigrationChain) -> None:
    with pytest.raises(ValueError, match=r"already a migration to version 0\.9\.0"):
        steps.migration("0.9.0")(lambda tree: tree)


@pytest.mark.parametrize("text", ["1.2", "one", "", "v1.2.3", "None"])
def test_a_version_has_three_numbers(text: str) -> None:
    with pytest.raises(ParameterError, match="_package_version must look like"):
        parse_version(text)


def test_reading_a_tree_passes_through_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(tree: Tree) -> Tree:
        tree["seed"] = tree.pop("random_seed")
        return tree

    monkeypatch.setitem(chain._steps, (0, 0, 2), rename)
    stored = make_tree(seed=3).to_dict() | {"_package_version": "0.0.1"}
    stored["random_seed"] = stored.pop("seed")
    assert HyperParameters.from_dict(stored) == make_tree(seed=3)


def test_the_stamp_is_of_this_package() -> None:
    stamp = package_stamp()
    assert stamp["_package_name"] == "nip"
    assert parse_version(stamp["_package_version"]) >= (0, 1, 0)
