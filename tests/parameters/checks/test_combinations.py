"""Combinations that cannot work are refused, with a way out."""

from typing import Any

import pytest

from nip.errors import NipWarning, ParameterError
from nip.parameters import HyperParameters, RlParameters
from tests.parameters.examples import make_tree

UNEQUAL = {"actor": 1.0, "critic": 0.5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"rl": {"minibatch_size": 2000}},
            "rl.minibatch_size must be at most rl.frames_per_batch (1000), got 2000, so that "
            "there is no minibatch. Lower it, or sample more frames.",
        ),
        (
            {"rl": {"frames_per_batch": 1000, "steps_per_env_per_iteration": 3}},
            "rl.frames_per_batch must be a multiple of rl.steps_per_env_per_iteration (3), got "
            "1000. Choose for example rl.frames_per_batch=999.",
        ),
        (
            {"agents": {"prover": {"agent_lr_factor": UNEQUAL}}},
            "agents.prover.agent_lr_factor.actor and agents.prover.agent_lr_factor.critic must be "
            "equal while actor and critic share a body, got 1.0 and 0.5. Make them equal, or set "
            "rl.use_shared_body=False.",
        ),
        (
            {"agents": {"prover": {"use_manual_architecture": True}}, "message_size": 2},
            "agents.prover.use_manual_architecture=True needs scenario='graph_isomorphism' and "
            "interaction_protocol='nip' and message_size=1, got message_size=2. Change that, or "
            "let the agent learn with use_manual_architecture=False.",
        ),
        (
            {"agents": {"prover": {"num_heads": 3}}},
            "agents.prover.d_transformer must be a multiple of agents.prover.num_heads (3), got "
            "16. Change one of them, or leave the transformer out with "
            "agents.prover.num_transformer_layers=0.",
        ),
        (
            {"nip_protocol": {"min_message_rounds": 9}},
            "nip_protocol.min_message_rounds must be at most nip_protocol.max_message_rounds (8), "
            "got 9. Lower it, or allow more rounds.",
        ),
    ],
)
def test_an_impossible_combination_names_all_and_a_way_out(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize("factor", ["agent_lr_factor", "body_lr_factor", "gnn_lr_factor"])
def test_factors_of_actor_and_critic_may_differ_only_with_separate_bodies(factor: str) -> None:
    agents = {"verifier": {factor: UNEQUAL}}
    with pytest.raises(ParameterError, match=f"agents.verifier.{factor}"):
        make_tree(agents=agents)
    separate = make_tree(agents=agents, rl={"use_shared_body": False})
    assert separate.get(f"agents.verifier.{factor}.critic") == 0.5


def test_factors_of_an_agent_that_plays_at_random_do_not_matter() -> None:
    agent = {"is_random": True, "agent_lr_factor": UNEQUAL}
    with pytest.warns(NipWarning, match="has no effect for a random agent"):
        assert make_tree(agents={"prover": agent}).agents["prover"].is_random


@pytest.mark.parametrize(
    "given",
    [
        {"scenario": "toy", "dataset": "witness"},
        {"interaction_protocol": "adp"},
        {"message_size": 2},
    ],
)
def test_the_hand_written_policy_is_for_one_game(given: dict[str, Any]) -> None:
    agents = {"_default": {"use_manual_architecture": True}}
    assert make_tree(agents=agents).agents["prover"].use_manual_architecture
    with pytest.raises(
        ParameterError, match=r"agents\._default\.use_manual_architecture=True needs"
    ):
        make_tree(agents=agents, **given)


def test_similar_nodes_need_the_stream_without_marks() -> None:
    agent = {"node_selector": "similarity"}
    assert make_tree(agents={"prover": agent}).get("agents.prover.use_dual_gnn")
    with pytest.raises(ParameterError, match=r"agents\.prover\.use_dual_gnn must be True"):
        make_tree(agents={"prover": {**agent, "use_dual_gnn": False}})


def test_marked_pairs_need_messages_of_an_even_size() -> None:
    pairs = {"graph_isomorphism": {"mark_pairs": True}}
    assert make_tree(**pairs, message_size=2).get("graph_isomorphism.mark_pairs")
    with pytest.raises(ParameterError, match=r"^message_size must be even .* got 3\. Set it to 4"):
        make_tree(**pairs, message_size=3)


def test_heads_do_not_matter_without_a_transformer() -> None:
    agent = {"num_heads": 4, "d_transformer": 6, "num_transformer_layers": 0}
    assert make_tree(agents={"prover": agent}).get("agents.prover.d_transformer") == 6


def test_a_batch_of_unknown_size_is_not_compared() -> None:
    rl = RlParameters(frames_per_batch=None, minibatch_size=5000, steps_per_env_per_iteration=3)
    assert rl.minibatch_size == 5000


@pytest.mark.parametrize("group", ["nip_protocol", "debate_protocol", "mnip_protocol"])
def test_a_decision_must_count_in_some_round(group: str) -> None:
    protocol = group.removesuffix("_protocol")
    bounds = {"min_message_rounds": 3, "max_message_rounds": 3}
    tree = make_tree(interaction_protocol=protocol, **{group: bounds})
    assert tree.get(f"{group}.min_message_rounds") == 3
    with pytest.raises(ParameterError, match=rf"^{group}\.min_message_rounds"):
        make_tree(**{group: {**bounds, "max_message_rounds": 2}})


def text_tree(**given: Any) -> HyperParameters:
    choices = {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "test"}
    return make_tree(**{**choices, **given})


TEXT_PROBLEMS: list[tuple[dict[str, Any], str]] = [
    (
        {"agents": {"prover": {"temperature": 0.5, "top_p": 0.9}}},
        "agents.prover.temperature and agents.prover.top_p must not both be set, got 0.5 and 0.9. "
        "Leave one of them at None.",
    ),
    (
        {"agents": {"prover": {"base_url": "localhost:8000"}}},
        "agents.prover.base_url must begin with http:// or https://, got 'localhost:8000'. Give "
        "the address of the API, for example http://localhost:8000/v1.",
    ),
    (
        {"code_validation": {"linear_reward": True}},
        "code_validation.linear_reward=True needs a scale with grades, got "
        "code_validation.decision_scale='accept_reject'. Choose another scale, for example "
        "'out_of_100', or set it to False.",
    ),
    (
        {
            "pure_text_ei": {
                "rollout_selection_method": "weighted_sampling",
                "weighting_use_replacement": False,
                "weighting_sample_size_factor": 1.5,
            }
        },
        "pure_text_ei.weighting_sample_size_factor must be at most 1 when no rollout may be drawn "
        "twice, got 1.5. Lower it, or set pure_text_ei.weighting_use_replacement=True.",
    ),
    (
        {
            "agents": {
                "prover": {"shared_model_group": "one", "model_name": "gpt-4o"},
                "verifier": {"shared_model_group": "one"},
            }
        },
        "agents.verifier.model_name must equal agents.prover.model_name ('gpt-4o'), because both "
        "share the model of the group 'one', got 'gpt-4o-mini-2024-07-18'. Make them equal, or "
        "give one of them another shared_model_group.",
    ),
    (
        {"base_run": {"base_run_type": "rerun_tests"}},
        "base_run.run_id must name a run for base_run.base_run_type='rerun_tests', got None. Give "
        "the name of its folder.",
    ),
]


@pytest.mark.parametrize(("given", "message"), TEXT_PROBLEMS)
def test_an_impossible_combination_of_texts_names_all_and_a_way_out(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        text_tree(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "given",
    [
        {"agents": {"prover": {"temperature": 0.5}, "verifier": {"top_p": 0.9}}},
        {"code_validation": {"linear_reward": True, "decision_scale": "likert_4"}},
        {"protocol_common": {"randomize_prover_stance": True}},
        {
            "agents": {
                "_default": {"model_name": "gpt-4o", "shared_model_group": "one"},
                "prover": {"temperature": 0.5, "max_response_words": 10},
            }
        },
    ],
)
def test_a_possible_combination_of_texts_is_accepted(given: dict[str, Any]) -> None:
    assert text_tree(**given).scenario == "code_validation"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_provider", "local"),
        ("model_name", "gpt-4o"),
        ("base_url", "http://localhost:1/v1"),
        ("api_key_variable", "KEY"),
        ("use_dummy_api", True),
        ("fine_tune_from_scratch", False),
        ("freeze_agent", True),
    ],
)
def test_who_shares_a_model_agrees_about_it(field: str, value: object) -> None:
    one = {"shared_model_group": "one", field: value}
    with pytest.raises(ParameterError, match=rf"agents\.verifier\.{field} must equal"):
        text_tree(agents={"prover": one, "verifier": {"shared_model_group": "one"}})
    text_tree(agents={"prover": one, "verifier": {"shared_model_group": "two"}})
    text_tree(agents={"prover": one, "verifier": one})


