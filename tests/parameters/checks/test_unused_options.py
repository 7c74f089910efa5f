"""Options that change nothing are reported, and only those."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nip.errors import NipWarning
from nip.parameters import (
    ProtocolSpec,
    TrainerSpec,
    UnusedOptionRule,
    protocol_specs,
    trainer_specs,
)
from nip.parameters.checks.unused_options import CHOICES
from nip.parameters.parameters_base import field_rules, parameter_classes
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
    (
        {"message_regression": {"agents": ["prover"]}},
        r"message_regression\.agents=\('prover',\) has no effect unless .*enabled=True",
    ),
    (
        {"trainer": "solo_agent", "opponent_pool": {"agents": ["prover"]}},
        r"opponent_pool\.agents=\('prover',\) has no effect with trainer='solo_agent'",
    ),
    ({"debate_protocol": {"sequential": True}}, "unless interaction_protocol='debate'"),
    ({"mnip_protocol": {"prover0_first": False}}, "unless interaction_protocol='mnip'"),
    (
        {"interaction_protocol": "adp", "nip_protocol": {"max_message_rounds": 3}},
        r"nip_protocol\.max_message_rounds=3 .*interaction_protocol='nip'",
    ),
    (
        {"code_validation": {"decision_scale": "likert_5"}},
        r"code_validation\.decision_scale='likert_5' .* unless scenario='code_validation'",
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


REPORTED_OF_TRAINING: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": {"momentum": 0.5}}, r"optimizer\.momentum=0\.5 .*name is 'sgd' or 'rmsprop'"),
    (
        {"optimizer": {"alpha": 0.5}},
        r"optimizer\.alpha=0\.5 .* unless optimizer\.name is 'rmsprop'",
    ),
    ({"optimizer": {"nesterov": True}}, r"optimizer\.nesterov=True .* optimizer\.name is 'sgd'"),
    ({"optimizer": {"name": "rmsprop", "beta1": 0.5}}, r"beta1=0\.5 .* is 'adam' or 'adamw' or"),
    (
        {"optimizer": {"beta1": 0.5}, "lr_scheduler": {"name": "one_cycle"}},
        r"optimizer\.beta1=0\.5 .* with lr_scheduler\.name='one_cycle', which moves it",
    ),
    (
        {
            "agents": {"prover": {"optimizer": {"beta1": 0.5}}},
            "lr_scheduler": {"name": "one_cycle"},
        },
        r"agents\.prover\.optimizer\.beta1=0\.5 .* with lr_scheduler\.name='one_cycle'",
    ),
    ({"optimizer": {"name": "sgd", "beta2": 0.5}}, r"beta2=0\.5 .* is 'adam' or 'adamw' or"),
    (
        {"optimizer": {"name": "sgd", "eps": 0.5}},
        r"optimizer\.eps=0\.5 .* optimizer\.name is 'adam'",
    ),
    (
        {"agents": {"prover": {"optimizer": {"momentum": 0.5}}}},
        r"agents\.prover\.optimizer\.momentum=0\.5 .* unless optimizer\.name is 'sgd' or 'rmsprop'",
    ),
    (
        {"optimizer": {"name": "sgd"}, "agents": {"_default": {"optimizer": {"beta1": 0.5}}}},
        r"agents\._default\.optimizer\.beta1=0\.5 .* unless optimizer\.name is 'adam'",
    ),
    ({"lr_scheduler": {"gamma": 0.5}}, r"gamma=0\.5 .* is 'exponential' or 'step' or 'multistep'"),
    ({"lr_scheduler": {"step_size": 5}}, r"step_size=5 .* unless lr_scheduler\.name is 'step'"),
    ({"lr_scheduler": {"milestones": [5]}}, r"milestones=\(5,\) .* is 'multistep'"),
    ({"lr_scheduler": {"name": "cosine", "end_factor": 0.5}}, r"end_factor=0\.5 .* is 'linear'"),
    ({"lr_scheduler": {"name": "linear", "eta_min": 0.5}}, r"eta_min=0\.5 .* is 'cosine'"),
    ({"lr_scheduler": {"name": "linear", "power": 2}}, r"power=2\.0 .* is 'polynomial'"),
    ({"lr_scheduler": {"pct_start": 0.5}}, r"pct_start=0\.5 .* is 'one_cycle'"),
    ({"lr_scheduler": {"div_factor": 2}}, r"lr_scheduler\.div_factor=2\.0 .* is 'one_cycle'"),
    ({"lr_scheduler": {"final_div_factor": 2}}, r"final_div_factor=2\.0 .* is 'one_cycle'"),
    (
        {"lr_scheduler": {"name": "exponential", "total": 9}},
        r"total=9 .* is 'linear' or 'cosine' or 'polynomial' or 'one_cycle'",
    ),
    (
        {"lr_scheduler": {"name": "linear", "warmup_start_factor": 0.5}},
        r"warmup_start_factor=0\.5 .* unless lr_scheduler\.num_warmup is above 0",
    ),
    ({"lr_scheduler": {"interval": "step"}}, r"interval='step' .* changes the learning rate"),
    (
        {"rl": {"anneal_lr": True}, "lr_scheduler": {"num_warmup": 3}},
        r"lr_scheduler\.num_warmup=3 has no effect with rl\.anneal_lr=True",
    ),
    (
        {"rl": {"minibatch_size": 1}, "ppo": {"normalize_advantage": False}},
        r"ppo\.normalize_advantage=False has no effect with rl\.minibatch_size=1",
    ),
    ({"eval_every": 7, "rl": {"num_iterations": 6}}, "eval_every=7 .* fewer iterations than that"),
    (
        {"trainer": "solo_agent", "eval_every": 7, "solo_agent": {"num_epochs": 6}},
        "eval_every=7 has no effect with fewer iterations than that",
    ),
    ({"solo_agent": {"max_grad_norm": 1}}, r"solo_agent\.max_grad_norm=1\.0 .* unless trainer="),
    (
        {"agents": {"prover": {"checkpoint_run_id": "x"}}},
        r"prover\.checkpoint_run_id='x' .* unless load_checkpoint_and_parameters=True",
    ),
    (
        {"agents": {"prover": {"checkpoint_version": "best"}}},
        r"prover\.checkpoint_version='best' .* unless load_checkpoint_and_parameters=True",
    ),
    (
        {
            "agents": {
                "prover": {
                    "load_checkpoint_and_parameters": True,
                    "checkpoint_run_id": "x",
                    "checkpoint_entity": "y",
                }
            }
        },
        r"prover\.checkpoint_entity='y' .* unless checkpoint_project names a project",
    ),
]


@pytest.mark.parametrize(("given", "message"), REPORTED_OF_TRAINING)
def test_an_idle_option_of_training_is_reported_once(given: dict[str, Any], message: str) -> None:
    with pytest.warns(NipWarning, match=message) as caught:
        make_tree(**given)
    assert len(caught) == 1


SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"num_warmup": 3, "warmup_start_factor": 0.5, "interval": "step"},
    "linear": {"end_factor": 0.5, "total": 9, "num_warmup": 2, "interval": "step"},
    "cosine": {"eta_min": 0.5, "total": 9},
    "exponential": {"gamma": 0.5, "interval": "step"},
    "step": {"gamma": 0.5, "step_size": 5},
    "multistep": {"gamma": 0.5, "milestones": [5]},
    "polynomial": {"power": 2, "total": 9},
    "one_cycle": {"pct_start": 0.5, "div_factor": 2, "final_div_factor": 2, "total": 9},
}

BETAS = {"beta1": 0.5, "beta2": 0.5, "eps": 0.5}

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": BETAS,
    "adamw": BETAS,
    "sgd": {"momentum": 0.5, "nesterov": True},
    "rmsprop": {"momentum": 0.5, "alpha": 0.5, "eps": 0.5},
    "adagrad": {"eps": 0.5},
    "radam": BETAS,
    "nadam": BETAS,
}


@pytest.mark.parametrize(
    "given",
    [
        *({"lr_scheduler": {"name": name, **options}} for name, options in SCHEDULES.items()),
        *(
            {"optimizer": {"name": name, "weight_decay": 0.5, **options}}
            for name, options in OPTIMIZERS.items()
        ),
        {"agents": {"prover": {"optimizer": {"lr": 0.1, "weight_decay": 0.5, **BETAS}}}},
        {
            "optimizer": {"name": "sgd"},
            "agents": {"prover": {"optimizer": {"momentum": 0.5}}},
        },
        {"update_step": {"max_grad_value": 1, "num_accumulation_steps": 2, "precision": "float16"}},
        {"loss_terms": ["l2"], "eval_every": 1000, "callbacks": ["csv"]},
        {"trainer": "solo_agent", "eval_every": 100, "solo_agent": {"max_grad_norm": 1}},
        {
            "agents": {
                "prover": {
                    "load_checkpoint_and_parameters": True,
                    "checkpoint_run_id": "x",
                    "checkpoint_version": "best",
                    "checkpoint_project": "p",
                    "checkpoint_entity": "y",
                }
            }
        },
    ],
)
def test_an_option_of_training_that_counts_is_not_reported(given: dict[str, Any]) -> None:
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
    ({"eval_every": 3}, "eval_every=3 has no effect with a trainer of language models"),
    ({"loss_terms": ["l2"]}, r"loss_terms=.*l2.* has no effect with a trainer of language models"),
    ({"optimizer": {"momentum": 0.5}}, r"optimizer\.momentum=0\.5 .* a trainer of language"),
    ({"lr_scheduler": {"gamma": 0.5}}, r"lr_scheduler\.gamma=0\.5 .* a trainer of language"),
    ({"update_step": {"on_non_finite": "stop"}}, "on_non_finite='stop' .* a trainer of language"),
    ({"solo_agent": {"max_grad_norm": 1}}, r"max_grad_norm=1\.0 .* a trainer of language models"),
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
        {"agents": {**REHEARSED, "verifier": {"use_dummy_api": True, "extra_body": {"k": 1}}}},
        r"agents\.verifier\.extra_body=\{'k': 1\} has no effect with use_dummy_api=True",
    ),
    (
        {"agents": {**REHEARSED, "prover": {"use_dummy_api": True, "base_url": "http://x/v1"}}},
        r"agents\.prover\.base_url='http://x/v1' has no effect with use_dummy_api=True",
    ),
    (
        {"agents": {"prover": {"model_provider": "Local", "send_seed": False}}},
        r"agents\.prover\.send_seed=False has no effect with this model_provider, which sends no",
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
        {"agents": {"prover": {"send_seed": False, "extra_body": {"k": 1}}}},
        {"agents": {"prover": {"reasoning_effort": "low", "token_limit_name": "max_tokens"}}},
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


@pytest.mark.parametrize("name", parameter_classes.names())
def test_the_rules_of_a_group_name_its_fields(name: str) -> None:
    group = parameter_classes[name]
    options = {option for rule in group.unused_rules for option in rule.options}
    assert options <= set(field_rules(group))


@pytest.mark.parametrize(
    ("choice", "name"),
    [(choice, name) for choice, specs in CHOICES.items() for name in specs.names()],
)
def test_a_spec_names_options_that_exist(choice: str, name: str) -> None:
    spec = CHOICES[choice][name]
    rules = [option for rule in spec.unused_options for option in rule.options]
    for option in (*(spec.reads or ()), *spec.ignores, *rules):
        make_tree().get(option)


def warnings_of(**given: Any) -> list[str]:
    """Return the messages about unused options of a tree."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_tree(**given)
    return [str(each.message) for each in caught]


