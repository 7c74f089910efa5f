"""Plan of an experiment with language models: calls, tokens and costs before it starts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from nip.language_models.costs.estimate import CallPlan, Estimate, RunCost, estimate
from nip.language_models.costs.prices import Prices
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.run_store import RolloutPhase
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER, TextAgent, rehearsed_model_of
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import words_of_system_prompt
from nip.trainers.text.data_order import reruns_tests
from nip.trainers.text.expected_cost import expected_run_cost
from nip.trainers.text.run_cost import stages_of
from nip.trainers.text.tree_shape import calls_by_round, num_responses
from nip.trainers.text.worst_cost import worst_run_cost

PHASES: tuple[RolloutPhase, ...] = ("train", "test")

FINE_TUNED = "ft:"
"""Prefix of the names of fine-tuned models, also in price tables."""


@dataclass(frozen=True)
class TextAgentPlan:
    """Planned calls of one agent."""

    name: str
    """Name of the agent."""

    group: str
    """Name of its model group."""

    model: str
    """Provider and name of the model."""

    learns: bool
    """Whether the model is fine-tuned."""

    num_calls: int
    """Maximum number of calls if no answer is invalid."""


@dataclass(frozen=True)
class TextPlan:
    """Planned size and cost of an experiment with language models."""

    agents: tuple[TextAgentPlan, ...]
    """All agents, in the order of the protocol."""

    num_train_datapoints: int
    """Size of the training split."""

    num_test_datapoints: int
    """Size of the test split."""

    num_iterations: int
    """Number of sampling iterations; there is one fine-tuning round less."""

    num_rollouts: int
    """Total number of rollouts, including tests; a response tree counts as one."""

    estimate: Estimate
    """Tokens and costs if every dialogue reaches its last round and no model is mocked."""

    expected: RunCost
    """Expected tokens and cost of the run with its fine-tuning, at the prices of the real models.

    For a rehearsal, they are measured on some dialogues with the mock model."""

    worst: RunCost
    """Tokens and cost in the worst case in which no call is repeated."""

    rehearses: bool
    """Whether any agent uses the mock API, and so costs nothing."""


def make_text_plan(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, prices: Prices | None = None
) -> TextPlan:
    """Estimate calls, tokens and costs of an experiment, at public prices by default."""
    numbers = Counter[tuple[bool, RolloutPhase]]()
    for stage in stages_of(hyper_params, instance):
        numbers[stage.iteration == 0, stage.phase] += len(stage.requests)
    groups = instance.shared_model_groups.values()
    group_of = {name: group for group in groups for name in group.agent_names}
    trains = hyper_params.rl.num_iterations > 1 and not reruns_tests(hyper_params)
    learners = {name for name, group in group_of.items() if trains and not group.is_frozen}
    calls = {
        name: _calls_of(agent, instance, hyper_params, numbers)
        for name, agent in instance.agents.items()
    }
    return TextPlan(
        agents=tuple(
            TextAgentPlan(
                name=name,
                group=group_of[name].name,
                model=f"{agent.model.provider}: {agent.model.model_name}",
                learns=name in learners,
                num_calls=sum(plan.num_calls for plan in calls[name]),
            )
            for name, agent in instance.agents.items()
        ),
        num_train_datapoints=len(instance.train_dataset),
        num_test_datapoints=len(instance.test_dataset),
        num_iterations=hyper_params.rl.num_iterations,
        num_rollouts=sum(
            numbers[is_first, phase] for is_first, phase in numbers if phase in PHASES
        ),
        estimate=estimate(
            (
                part
                for name, plans in calls.items()
                for part in _billed(
                    *(_at_the_real_model(plan, instance.agents[name]) for plan in plans),
                    learns=name in learners,
                )
            ),
            prices,
        ),
        expected=expected_run_cost(hyper_params, instance, prices or Prices()),
        worst=worst_run_cost(hyper_params, instance, prices or Prices()),
        rehearses=any(
            each.model.provider == REHEARSAL_PROVIDER for each in instance.agents.values()
        ),
    )


def _at_the_real_model(plan: CallPlan, agent: TextAgent) -> CallPlan:
    """Let the estimate of a rehearsal show what the real models would cost."""
    is_mocked = plan.model.provider == REHEARSAL_PROVIDER
    return replace(plan, model=rehearsed_model_of(agent.params)) if is_mocked else plan


def _billed(first: CallPlan, later: CallPlan, *, learns: bool) -> Iterator[CallPlan]:
    """Yield the calls of an agent by the model that they are billed as."""
    yield first
    model = later.model
    if not learns or model.model_name.startswith(FINE_TUNED):
        yield later
        return
    # From the second iteration on, a training agent uses a fine-tuned model, which costs more.
    yield replace(later, model=replace(model, model_name=FINE_TUNED + model.model_name))


def _calls_of(
    agent: TextAgent,
    instance: PureTextScenarioInstance,
    hyper_params: HyperParameters,
    numbers: Mapping[tuple[bool, RolloutPhase], int],
) -> tuple[CallPlan, CallPlan]:
    """Estimate the calls of an agent in the first iteration, and in all later ones.

    ``numbers`` holds the rollouts by whether they are of the first iteration, and by phase.
    """
    calls = {phase: _calls_by_round(agent.name, instance, hyper_params, phase) for phase in PHASES}
    turns = tuple(calls["train"])
    words: Mapping[str, int] = instance.rules.max_response_words
    earlier = [
        sum(
            words[writer]
            for past in range(round)
            for writer in instance.rules.episode.asked_writers(past, 0)
        )
        for round in turns
    ]
    weights = list(calls["train"].values())
    mean_earlier = fmean(earlier, weights) if turns else 0.0
    first, later = (
        CallPlan(
            agent=agent.name,
            model=agent.model,
            num_calls=sum(
                numbers.get((is_first, phase), 0) * sum(calls[phase].values()) for phase in PHASES
            )
            # The base model, as which the calls of the first iteration are billed, judges later.
            + (numbers.get((False, "judged"), 0) if is_first and agent.name == VERIFIER else 0),
            prompt_words=words_of_system_prompt(agent.name, instance) + mean_earlier,
            answer_words=words[agent.name],
        )
        for is_first in (True, False)
    )
    return first, later


def _calls_by_round(
    agent: str,
    instance: PureTextScenarioInstance,
    hyper_params: HyperParameters,
    phase: RolloutPhase,
) -> dict[int, int]:
    """Return the calls of an agent in a rollout, in the timetable variant with most of them."""
    episode, responses = instance.rules.episode, num_responses(hyper_params, phase)
    variants = range(instance.protocol_handler.num_variants)
    return max(
        (calls_by_round(episode, agent, seed, responses) for seed in variants),
        key=lambda calls: sum(calls.values()),
    )
