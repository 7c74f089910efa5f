"""Options that change nothing in the chosen combination.

Each rule names some options, and says when and why they count for nothing. An option that has its
default value is never reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, get_args

from nip.parameters.checks.unused_option_rule import UnusedAgentOptionRule, UnusedOptionRule
from nip.parameters.checks.unused_training_options import (
    RL_TRAINERS,
    TRAINING_RULES,
    TRAINING_RULES_OF_AGENTS,
)
from nip.parameters.graph_isomorphism import GraphIsomorphismAgentParameters
from nip.parameters.parameters_base import field_rules
from nip.parameters.specs import trainer_specs
from nip.parameters.toy import ToyAgentParameters
from nip.parameters.trainers import PureTextEiParameters, RlParameters
from nip.parameters.types import InteractionProtocolType

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


RL_OF_TEXT = ("num_iterations", "rollouts_per_iteration")
"""The parameters of ``rl`` that trainers of language models read."""


def _learns_by_rl_only(hyper_params: HyperParameters) -> bool:
    return hyper_params.trainer in RL_TRAINERS and not hyper_params.pretrain_agents


def _trains_without_critic(hyper_params: HyperParameters) -> bool:
    uses_critic = hyper_params.reinforce.use_advantage_and_critic
    return hyper_params.trainer == "reinforce" and not uses_critic


def _is_another_builtin_protocol(name: str) -> Callable[[HyperParameters], bool]:
    # A plugin's protocol may read the groups of the built-in ones.
    others = set(get_args(InteractionProtocolType)) - {name}
    return lambda hyper_params: hyper_params.interaction_protocol in others


def _has_fixed_order(hyper_params: HyperParameters) -> bool:
    fixed = ("adp", "merlin_arthur", "multi_channel_test", "solo_verifier")
    return hyper_params.interaction_protocol in fixed


def _has_no_linear_message_space(hyper_params: HyperParameters) -> bool:
    return not hyper_params.include_linear_message_space


def _is_about_text(hyper_params: HyperParameters) -> bool:
    return hyper_params.trainer in TEXT_TRAINERS


def _learns_from_texts(hyper_params: HyperParameters) -> bool:
    return trainer_specs[hyper_params.trainer].data == "text"


def _is_about_networks(hyper_params: HyperParameters) -> bool:
    return hyper_params.trainer in (*RL_TRAINERS, "solo_agent")


TEXT_TRAINERS = ("pure_text_ei",)

ROOT_RULES = (
    UnusedOptionRule(
        (
            "pretrain_agents",
            "test_size",
            "d_representation",
            "message_size",
            "include_linear_message_space",
            "d_linear_message_space",
            "ppo",
            "reinforce",
            "solo_agent",
            "optimizer",
            "lr_scheduler",
            "update_step",
            "loss_terms",
            "eval_every",
            *(f"rl.{name}" for name in field_rules(RlParameters) if name not in RL_OF_TEXT),
        ),
        "with a trainer of language models",
        _is_about_text,
    ),
    UnusedOptionRule(
        (
            "text_rl",
            "pure_text_ei",
            "fine_tuning",
            "rehearsal",
            "code_validation",
            "debate_protocol.randomize_channel_order",
            "mnip_protocol.randomize_channel_order",
        ),
        "with a trainer of networks",
        _is_about_networks,
    ),
    UnusedOptionRule(
        ("text_rl.transcript_format",),
        "unless text_rl.save_transcripts=True",
        lambda hyper_params: not hyper_params.text_rl.save_transcripts,
    ),
    UnusedOptionRule(
        ("text_rl.test_on_whole_dataset",),
        "unless text_rl.test_scheme is other than 'none'",
        lambda hyper_params: (
            hyper_params.text_rl.test_scheme == "none"
            and hyper_params.base_run.base_run_type != "rerun_tests"
        ),
    ),
    UnusedOptionRule(
        (
            "text_rl.verifier_guess_replacement_annealing",
            "text_rl.verifier_guess_replacement_annealing_rate",
        ),
        "unless text_rl.verifier_guess_replacement_proportion is above 0",
        lambda hyper_params: hyper_params.text_rl.verifier_guess_replacement_proportion == 0,
    ),
    UnusedOptionRule(
        ("text_rl.verifier_guess_replacement_annealing_rate",),
        "unless text_rl.verifier_guess_replacement_annealing is other than 'none'",
        lambda hyper_params: hyper_params.text_rl.verifier_guess_replacement_annealing == "none",
    ),
    UnusedOptionRule(
        ("fine_tuning.num_retries",),
        "unless fine_tuning.on_failure='retry'",
        lambda hyper_params: hyper_params.fine_tuning.on_failure != "retry",
    ),
    UnusedOptionRule(
        ("pure_text_ei.reward_threshold",),
        "unless pure_text_ei.rollout_selection_method='threshold'",
        lambda hyper_params: (
            hyper_params.pure_text_ei.rollout_selection_method == "weighted_sampling"
        ),
    ),
    UnusedOptionRule(
        tuple(
            f"pure_text_ei.{name}"
            for name in field_rules(PureTextEiParameters)
            if name.startswith("weighting")
        ),
        "unless pure_text_ei.rollout_selection_method='weighted_sampling'",
        lambda hyper_params: hyper_params.pure_text_ei.rollout_selection_method == "threshold",
    ),
    UnusedOptionRule(
        ("rehearsal",),
        "unless an agent has use_dummy_api=True",
        lambda hyper_params: (
            _is_about_text(hyper_params)
            and not any(
                getattr(agent, "use_dummy_api", False) for agent in hyper_params.agents.values()
            )
        ),
    ),
    UnusedOptionRule(
        ("rehearsal.fault_rate",),
        "unless rehearsal.faults names any",
        lambda hyper_params: not hyper_params.rehearsal.faults,
    ),
    UnusedOptionRule(
        ("protocol_common.randomize_prover_stance",),
        "with protocol_common.shared_reward=True",
        lambda hyper_params: hyper_params.protocol_common.shared_reward,
    ),
    UnusedOptionRule(
        ("d_representation",),
        "with scenario='toy', whose agents read what they see as it is",
        lambda hyper_params: hyper_params.scenario == "toy",
    ),
    UnusedOptionRule(
        ("d_linear_message_space",),
        "unless include_linear_message_space=True",
        _has_no_linear_message_space,
    ),
    UnusedOptionRule(
        ("test_size", "solo_agent"),
        "unless trainer='solo_agent' or pretrain_agents=True",
        _learns_by_rl_only,
    ),
    UnusedOptionRule(
        ("reinforce",),
        "unless trainer='reinforce'",
        lambda hyper_params: hyper_params.trainer in ("solo_agent", "vanilla_ppo"),
    ),
    UnusedOptionRule(
        ("ppo",),
        "unless trainer='vanilla_ppo'",
        lambda hyper_params: hyper_params.trainer in ("reinforce", "solo_agent"),
    ),
    UnusedOptionRule(
        ("ppo.kl_target", "ppo.kl_beta", "ppo.kl_decrement", "ppo.kl_increment"),
        "unless ppo.loss_type='kl_penalty'",
        lambda hyper_params: (
            hyper_params.trainer not in ("reinforce", "solo_agent")
            and hyper_params.ppo.loss_type == "clip"
        ),
    ),
    UnusedOptionRule(
        (
            "rl.num_iterations",
            "rl.num_epochs",
            "rl.minibatch_size",
            "rl.lr",
            "rl.anneal_lr",
            "rl.max_grad_norm",
            "rl.loss_critic_type",
            "rl.clip_value",
            "rl.gamma",
            "rl.lmbda",
            "rl.num_test_iterations",
            "rl.greedy_test",
        ),
        "with trainer='solo_agent', which has its own group of parameters",
        lambda hyper_params: hyper_params.trainer == "solo_agent",
    ),
    UnusedOptionRule(
        ("rl.loss_critic_type", "rl.lmbda"),
        "unless reinforce.use_advantage_and_critic=True",
        _trains_without_critic,
    ),
    UnusedOptionRule(
        ("rl.clip_value",),
        "with trainer='reinforce'",
        lambda hyper_params: hyper_params.trainer == "reinforce",
    ),
    UnusedOptionRule(
        ("rl.rollouts_per_iteration",),
        "unless rl.frames_per_batch=None",
        lambda hyper_params: (
            hyper_params.rl.frames_per_batch is not None and not _learns_from_texts(hyper_params)
        ),
    ),
    UnusedOptionRule(
        ("rl.num_normalization_steps",),
        "unless rl.normalize_observations=True",
        lambda hyper_params: not hyper_params.rl.normalize_observations,
    ),
    *(
        UnusedOptionRule(
            (f"{protocol}_protocol",),
            f"unless interaction_protocol={protocol!r}",
            _is_another_builtin_protocol(protocol),
        )
        for protocol in ("debate", "mnip", "nip")
    ),
    UnusedOptionRule(
        ("debate_protocol.prover0_first",),
        "unless debate_protocol.sequential=True",
        lambda hyper_params: (
            hyper_params.interaction_protocol == "debate"
            and not hyper_params.debate_protocol.sequential
        ),
    ),
    UnusedOptionRule(
        ("mnip_protocol.prover0_first",),
        "unless mnip_protocol.sequential=True",
        lambda hyper_params: (
            hyper_params.interaction_protocol == "mnip"
            and not hyper_params.mnip_protocol.sequential
        ),
    ),
    UnusedOptionRule(
        ("protocol_common.verifier_first",),
        "with a protocol whose order is fixed",
        _has_fixed_order,
    ),
    UnusedOptionRule(
        ("protocol_common.prover_reward",),
        "with protocol_common.shared_reward=True",
        lambda hyper_params: hyper_params.protocol_common.shared_reward,
    ),
    *TRAINING_RULES,
)

AGENT_RULES = (
    UnusedAgentOptionRule(
        ("orthogonal_initialisation_gain",),
        "unless use_orthogonal_initialisation=True",
        lambda _, agent: not agent.use_orthogonal_initialisation,
    ),
    UnusedAgentOptionRule(
        ("use_orthogonal_initialisation",),
        "with scenario='toy', whose tables start as PyTorch makes them",
        lambda _, __: True,
        ToyAgentParameters,
    ),
    UnusedAgentOptionRule(
        ("orthogonal_initialisation_gain",),
        "with scenario='toy', whose tables start as PyTorch makes them",
        lambda _, agent: agent.use_orthogonal_initialisation,
        ToyAgentParameters,
    ),
    UnusedAgentOptionRule(
        ("num_heads", "d_transformer_mlp", "transformer_dropout"),
        "with num_transformer_layers=0",
        lambda _, agent: agent.num_transformer_layers == 0,
        GraphIsomorphismAgentParameters,
    ),
    UnusedAgentOptionRule(
        ("d_linear_message_selector", "num_linear_message_selector_layers"),
        "unless include_linear_message_space=True",
        lambda hyper_params, _: not hyper_params.include_linear_message_space,
        GraphIsomorphismAgentParameters,
    ),
    UnusedAgentOptionRule(
        ("pair_difference_scale",),
        "unless use_pair_invariant_pooling=True",
        lambda _, agent: not agent.use_pair_invariant_pooling,
        GraphIsomorphismAgentParameters,
    ),
    *TRAINING_RULES_OF_AGENTS,
)


def unused_options(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each option that differs from its default but changes nothing.

    An option that is idle for several reasons is reported for the first of them.
    """
    reported: set[str] = set()
    for option, because in _idle_options(hyper_params):
        for dotted, message in _changed(hyper_params, option, because):
            if dotted not in reported:
                reported.add(dotted)
                yield message