@pytest.fixture
def my_trainer() -> Iterator[Callable[[TrainerSpec], None]]:
    yield lambda spec: trainer_specs.register("my_trainer", spec) and None
    trainer_specs.unregister("my_trainer")


def test_a_trainer_that_does_not_state_what_it_reads_may_read_every_group(my_trainer) -> None:
    my_trainer(TrainerSpec("tensordict"))
    given = {"ppo": {"clip_epsilon": 0.1}, "reinforce": {"use_advantage_and_critic": True}}
    assert warnings_of(trainer="my_trainer", **given) == []


def test_what_a_trainer_reads_is_derived_from_its_spec(my_trainer) -> None:
    my_trainer(TrainerSpec("tensordict", reads=("rl", "ppo"), ignores=("rl.lr",)))
    given = {"ppo": {"clip_epsilon": 0.1}, "rl": {"lr": 0.1}, "optimizer": {"weight_decay": 0.5}}
    assert sorted(warnings_of(trainer="my_trainer", **given)) == [
        "optimizer.weight_decay=0.5 has no effect with trainer='my_trainer', only with "
        "'reinforce' or 'solo_agent' or 'spg' or 'vanilla_ppo'.",
        "rl.lr=0.1 has no effect with trainer='my_trainer', only with 'reinforce' or 'spg' or "
        "'vanilla_ppo'.",
    ]
    # The group of another trainer, which two trainers read now.
    (message,) = warnings_of(trainer="reinforce", ppo={"clip_epsilon": 0.1})
    readers = "'my_trainer' or 'spg' or 'vanilla_ppo'"
    assert message.endswith(f"has no effect unless trainer is {readers}.")


def test_a_trainer_has_rules_and_a_count_of_iterations_of_its_own(my_trainer) -> None:
    rule = UnusedOptionRule(("seed",), "for a reason", lambda tree: tree.rl.num_epochs == 2)
    my_trainer(
        TrainerSpec(
            "tensordict",
            reads=("rl", "eval_every"),
            num_iterations="rl.num_epochs",
            unused_options=(rule,),
        )
    )
    given = {"trainer": "my_trainer", "seed": 1, "eval_every": 3}
    assert warnings_of(**given) == []
    assert warnings_of(**given, rl={"num_epochs": 2}) == [
        "seed=1 has no effect for a reason.",
        "eval_every=3 has no effect with fewer iterations than that.",
    ]


def test_a_protocol_that_does_not_state_what_it_reads_may_read_every_group() -> None:
    protocol_specs.register("my_protocol", ProtocolSpec())
    try:
        given = {"nip_protocol": {"max_message_rounds": 3}, "mnip_protocol": {"sequential": True}}
        assert warnings_of(interaction_protocol="my_protocol", **given) == []
    finally:
        protocol_specs.unregister("my_protocol")
