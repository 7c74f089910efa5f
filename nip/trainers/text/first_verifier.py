"""The verifier of the first iteration as a second judge of all tests.

It has not adapted to the provers. Its errors show what they have learnt about convincing, also when
the verifier that trains with them has learnt to resist.
"""

from __future__ import annotations

from collections.abc import Iterable

from nip.language_models.chat import ModelSpec
from nip.parameters import HyperParameters, TextAgentParameters
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.play import Complete, judge_dialogue
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.data_order import is_tested
from nip.trainers.text.stored_rollouts import Play

_LOCAL_PROVIDER = "local"


def asks_first_verifier(hyper_params: HyperParameters, instance: PureTextScenarioInstance) -> bool:
    """Tell whether the first verifier judges tests.

    Not without provers, who could convince it, and not if verdicts are forced.
    """
    protocol = instance.protocol_handler
    if not protocol.prover_names or protocol.force_guess is not None:
        return False
    is_wanted = hyper_params.text_rl.judge_by_first_verifier
    verifier = hyper_params.agents[VERIFIER]
    assert isinstance(verifier, TextAgentParameters)
    is_local = verifier.model_provider.lower() == _LOCAL_PROVIDER
    return is_local if is_wanted is None else is_wanted


def calls_first_verifier(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, iteration: int
) -> bool:
    """Tell whether it is called in an iteration, given by its index from 0.

    In the first iteration, and if the verifier never learns, its verdicts are those of the test.
    """
    return (
        iteration > 0
        and is_tested(hyper_params, iteration)
        and not group_of_verifier(instance).is_frozen
        and asks_first_verifier(hyper_params, instance)
    )


def group_of_verifier(instance: PureTextScenarioInstance) -> PureTextSharedModelGroup:
    """Return the model group that the verifier belongs to."""
    groups = instance.shared_model_groups.values()
    return next(group for group in groups if VERIFIER in group.agent_names)


def plans_of_judgements(rollouts: Iterable[Rollout], iteration: int) -> list[RolloutPlan]:
    """Return a plan for each rollout of a test that did not fail."""
    return [
        RolloutPlan(
            position=rollout.position,
            datapoint=rollout.datapoint,
            copy=rollout.copy,
            seed=rollout.seed,
            key_prefix=f"judged/{iteration}/{rollout.position}",
        )
        for rollout in rollouts
        if not rollout.is_failed
    ]


def judge_with(
    instance: PureTextScenarioInstance, model: ModelSpec, rollouts: Iterable[Rollout]
) -> Play:
    """Return a function that lets a model judge the rollouts of a test."""
    tested = {rollout.position: rollout for rollout in rollouts}
    verifier = instance.agents[VERIFIER].with_model(model)

    async def play(plan: RolloutPlan, complete: Complete) -> tuple[Rollout, ...]:
        datapoint = instance.test_dataset[plan.datapoint]
        rollout = tested[plan.position]
        given = (instance.rules, verifier, datapoint, rollout, complete, plan.key_prefix)
        return (await judge_dialogue(*given),)

    return play
