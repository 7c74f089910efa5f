"""Options of agents that no part of the agent reads are reported, and only those."""

import warnings
from typing import Any

import pytest

from nip.errors import NipWarning
from nip.parameters import scenario_specs
from nip.parameters.parameters_base import field_rules
from tests.parameters.examples import make_tree

PERIOD = {
    "_type": "ContiguousPeriodicUpdateSchedule",
    "ContiguousPeriodicUpdateSchedule": {"period": 2, "start": 0, "stop": 1},
}
SOLO = {"trainer": "solo_agent"}


def reported(**given: Any) -> list[str]:
    """Return the names of the options that are reported as unused."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NipWarning)
        make_tree(**given)
    return sorted(str(each.message).split("=")[0] for each in caught)


@pytest.mark.parametrize(
    ("agent", "options", "unused"),
    [
        ("prover", {"d_decider": 3, "num_decider_layers": 3, "include_round_in_decider": False}, 3),
        ("verifier", {"d_decider": 3, "num_decider_layers": 3}, 0),
        ("verifier", {"include_round_in_decider": False}, 0),
        ("_default", {"d_decider": 3, "include_round_in_decider": False}, 0),
        ("prover", {"d_value": 3, "d_node_selector": 3, "node_selector": "similarity"}, 0),
    ],
)
def test_only_the_verifier_has_a_head_that_decides(
    agent: str, options: dict[str, Any], unused: int
) -> None:
    found = reported(agents={agent: options})
    assert found == sorted(f"agents.{agent}.{option}" for option in list(options)[:unused])


def test_pretraining_gives_provers_a_head_that_predicts_the_label() -> None:
    agents = {"prover": {"d_decider": 3, "include_round_in_decider": False}}
    found = reported(pretrain_agents=True, agents=agents)
    assert found == ["agents.prover.include_round_in_decider"]


def test_agents_that_answer_alone_have_a_solo_head_only() -> None:
    options = {
        "d_value": 3,
        "num_value_layers": 3,
        "include_round_in_value": False,
        "node_selector": "similarity",
        "d_node_selector": 3,
        "num_node_selector_layers": 3,
        "initial_selector_scale": 3.0,
        "include_round_in_decider": False,
        "update_schedule": PERIOD,
    }
    read = {"d_decider": 3, "num_decider_layers": 3, "d_gnn": 3, "use_batch_norm": False}
    found = reported(**SOLO, agents={"prover": {**options, **read}})
    assert found == sorted(f"agents.prover.{option}" for option in options)


def test_agents_that_answer_alone_have_no_critic() -> None:
    factors = {"actor": 0.5, "critic": 0.25}
    agent = {"agent_lr_factor": factors, "body_lr_factor": factors, "gnn_lr_factor": factors}
    assert reported(**SOLO, agents={"verifier": agent}) == [
        "agents.verifier.agent_lr_factor.critic",
        "agents.verifier.body_lr_factor.critic",
        "agents.verifier.gnn_lr_factor.critic",
    ]
    assert reported(rl={"use_shared_body": False}, agents={"verifier": agent}) == []


def test_agents_that_answer_alone_play_no_episodes() -> None:
    common = {
        "verifier_first": False,
        "prover_reward": 2,
        "prover_terminated_penalty": -2,
        "verifier_reward": 2,
        "verifier_incorrect_penalty": -2,
        "verifier_terminated_penalty": -2,
        "verifier_no_guess_reward": 1,
        "shared_reward": True,
        "force_guess": "y",
    }
    rl = {"gamma": 0.5, "frames_per_batch": 500, "use_shared_body": False, "lr": 0.1}
    rl |= {"normalize_observations": False, "num_test_iterations": 3, "rollouts_per_iteration": 3}
    expected = [f"protocol_common.{name}" for name in common] + [f"rl.{name}" for name in rl]
    found = reported(**SOLO, pretrain_agents=True, rl=rl, protocol_common=common)
    assert found == sorted(["pretrain_agents", *expected])
    rounds = {"max_message_rounds": 5, "min_message_rounds": 2}
    assert reported(**SOLO, nip_protocol=rounds) == ["nip_protocol.min_message_rounds"]
    order = {**rounds, "sequential": True, "prover0_first": False}
    assert reported(**SOLO, interaction_protocol="debate", debate_protocol=order) == [
        "debate_protocol.min_message_rounds",
        "debate_protocol.prover0_first",
        "debate_protocol.sequential",
    ]


def test_a_random_agent_does_not_learn() -> None:
    learning = {"agent_lr_factor": {"actor": 0.5, "critic": 0.5}, "update_schedule": PERIOD}
    learning |= {"optimizer": {"lr": 0.1}, "use_orthogonal_initialisation": False}
    expected = ["agent_lr_factor.actor", "agent_lr_factor.critic", "optimizer.lr"]
    expected += ["update_schedule", "use_orthogonal_initialisation"]
    found = reported(agents={"prover": {"is_random": True, **learning}})
    assert found == [f"agents.prover.{option}" for option in expected]
    # As the command line composes agents._default.optimizer.lr=0.1.
    own = {"optimizer": {"lr": 0.1}}
    agents = {"_default": own, "prover": {"is_random": True, **own}, "verifier": own}
    assert reported(agents=agents) == []


def test_an_agent_that_has_a_value_from_the_default_is_not_reported() -> None:
    # As the command line composes agents._default.d_decider=3.
    agents = {name: {"d_decider": 3} for name in ("_default", "prover", "verifier")}
    assert reported(agents=agents) == []
    assert reported(agents={**agents, "prover": {"d_decider": 4}}) == ["agents.prover.d_decider"]


def test_a_default_is_reported_if_every_agent_has_another_value() -> None:
    agents = {"_default": {"d_gnn": 3}, "prover": {"d_gnn": 4}, "verifier": {}}
    assert reported(agents=agents) == ["agents._default.d_gnn"]
    assert reported(agents={**agents, "verifier": {"d_gnn": 3}}) == []
    del agents["verifier"]
    assert reported(agents=agents) == []


@pytest.mark.parametrize("name", scenario_specs.names())
def test_parts_have_options_that_exist(name: str) -> None:
    spec = scenario_specs[name]
    assert set(spec.part_options) <= {"policy_head", "decider", "value_head", "solo_head"}
    options = {option for options in spec.part_options.values() for option in options}
    assert options <= set(field_rules(spec.agent_parameters))


def test_an_agent_that_follows_a_fixed_algorithm_has_neither_heads_nor_learning() -> None:
    read = {"use_manual_architecture": True, "d_gnn": 3, "d_gin_mlp": 3, "num_gnn_layers": 2}
    unused = {
        "d_transformer": 8,
        "num_transformer_layers": 1,
        "activation_function": "relu",
        "node_selector": "similarity",
        "use_batch_norm": False,
        "use_orthogonal_initialisation": False,
        "update_schedule": PERIOD,
        "agent_lr_factor": {"actor": 0.5, "critic": 0.5},
    }
    found = reported(agents={"prover": {**read, **unused}})
    expected = [f"agents.prover.{option}" for option in unused if option != "agent_lr_factor"]
    expected += [f"agents.prover.agent_lr_factor.{part}" for part in ("actor", "critic")]
    assert found == sorted(expected)
    assert reported(agents={"prover": read}) == []
