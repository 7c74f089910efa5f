"""Play dialogues with the mock model, to measure what an average dialogue of a rehearsal takes."""

from collections.abc import Sequence
from statistics import fmean
from typing import cast

from nip.errors import NipError
from nip.language_models.engine.engine import Engine
from nip.language_models.server.chat_request import count_prompt_tokens
from nip.parameters import HyperParameters
from nip.run_store import RolloutPhase, Run
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import AgentShare, is_rehearsal
from nip.trainers.text.data_order import requests_of_stage
from nip.trainers.text.model_connection import (
    close_connection,
    mock_engine_options,
    open_mock_connection,
)
from nip.trainers.text.rollout_selection import select_rollouts
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.trainers.text.tree_shape import most_leaves, num_responses
from nip.trainers.text.tree_shares import shares_of_trees
from nip.utils.event_loop import call_without_event_loop, run_all, run_stoppably

NUM_PLAYED = 100
"""Number of dialogues that are played at most."""

_PLAYED_MODELS = ("dialogue", "echo")
# Mock models that answer at once; a custom one may be slow, or count its calls.

_MAX_LIVE = 50


def measured_shares(
    hyper_params: HyperParameters,
    instance: PureTextScenarioInstance,
    phase: RolloutPhase = "train",
) -> dict[str, AgentShare] | None:
    """Play the first dialogues of a rehearsal as a phase does, which may sample trees.

    Returns None if it is no rehearsal, or they cannot be played, or a tree is too large.
    """
    if not is_rehearsal(instance) or hyper_params.rehearsal.brain not in _PLAYED_MODELS:
        return None
    stored = StoredRollouts(instance, hyper_params, cast(Run, None))
    requests = requests_of_stage(hyper_params, "train", 0, len(instance.train_dataset))
    responses = num_responses(hyper_params, phase)
    num_plans = NUM_PLAYED // most_leaves(instance.rules.episode, responses)
    if num_plans == 0:
        return None
    plans = stored.plans("train", 0, requests[:num_plans])
    rollouts: list[Rollout] = []

    async def play_all() -> None:
        context = open_mock_connection(hyper_params, instance)
        play = stored.player("train", plays_trees=responses > 1)

        async def play_one(plan: RolloutPlan) -> None:
            rollouts.extend(await play(plan, engine.complete))

        try:
            async with Engine(context, mock_engine_options()) as engine:
                await run_all(plans, play_one, _MAX_LIVE)
        finally:
            await close_connection(context)

    try:
        call_without_event_loop(lambda: run_stoppably(play_all()))
    except NipError:
        return None
    rollouts.sort(key=lambda each: each.position)
    if responses > 1:
        return shares_of_trees(hyper_params, instance, rollouts)
    return _shares(hyper_params, instance, rollouts)


def _shares(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, rollouts: Sequence[Rollout]
) -> dict[str, AgentShare]:
    protocol = instance.protocol_handler
    arrays = rollouts_to_arrays(list(rollouts), instance.train_dataset, protocol)
    shares = {}
    for agent in instance.agents:
        own = [each for rollout in rollouts for each in rollout.messages if each.agent == agent]
        rows = select_rollouts(
            arrays,
            protocol.agent_names,
            agent,
            hyper_params.pure_text_ei,
            seed=hyper_params.seed,
            iteration=0,
        )
        sizes = [_example_tokens(instance, agent, rollouts[row]) for row in rows]
        shares[agent] = AgentShare(
            prompt_tokens=sum(each.prompt_tokens for each in own) / len(rollouts),
            completion_tokens=sum(each.completion_tokens for each in own) / len(rollouts),
            example_tokens=fmean(sizes or [0]),
            selected=len(rows) / len(rollouts),
        )
    return shares


def _example_tokens(instance: PureTextScenarioInstance, agent: str, rollout: Rollout) -> int:
    datapoint = instance.train_dataset[rollout.datapoint]
    conversation = Conversation(instance.rules, datapoint, rollout.seed)
    messages = conversation.training_messages(agent, rollout.messages)
    return count_prompt_tokens(messages or [])
