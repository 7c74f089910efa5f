"""The command line starts from all defaults, and every leaf of them can be overridden."""

from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nip.errors import UnknownNameError
from nip.parameters import (
    AlternatingPeriodicUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    GraphIsomorphismAgentParameters,
    HyperParameters,
    RandomAgentParameters,
    scenario_specs,
)
from nip.parameters.tree.command_line_tree import default_tree
from tests.parameters.examples import DATASETS, leaves_of, make_tree

AGENTS = ("prover", "verifier")


def trainer_for(scenario: str) -> str:
    """Name a trainer that can learn from the scenario."""
    trainers = {"text": "pure_text_ei", "tensordict": "vanilla_ppo", "game": "spg"}
    return trainers[scenario_specs[scenario].data]


def compose(overrides: dict[str, Any], scenario: str = "graph_isomorphism") -> HyperParameters:
    """Override leaves of the tree as Hydra does, and read the result."""
    config = OmegaConf.create(default_tree(scenario, AGENTS))
    OmegaConf.set_struct(config, True)
    dataset = DATASETS.get(scenario, "er1000")
    choices = {"scenario": scenario, "trainer": trainer_for(scenario), "dataset": dataset}
    for name, value in {**choices, **overrides}.items():
        # Looks the name up first, which a struct refuses for a misspelt one.
        OmegaConf.select(config, name.rpartition(".")[0] or "rl", throw_on_missing=True)
        OmegaConf.update(config, name, value)
    composed: Any = OmegaConf.to_container(config, resolve=True)
    return HyperParameters.from_dict(composed)


@pytest.mark.parametrize("scenario", scenario_specs.names())
def test_without_overrides_it_is_the_tree_of_defaults(scenario: str) -> None:
    dataset = DATASETS.get(scenario, "er1000")
    listed = make_tree(
        scenario=scenario,
        trainer=trainer_for(scenario),
        dataset=dataset,
        agents=dict.fromkeys(AGENTS),
    )
    assert compose({}, scenario) == listed


def test_it_is_plain_data_without_class_names() -> None:
    leaves = leaves_of(default_tree("graph_isomorphism", AGENTS))
    assert leaves["scenario"] == leaves["trainer"] == leaves["dataset"] == "???"
    assert leaves["rl.frames_per_batch"] == 1000
    assert {name.split(".")[-2] for name in leaves if name.endswith("._type")} == {
        "update_schedule"
    }


def test_every_leaf_of_the_parameters_is_in_it() -> None:
    stored = leaves_of(make_tree(agents=dict.fromkeys(AGENTS)).to_dict())
    wanted = {name for name in stored if not name.endswith(("_type", "agents_update_repr"))}
    assert wanted <= set(leaves_of(default_tree("graph_isomorphism", AGENTS)))


def test_agents_follow_the_default_unless_overridden() -> None:
    tree = compose(
        {
            "agents._default.d_gnn": 8,
            "agents._default.gnn_lr_factor.actor": 0.5,
            "agents._default.gnn_lr_factor.critic": 0.5,
            "agents.verifier.d_gnn": 4,
        }
    )
    assert tree.get("agents.prover.d_gnn") == 8
    assert tree.get("agents.verifier.d_gnn") == 4
    assert tree.get("agents.verifier.gnn_lr_factor.actor") == 0.5


def test_one_agent_or_all_play_at_random() -> None:
    one = compose({"agents.prover.is_random": True})
    assert one.agents["prover"] == RandomAgentParameters()
    assert one.agents["verifier"] == GraphIsomorphismAgentParameters()
    everyone = compose({"agents._default.is_random": True})
    assert all(agent.is_random for agent in everyone.agents.values())


def test_schedules_are_chosen_and_filled_in() -> None:
    path = "agents.prover.update_schedule"
    tree = compose(
        {
            f"{path}._type": "ContiguousPeriodicUpdateSchedule",
            f"{path}.ContiguousPeriodicUpdateSchedule.period": 5,
            f"{path}.ContiguousPeriodicUpdateSchedule.start": 0,
            f"{path}.ContiguousPeriodicUpdateSchedule.stop": 2,
        }
    )
    assert tree.agents["prover"].update_schedule == ContiguousPeriodicUpdateSchedule(5, 0, 2)


def test_two_agents_alternate_by_three_shared_overrides_and_one_of_their_own() -> None:
    name = "AlternatingPeriodicUpdateSchedule"
    path = "agents._default.update_schedule"
    tree = compose(
        {
            f"{path}._type": name,
            f"{path}.{name}.period": 5,
            f"{path}.{name}.first_agent_num_rounds": 2,
            f"agents.prover.update_schedule.{name}.first_agent": False,
        }
    )
    second = AlternatingPeriodicUpdateSchedule(5, 2, first_agent=False)
    assert tree.agents["prover"].update_schedule == second
    assert tree.agents.agents_update_repr == "Alternating(5, 2, verifier, prover)"


@pytest.mark.parametrize("name", ["sed", "rl.lrr", "agents.prover.d_gn", "agents.provr.d_gnn"])
def test_a_misspelt_leaf_is_refused_by_the_struct(name: str) -> None:
    with pytest.raises(OmegaConfBaseException, match="is not in struct"):
        compose({name: 1})


def test_groups_of_plugins_are_in_it(plugin_group: str) -> None:
    tree = default_tree("toy", AGENTS)
    assert tree[plugin_group] == {
        "temperature": 1.0,
        "order": None,
        "factors": {"actor": 1.0, "critic": 1.0},
    }
    assert compose({"my_trainer.temperature": 0.5}).my_trainer.temperature == 0.5


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'toy'"):
        default_tree("tay", AGENTS)
