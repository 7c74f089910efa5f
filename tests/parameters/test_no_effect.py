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


TEXT = {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "test"}
REHEARSED = {"_default": {"use_dummy_api": True}}

REPORTED_OF_TEXT: list[tuple[dict[str, Any], str]] = [
    ({"rl": {"lr": 0.1}}, r"rl\.lr=0\.1 has no effect with a trainer of language models"),
    ({"ppo": {"kl_target": 0.1}}, r"ppo\.kl_target=0\.1 .* with a trainer of language models"),
    ({"d_linear_message_space": 3}, "d_linear_message_space=3 .* with a trainer of language"),
    ({"pretrain_agents": True}, "pretrain_agents=True .* with a trainer of language models"),
    (
        {"text_rl": {"save_transcripts": False, "transcript_format": "json"}},
        r"text_rl\.transcript_format='json' .* unless text_rl\.save_transcripts=True",
    ),
    (
        {"text_rl": {"test_on_whole_dataset": False}},
        r"test_on_whole_dataset=False .* unless text_rl\.test_scheme is other than 'none'",
    ),
    (
        {"text_rl": {"verifier_guess_replacement_annealing": "linear"}},
        r"annealing='linear' .* unless text_rl\.verifier_guess_replacement_proportion is above 0",
    ),
    (
        {
            "text_rl": {
                "verifier_guess_replacement_proportion": 0.5,
                "verifier_guess_replacement_annealing_rate": 0.5,
            }
        },
        r"annealing_rate=0\.5 .* unless text_rl\.verifier_guess_replacement_annealing is other",
    ),
    (
        {"pure_text_ei": {"weighting_epsilon": 0.5}},
        r"weighting_epsilon=0\.5 .*rollout_selection_method='weighted_sampling'",
    ),
    (
        {
            "pure_text_ei": {
                "rollout_selection_method": "weighted_sampling",
                "reward_threshold": 0.5,
            }
        },
        r"reward_threshold=0\.5 .*rollout_selection_method='threshold'",
    ),
    (
        {"fine_tuning": {"on_failure": "skip", "num_retries": 5}},
        r"fine_tuning\.num_retries=5 .* unless fine_tuning\.on_failure='retry'",
    ),
    (
        {"rehearsal": {"latency_s": 1.0}},
        r"latency_s=1\.0 .* unless an agent has use_dummy_api=True",
    ),
    (
        {"agents": REHEARSED, "rehearsal": {"fault_rate": 0.5}},
        r"rehearsal\.fault_rate=0\.5 has no effect unless rehearsal\.faults names any",
    ),
    (
        {"protocol_common": {"shared_reward": True, "randomize_prover_stance": True}},
        r"randomize_prover_stance=True .* with protocol_common\.shared_reward=True",
    ),
]


@pytest.mark.parametrize(("given", "message"), REPORTED_OF_TEXT)
def test_an_idle_option_of_texts_is_reported_once(given: dict[str, Any], message: str) -> None:
    with pytest.warns(NipWarning, match=message) as caught:
        make_tree(**TEXT, **given)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rl": {"num_iterations": 3, "rollouts_per_iteration": 7}},
        {"text_rl": {"transcript_format": "json"}},
        {"text_rl": {"test_scheme": "last", "test_on_whole_dataset": False}},
        {
            "text_rl": {
                "verifier_guess_replacement_proportion": 0.5,
                "verifier_guess_replacement_annealing": "linear",
                "verifier_guess_replacement_annealing_rate": 0.5,
            }
        },
        {"pure_text_ei": {"reward_threshold": 0.5}},
        {
            "pure_text_ei": {
                "rollout_selection_method": "weighted_sampling",
                "weighting_epsilon": 0.5,
            }
        },
        {"fine_tuning": {"num_retries": 5}},
        {
            "agents": REHEARSED,
            "rehearsal": {"faults": ["rate_limit"], "fault_rate": 0.5, "latency_s": 1.0},
        },
        {
            "interaction_protocol": "mnip",
            "mnip_protocol": {"randomize_channel_order": False},
        },
        {"code_validation": {"decision_scale": "likert_5", "apps_difficulty": "competition"}},
    ],
)
def test_an_option_of_texts_that_counts_is_not_reported(given: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_tree(**TEXT, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"text_rl": {"test_scheme": "all"}},
        {"pure_text_ei": {"reward_threshold": 0.5}},
        {"fine_tuning": {"on_failure": "skip", "num_retries": 5}},
        {"rehearsal": {"latency_s": 1.0}},
        {"code_validation": {"decision_scale": "likert_5"}},
        {
            "interaction_protocol": "debate",
            "debate_protocol": {"randomize_channel_order": False},
        },
    ],
)
def test_options_of_texts_are_idle_with_networks(given: dict[str, Any]) -> None:
    ((group, options),) = [item for item in given.items() if item[0] != "interaction_protocol"]
    with pytest.warns(NipWarning, match="with a trainer of networks") as caught:
        make_tree(**given)
    named = sorted(str(each.message).split("=")[0] for each in caught)
    assert named == sorted(f"{group}.{option}" for option in options)


def test_rules_name_options_that_exist() -> None:
    tree = make_tree()
    for rule in ROOT_RULES:
        for option in rule.options:
            tree.get(option)
    for agent_rule in AGENT_RULES:
        assert set(agent_rule.options) <= set(field_rules(agent_rule.agent_class))
