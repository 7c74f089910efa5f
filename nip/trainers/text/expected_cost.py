"""Expected cost of a run, from what an average dialogue takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from nip.language_models.costs.estimate import RunCost
from nip.language_models.costs.prices import Prices
from nip.language_models.fine_tuning.job_cost import USUAL_EPOCHS, expected_epochs
from nip.language_models.fine_tuning.registry import find_fine_tuning_backend
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.run_store import RolloutPhase
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import AgentShare, assumed_shares, is_rehearsal
from nip.trainers.text.data_order import first_iteration_learnt_from
from nip.trainers.text.guess_replacement import guess_replacement_share
from nip.trainers.text.played_dialogues import measured_shares
from nip.trainers.text.run_cost import CostSum, learning_groups, stages_of
from nip.trainers.text.tree_shape import num_answers_of_example, num_responses, samples_trees


def expected_run_cost(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, prices: Prices
) -> RunCost:
    """Return the expected tokens and cost of a run, if no call is repeated.

    If all agents rehearse, some dialogues of the first iteration are played with the mock model,
    and all others are expected to be like them. Otherwise average lengths are assumed.
    """
    phases: tuple[RolloutPhase, ...] = ("train", "test")
    shares = {
        phase: measured_shares(hyper_params, instance, phase)
        or assumed_shares(
            instance, num_responses(hyper_params, phase), num_answers_of_example(hyper_params)
        )
        for phase in phases
    }
    costs = CostSum(hyper_params, instance, prices)
    groups = learning_groups(hyper_params, instance)
    tuned: set[str] = set()
    numbers: list[int] = []
    stages = stages_of(hyper_params, instance)
    for iteration, of_iteration in groupby(stages, key=lambda stage: stage.iteration):
        for stage in of_iteration:
            number = len(stage.requests)
            if stage.phase == "judged":
                usage = _last_turn(shares["test"][VERIFIER], instance).usage(number)
                costs.add_calls(VERIFIER, usage, is_tuned=False)
                continue
            for agent, share in shares[stage.phase].items():
                costs.add_calls(agent, share.usage(number), is_tuned=agent in tuned)
            if stage.phase == "train":
                numbers.append(number)
        if iteration == hyper_params.rl.num_iterations - 1:
            break
        for group in groups:
            tokens = _job_tokens(hyper_params, instance, shares["train"], group, numbers, iteration)
            costs.add_job(group.name, tokens)
            # With too few examples the group keeps its model.
            tuned |= set(group.agent_names) if tokens else set()
    return costs.total()


def _last_turn(share: AgentShare, instance: PureTextScenarioInstance) -> AgentShare:
    """Return the part of what the verifier takes in a dialogue that its last turn has.

    With ``n`` turns it reads about ``1 + 2 + ... + n`` messages of others, ``n`` in the last one.
    """
    num_turns = len(instance.rules.episode.turns(VERIFIER, 0))
    return replace(
        share,
        prompt_tokens=share.prompt_tokens * 2 / (num_turns + 1),
        completion_tokens=share.completion_tokens / num_turns,
    )


def _job_tokens(
    hyper_params: HyperParameters,
    instance: PureTextScenarioInstance,
    shares: Mapping[str, AgentShare],
    group: PureTextSharedModelGroup,
    numbers: Sequence[int],
    iteration: int,
) -> int:
    """Return the expected tokens of a job, in all epochs; 0 if there are too few examples.

    ``numbers`` holds the number of rollouts of each iteration so far.
    """
    num_examples = num_tokens = 0.0
    for agent in group.learners(iteration):
        first = first_iteration_learnt_from(hyper_params, instance.agents[agent], iteration)
        num_rollouts = sum(numbers[first:])
        selected = shares[agent].selected
        if agent == VERIFIER and not samples_trees(hyper_params):
            replaced = guess_replacement_share(iteration, hyper_params.text_rl)
            selected = replaced + (1 - replaced) * selected
        num_examples += selected * num_rollouts
        num_tokens += selected * num_rollouts * shares[agent].example_tokens
    backend = find_fine_tuning_backend(hyper_params.fine_tuning.backend)
    if round(num_examples) < max(backend.min_examples, hyper_params.fine_tuning.min_examples):
        return 0
    n_epochs = group.n_epochs or hyper_params.fine_tuning.n_epochs
    if n_epochs is None and is_rehearsal(instance):
        n_epochs = USUAL_EPOCHS
    return round(num_tokens * expected_epochs(round(num_examples), n_epochs))
