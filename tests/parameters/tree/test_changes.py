"""A tree with some changes, by dotted names."""

import pytest

from nip.errors import ParameterError
from nip.parameters import (
    ConstantUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    GraphIsomorphismAgentParameters,
    PpoParameters,
    RandomAgentParameters,
)
from tests.parameters.examples import make_tree


def test_changes_reach_every_depth() -> None:
    tree = make_tree(agents={"prover": {"d_gnn": 8}}).with_changes(
        {"seed": 1, "rl.lr": 1, "agents.prover.gnn_lr_factor": {"actor": 0.5, "critic": 0.5}}
    )
    assert (tree.seed, tree.rl.lr) == (1, 1.0)
    assert tree.get("agents.prover.gnn_lr_factor.critic") == 0.5
    assert tree.get("agents.prover.d_gnn") == 8


def test_the_tree_itself_stays_as_it_is() -> None:
    tree = make_tree()
    tree.with_changes({"rl.lr": 1})
    assert tree == make_tree()


def test_an_agent_that_was_not_listed_starts_from_the_default() -> None:
    tree = make_tree(agents={"_default": {"d_gnn": 8}})
    changed = tree.with_changes({"agents.prover.num_gnn_layers": 2})
    assert changed.agents["prover"] == GraphIsomorphismAgentParameters(d_gnn=8, num_gnn_layers=2)
    assert changed.agents["verifier"] == GraphIsomorphismAgentParameters(d_gnn=8)


def test_an_agent_becomes_random_and_learns_again() -> None:
    random = make_tree().with_changes({"agents.prover.is_random": True})
    assert random.agents["prover"] == RandomAgentParameters()
    learning = random.with_changes({"agents.prover.is_random": False})
    assert learning.agents["prover"] == GraphIsomorphismAgentParameters()


def test_schedules_change_as_a_whole_or_in_part() -> None:
    schedule = ContiguousPeriodicUpdateSchedule(5, 0, 2)
    tree = make_tree().with_changes({"agents.prover.update_schedule": schedule})
    assert tree.agents["prover"].update_schedule == schedule
    longer = tree.with_changes({"agents.prover.update_schedule.period": 6})
    assert longer.get("agents.prover.update_schedule.period") == 6
    always = longer.with_changes({"agents.prover.update_schedule": None})
    assert always.agents["prover"].update_schedule == ConstantUpdateSchedule()


def test_a_group_is_given_as_an_instance() -> None:
    tree = make_tree().with_changes({"ppo": PpoParameters(clip_epsilon=0.1)})
    assert tree.ppo.clip_epsilon == 0.1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rl.lrr", r"'rl\.lrr'\. Did you mean 'rl\.lr'\?"),
        ("rll.lr", r"'rll'\. Did you mean 'rl'\?"),
        ("rl.lr.x", r"rl\.lr must be a finite number, above 0, got {'x': 0\.5}"),
        ("agents.prover.d_gn", r"'agents\.prover\.d_gn'\. Did you mean 'agents\.prover\.d_gnn'\?"),
        ("lr", r"'lr'\. Did you mean 'rl\.lr'\?"),
    ],
)
def test_an_unknown_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_tree().with_changes({name: 0.5})
