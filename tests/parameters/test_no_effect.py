"""Options that change nothing are reported, and only those."""

import warnings
from typing import Any

import pytest

from nip.errors import NipWarning
from nip.parameters import field_rules
from nip.parameters.no_effect import AGENT_RULES, ROOT_RULES
from tests.parameters.examples import make_tree

REPORTED: list[tuple[dict[str, Any], str]] = [
    ({"d_linear_message_space": 3}, "d_linear_message_space=3 .* include_linear_message_space"),
    ({"test_size": 0.5}, "test_size=0.5 has no effect unless trainer='solo_agent' or pretrain"),
    ({"solo_agent": {"batch_size": 2}}, r"solo_agent\.batch_size=2 has no effect unless"),
    ({"reinforce": {"use_advantage_and_critic": True}}, "unless trainer='reinforce'"),
    ({"trainer": "reinforce", "ppo": {"clip_epsilon": 0.1}}, r"ppo\.clip_epsilon=0\.1 .*vanilla"),
    ({"ppo": {"kl_target": 0.1}}, r"ppo\.kl_target=0\.1 .* unless ppo\.loss_type='kl_penalty'"),
    ({"trainer": "solo_agent", "rl": {"lr": 0.1}}, r"rl\.lr=0\.1 .*trainer='solo_agent'"),
    ({"trainer": "reinforce", "rl": {"lmbda": 0.1}}, r"rl\.lmbda=0\.1 .*use_advantage_and_crit"),
    ({"trainer": "reinforce", "rl": {"clip_value": True}}, r"rl\.clip_value=True"),
    ({"rl": {"rollouts_per_iteration": 10}}, r"rollouts_per_iteration=10 .*frames_per_batch=None"),
    (
        {"rl": {"normalize_observations": False, "num_normalization_steps": 10}},
        r"rl\.num_normalization_steps=10 .*rl\.normalize_observations=True",
    ),
    ({"debate_protocol": {"sequential": True}}, "unless interaction_protocol='debate'"),
    ({"mnip_protocol": {"prover0_first": False}}, "unless interaction_protocol='mnip'"),
    (
        {"interaction_protocol": "adp", "nip_protocol": {"max_message_rounds": 3}},
        r"nip_protocol\.max_message_rounds=3 .*interaction_protocol='nip'",
    ),
    (
        {"interaction_protocol": "debate", "debate_protocol": {"prover0_first": False}},
        r"prover0_first=False .*debate_protocol\.sequential=True",
    ),
    (
        {"interaction_protocol": "adp", "protocol_common": {"verifier_first": False}},
        r"verifier_first=False .*order is fixed",
    ),
    (
        {"protocol_common": {"shared_reward": True, "prover_reward": 3}},
        r"prover_reward=3\.0 .*shared_reward=True",
    ),
    (
        {
            "agents": {
                "prover": {
                    "use_orthogonal_initialisation": False,
                    "orthogonal_initialisation_gain": 2,
                }
            }
        },
        r"agents\.prover\.orthogonal_initialisation_gain=2\.0",
    ),
    (
        {"agents": {"prover": {"num_transformer_layers": 0, "d_transformer_mlp": 8}}},
        r"agents\.prover\.d_transformer_mlp=8 .*num_transformer_layers=0",
    ),
    (
        {"agents": {"_default": {"d_linear_message_selector": 8}}},
        r"agents\._default\.d_linear_message_selector=8",
    ),
    (
        {
            "agents": {
                "verifier": {"use_pair_invariant_pooling": False, "pair_difference_scale": "log"}
            }
        },
        r"pair_difference_scale='log' .*use_pair_invariant_pooling=True",
    ),
    (
        {
            "scenario": "toy",
            "dataset": "witness",
            "agents": {"prover": {"use_orthogonal_initialisation": False}},
        },
        r"prover\.use_orthogonal_initialisation=False has no effect with scenario='toy'",
    ),
    (
        {
            "scenario": "toy",
            "dataset": "witness",
            "agents": {"prover": {"orthogonal_initialisation_gain": 2}},
        },
        r"prover\.orthogonal_initialisation_gain=2\.0 has no effect with scenario='toy'",
    ),
]


@pytest.mark.parametrize(("given", "message"), REPORTED)
def test_an_idle_option_is_reported_once(given: dict[str, Any], message: str) -> None:
    with pytest.warns(NipWarning, match=message) as caught:
        make_tree(**given)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "trainer": "reinforce",
            "reinforce": {"use_advantage_and_critic": True},
            "rl": {"lmbda": 1},
        },
        {"trainer": "solo_agent", "solo_agent": {"batch_size": 2}, "test_size": 0.5},
        {"pretrain_agents": True, "solo_agent": {"batch_size": 2}, "test_size": 0.5},
        {"ppo": {"loss_type": "kl_penalty", "kl_target": 0.1}},
        {"include_linear_message_space": True, "d_linear_message_space": 3},
        {"rl": {"frames_per_batch": None, "rollouts_per_iteration": 10}},
        {
            "interaction_protocol": "debate",
            "debate_protocol": {"sequential": True, "prover0_first": False},
        },
        {"agents": {"prover": {"is_random": True, "num_transformer_layers": 0, "num_heads": 2}}},
        {"scenario": "toy", "dataset": "witness", "agents": {"prover": {"d_hidden": 3}}},
    ],
)
def test_an_option_that_counts_is_not_reported(given: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_tree(**given)


def test_rules_name_options_that_exist() -> None:
    tree = make_tree()
    for rule in ROOT_RULES:
        for option in rule.options:
            tree.get(option)
    for agent_rule in AGENT_RULES:
        assert set(agent_rule.options) <= set(field_rules(agent_rule.agent_class))