def test_stances_are_for_texts() -> None:
    with pytest.raises(ParameterError, match=r"randomize_prover_stance=True needs a trainer of la"):
        make_tree(protocol_common={"randomize_prover_stance": True})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agents._default.temperature", 2.5),
        ("agents._default.top_p", 0.0),
        ("agents._default.max_response_words", 0),
        ("agents._default.num_invalid_generation_retries", -1),
        ("code_validation.decision_scale", "likert_3"),
        ("code_validation.apps_difficulty", "easy"),
        ("text_rl.test_scheme", "first"),
        ("text_rl.transcript_format", "csv"),
        ("text_rl.verifier_guess_replacement_proportion", 1.5),
        ("pure_text_ei.weighting_sample_size_factor", 0),
        ("fine_tuning.n_epochs", 0),
        ("fine_tuning.on_failure", "ignore"),
        ("fine_tuning.deadline_hours", 0),
        ("rehearsal.fault_rate", 1.1),
        ("rehearsal.latency_s", -1),
        ("base_run.base_run_type", "copy"),
    ],
)
def test_a_value_of_texts_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        text_tree().with_changes({name: value})
    assert str(caught.value).startswith(f"{name} must be ")
    assert len(caught.value.problems) == 1


OUT_OF_RANGE = [
    ("seed", -1),
    ("test_size", 0.0),
    ("test_size", 1.0),
    ("message_size", 0),
    ("d_linear_message_space", 0),
    ("rl.frames_per_batch", -1000),
    ("rl.minibatch_size", 0),
    ("rl.lr", 0.0),
    ("rl.lr", -1.0),
    ("rl.gamma", 1.01),
    ("rl.lmbda", -0.1),
    ("rl.max_grad_norm", 0),
    ("rl.clip_value", 0.0),
    ("rl.num_test_iterations", 0),
    ("ppo.clip_epsilon", 0),
    ("ppo.kl_decrement", 1.5),
    ("ppo.kl_increment", 0.5),
    ("ppo.entropy_eps", -0.001),
    ("solo_agent.batch_size", 0),
    ("protocol_common.prover_reward", float("nan")),
    ("protocol_common.force_guess", "two"),
    ("nip_protocol.max_message_rounds", 0),
    ("agents._default.transformer_dropout", 1.0),
    ("agents._default.noise_sigma", -1.0),
    ("agents._default.gnn_output_digits", -1),
    ("agents._default.agent_lr_factor.actor", -1),
    ("agents._default.activation_function", "gelu"),
]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree().with_changes({name: value})
    assert str(caught.value).startswith(f"{name} must be ")
    assert len(caught.value.problems) == 1