def _idle_options(hyper_params: HyperParameters) -> Iterator[tuple[str, str]]:
    """Yield each option that counts for nothing, and why."""
    for rule in ROOT_RULES:
        if rule.is_idle(hyper_params):
            yield from ((option, rule.because) for option in rule.options)
    for agent_name, agent in hyper_params.agents.items():
        for agent_rule in AGENT_RULES:
            if isinstance(agent, agent_rule.agent_class) and agent_rule.is_idle(
                hyper_params, agent
            ):
                for option in agent_rule.options:
                    yield f"agents.{agent_name}.{option}", agent_rule.because


def _changed(hyper_params: HyperParameters, dotted: str, because: str) -> Iterator[tuple[str, str]]:
    """Yield name and message for a field, or each field of a group, that is not its default."""
    parent, _, name = dotted.rpartition(".")
    group = hyper_params.get(parent) if parent else hyper_params
    rule, value = field_rules(type(group))[name], getattr(group, name)
    message = f"{dotted}={value!r} has no effect {because}."
    if rule.group_class is None:
        if value != rule.default:
            yield dotted, message
    elif isinstance(value, rule.group_class) and type(value) is rule.group_class:
        for below in field_rules(type(value)):
            yield from _changed(hyper_params, f"{dotted}.{below}", because)
    elif value != rule.group_class.build(rule.default, dotted):
        yield dotted, message
