"""Plan of an experiment with language models: calls, tokens and costs before it starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from nip.language_models.costs.estimate import CallPlan, Estimate, RunCost, estimate
from nip.language_models.costs.prices import Prices
from nip.parameters import HyperParameters
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER, TextAgent, rehearsed_model_of
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import words_of_system_prompt
from nip.trainers.text.data_order import num_rollouts_of_iterations, reruns_tests
from nip.trainers.text.expected_cost import expected_run_cost
from nip.trainers.text.worst_cost import worst_run_cost

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
    """Total number of rollouts, including tests."""

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
    num_first, num_later = _num_rollouts(hyper_params, instance)
    groups = instance.shared_model_groups.values()
    group_of = {name: group for group in groups for name in group.agent_names}
    trains = hyper_params.rl.num_iterations > 1 and not reruns_tests(hyper_params)
    learners = {name for name, group in group_of.items() if trains and not group.is_frozen}
    calls = {
        name: _calls_of(agent, instance, num_first + num_later)
        for name, agent in instance.agents.items()
    }
    return TextPlan(
        agents=tuple(
            TextAgentPlan(
                name=name,
                group=group_of[name].name,
                model=f"{agent.model.provider}: {agent.model.model_name}",
                learns=name in learners,
                num_calls=calls[name].num_calls,
            )
            for name, agent in instance.agents.items()
        ),
        num_train_datapoints=len(instance.train_dataset),
        num_test_datapoints=len(instance.test_dataset),
        num_iterations=hyper_params.rl.num_iterations,
        num_rollouts=num_first + num_later,
        estimate=estimate(
            (
                part
                for name, plan in calls.items()
                for part in _billed(
                    _at_the_real_model(plan, instance.agents[name]),
                    name in learners,
                    num_first,
                    num_later,
                )
            ),
            prices,
        ),
        expected=expected_run_cost(hyper_params, instance, prices or Prices()),
        worst=worst_run_cost(hyper_params, instance, prices or Prices()),
        rehearses=any(plan.model.provider == REHEARSAL_PROVIDER for plan in calls.values()),
    )


def _num_rollouts(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance
) -> tuple[int, int]:
    """Count the rollouts of the first iteration, and of all later ones together."""
    sizes = len(instance.train_dataset), len(instance.test_dataset)
    all_iterations = range(hyper_params.rl.num_iterations)
    first, later = (
        num_rollouts_of_iterations(hyper_params, iterations, *sizes)
        for iterations in (all_iterations[:1], all_iterations[1:])
    )
    return first, later


def _at_the_real_model(plan: CallPlan, agent: TextAgent) -> CallPlan:
    """Let the estimate of a rehearsal show what the real models would cost."""
    is_mocked = plan.model.provider == REHEARSAL_PROVIDER
    return replace(plan, model=rehearsed_model_of(agent.params)) if is_mocked else plan


def _billed(plan: CallPlan, learns: bool, num_first: int, num_later: int) -> Iterator[CallPlan]:
    """Split the calls of an agent by the model that they are billed as."""
    model = plan.model
    if not learns or model.model_name.startswith(FINE_TUNED):
        yield plan
        return
    # From the second iteration on, a training agent uses a fine-tuned model, which costs more.
    trained = replace(model, model_name=FINE_TUNED + model.model_name)
    calls_per_rollout = plan.num_calls // (num_first + num_later)
    yield replace(plan, num_calls=num_first * calls_per_rollout)
    yield replace(plan, model=trained, num_calls=num_later * calls_per_rollout)


def _calls_of(agent: TextAgent, instance: PureTextScenarioInstance, num_rollouts: int) -> CallPlan:
    """Estimate the number of calls of an agent, and the length of its prompts."""
    turns = _turns(agent.name, instance)
    words: Mapping[str, int] = instance.rules.max_response_words
    earlier = [
        sum(
            words[writer]
            for past in range(round)
            for writer in instance.rules.episode.asked_writers(past, 0)
        )
        for round in turns
    ]
    answer_words = words[agent.name]
    return CallPlan(
        agent=agent.name,
        model=agent.model,
        num_calls=num_rollouts * len(turns),
        prompt_words=words_of_system_prompt(agent.name, instance) + (fmean(earlier or [0])),
        answer_words=answer_words,
    )


def _turns(agent: str, instance: PureTextScenarioInstance) -> tuple[int, ...]:
    """Return the rounds in which an agent writes, in the timetable variant with most of them."""
    variants = range(instance.protocol_handler.num_variants)
    return max((instance.rules.episode.turns(agent, seed) for seed in variants), key=len)
