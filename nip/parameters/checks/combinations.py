"""Checks of combinations of parameters from different groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nip.parameters.agents import AgentParameters, LrFactors
from nip.parameters.parameters_base import field_rules
from nip.parameters.specs import (
    scenario_specs,
    trainer_specs,
    why_no_critics,
    why_no_network_plays,
)
from nip.parameters.text_agents import TextAgentParameters

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


def problems_with_combinations(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each impossible combination in a tree whose single fields are valid."""
    yield from _problems_with_shared_bodies(hyper_params)
    yield from _problems_with_manual_architecture(hyper_params)
    yield from _problems_with_marked_pairs(hyper_params)
    yield from _problems_with_shared_models(hyper_params)
    yield from _problems_with_served_models(hyper_params)
    yield from _problems_with_text_options(hyper_params)
    yield from _problems_with_zero_knowledge(hyper_params)
    yield from _problems_with_message_regression(hyper_params)
    yield from _problems_with_opponent_pool(hyper_params)
    yield from _problems_with_training(hyper_params)
    for field in ("callbacks", "loss_terms"):
        for index, part in enumerate(getattr(hyper_params, field)):
            yield from part.problems_in(hyper_params, f"{field}[{index}]")


def _problems_with_shared_bodies(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if a body shared by actor and critic has two learning rates."""
    if not hyper_params.rl.use_shared_body or why_no_critics(hyper_params):
        return
    for agent_name, agent in hyper_params.agents.items():
        if agent.is_random:
            continue
        for name in field_rules(type(agent)):
            factors = getattr(agent, name)
            if isinstance(factors, LrFactors) and not factors.are_equal:
                dotted = f"agents.{agent_name}.{name}"
                yield (
                    f"{dotted}.actor and {dotted}.critic must be equal while actor and critic "
                    f"share a body, got {factors.actor!r} and {factors.critic!r}. Make them equal, "
                    f"or set rl.use_shared_body=False."
                )


def _problems_with_manual_architecture(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if an agent uses the hand-written policy where there is none."""
    needed = {"scenario": "graph_isomorphism", "interaction_protocol": "nip", "message_size": 1}
    wrong = {
        name: wanted for name, wanted in needed.items() if getattr(hyper_params, name) != wanted
    }
    for agent_name, agent in hyper_params.agents.items():
        if not isinstance(agent, AgentParameters) or agent.is_random:
            continue
        if agent.use_manual_architecture and wrong:
            rules = " and ".join(f"{name}={wanted!r}" for name, wanted in needed.items())
            got = " and ".join(f"{name}={getattr(hyper_params, name)!r}" for name in wrong)
            yield (
                f"agents.{agent_name}.use_manual_architecture=True needs {rules}, got {got}. "
                f"Change that, or let the agent learn with use_manual_architecture=False."
            )


def _problems_with_marked_pairs(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if messages that mark pairs of nodes have an odd number of positions."""
    if hyper_params.scenario != "graph_isomorphism":
        return
    size = hyper_params.message_size
    if hyper_params.get("graph_isomorphism.mark_pairs") and size % 2 == 1:
        yield (
            "message_size must be even with graph_isomorphism.mark_pairs=True, because two "
            f"positions mark a pair of nodes, got {size}. Set it to {size + 1}, or set "
            "graph_isomorphism.mark_pairs=False."
        )


_SHARED_BY_A_GROUP = (
    "model_provider",
    "model_name",
    "base_url",
    "api_key_variable",
    "use_dummy_api",
    "fine_tune_from_scratch",
    "freeze_agent",
    "n_epochs",
    "learning_rate_multiplier",
)


def _problems_with_shared_models(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if agents share a model but differ in its parameters."""
    first: dict[str, tuple[str, TextAgentParameters]] = {}
    for agent_name, agent in hyper_params.agents.items():
        if not isinstance(agent, TextAgentParameters) or agent.shared_model_group is None:
            continue
        other_name, other = first.setdefault(agent.shared_model_group, (agent_name, agent))
        for name in _SHARED_BY_A_GROUP:
            if getattr(agent, name) != getattr(other, name):
                yield (
                    f"agents.{agent_name}.{name} must equal agents.{other_name}.{name} "
                    f"({getattr(other, name)!r}), because both share the model of the group "
                    f"{agent.shared_model_group!r}, got {getattr(agent, name)!r}. Make them equal, "
                    "or give one of them another shared_model_group."
                )


def _problems_with_served_models(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if models would be trained that a running vLLM server cannot load."""
    adaptation = hyper_params.local_training.adaptation
    if (
        hyper_params.fine_tuning.backend != "local"
        or adaptation == "lora"
        or hyper_params.rl.num_iterations == 1
    ):
        return
    for agent_name, agent in hyper_params.agents.items():
        if (
            isinstance(agent, TextAgentParameters)
            and agent.model_provider.lower() == "vllm"
            and not agent.use_dummy_api
            and not agent.freeze_agent
        ):
            yield (
                f"local_training.adaptation={adaptation!r} trains whole models, but a vLLM server "
                f"loads only adapters while it runs, and agents.{agent_name}.model_provider='vllm'."
                " Set local_training.adaptation='lora', or model_provider='local'."
            )


def _problems_with_text_options(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message about options that only language models support."""
    trainer = hyper_params.trainer
    if hyper_params.protocol_common.randomize_prover_stance and (
        trainer not in trainer_specs or trainer_specs[trainer].data != "text"
    ):
        yield (
            "protocol_common.randomize_prover_stance=True needs a trainer of language models, got "
            f"trainer={trainer!r}. Set it to False, or choose another trainer and scenario."
        )


def _problems_with_zero_knowledge(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if zero knowledge is asked of agents whose probabilities are not known."""
    data = scenario_specs[hyper_params.scenario].data
    if hyper_params.protocol_common.zero_knowledge and data != "tensordict":
        yield (
            "protocol_common.zero_knowledge=True needs a trainer of networks, whose probabilities "
            f"can be compared, got {why_no_network_plays(hyper_params)}. Set it to False, or "
            "choose another trainer and scenario."
        )


def _problems_with_opponent_pool(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for a pool beside rewards that depend on present policies."""
    if hyper_params.opponent_pool.agents and hyper_params.protocol_common.zero_knowledge:
        yield (
            "opponent_pool.agents must be empty with protocol_common.zero_knowledge=True, whose "
            f"rewards compare present policies, got {list(hyper_params.opponent_pool.agents)}. "
            "Leave out one of them."
        )


def _problems_with_message_regression(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message if convolutions are to read messages that are no images."""
    params, scenario = hyper_params.message_regression, hyper_params.scenario
    reads_images = params.enabled and params.regression_method == "cnn"
    if reads_images and not scenario_specs[scenario].messages_are_images:
        yield (
            "message_regression.regression_method='cnn' needs messages that name the pixels of an "
            f"image, which those of scenario={scenario!r} do not. Choose 'mlp'."
        )


def _problems_with_training(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message about two learning-rate schedules, and about checkpoints without a run."""
    if hyper_params.rl.anneal_lr and hyper_params.lr_scheduler.name != "constant":
        yield (
            "rl.anneal_lr=True is the schedule lr_scheduler.name='linear', got lr_scheduler.name="
            f"{hyper_params.lr_scheduler.name!r} as well. Set rl.anneal_lr=False."
        )
    for agent_name, agent in hyper_params.agents.items():
        if not isinstance(agent, AgentParameters) or not agent.load_checkpoint_and_parameters:
            continue
        if not agent.checkpoint_run_id:
            yield (
                f"agents.{agent_name}.checkpoint_run_id must name a run for "
                f"agents.{agent_name}.load_checkpoint_and_parameters=True, got "
                f"{agent.checkpoint_run_id!r}. Give the name of a run."
            )
        if hyper_params.pretrain_agents:
            yield (
                f"agents.{agent_name}.load_checkpoint_and_parameters=True would be undone by "
                "pretrain_agents=True, which trains all bodies again. Set one of them to False."
            )
