"""What an experiment with language models would ask, and what it may cost, before it starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from nip.language_models.costs.estimate import CallPlan, Estimate, estimate
from nip.language_models.costs.prices import Prices
from nip.parameters import HyperParameters
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER, TextAgent
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.data_order import num_rollouts_of_iterations, reruns_tests

NUM_SAMPLED_PROMPTS = 20
"""Questions from whose prompts the length of a typical one is worked out."""

FINE_TUNED = "ft:"
"""How the names of fine-tuned models begin, in the tables of prices as well."""


@dataclass(frozen=True)
class TextAgentPlan:
    """How one agent would be asked."""

    name: str
    """Name of the agent."""

    group: str
    """The group of agents whose model it uses."""

    model: str
    """Provider and name of the model."""

    learns: bool
    """Whether the model is fine-tuned."""

    num_calls: int
    """How often it is asked at most, if no answer is invalid."""


@dataclass(frozen=True)
class TextPlan:
    """What an experiment with language models would run."""

    agents: tuple[TextAgentPlan, ...]
    """All agents, in the order of the protocol."""

    num_train_datapoints: int
    """Size of the training split."""

    num_test_datapoints: int
    """Size of the test split."""

    num_iterations: int
    """Rounds of sampling; one fine-tuning less."""

    num_rollouts: int
    """Dialogues in all, the tests among them."""

    estimate: Estimate
    """Tokens and costs, if every dialogue goes on to its last round and nobody rehearses."""

    rehearses: bool
    """Whether an agent rehearses, and so costs nothing."""


def make_text_plan(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, prices: Prices | None = None
) -> TextPlan:
    """Work out how much would be asked.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    instance : PureTextScenarioInstance
        The built parts.
    prices : Prices, optional
        What tokens cost; the public prices if there are no others.
    """
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
                for part in _to_be_paid(plan, name in learners, num_first, num_later)
            ),
            prices,
        ),
        rehearses=any(plan.model.provider == REHEARSAL_PROVIDER for plan in calls.values()),
    )


def _num_rollouts(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance
) -> tuple[int, int]:
    """Count the rollouts of the first iteration, and of all others together."""
    sizes = len(instance.train_dataset), len(instance.test_dataset)
    all_iterations = range(hyper_params.rl.num_iterations)
    first, later = (
        num_rollouts_of_iterations(hyper_params, iterations, *sizes)
        for iterations in (all_iterations[:1], all_iterations[1:])
    )
    return first, later


def _to_be_paid(plan: CallPlan, learns: bool, num_first: int, num_later: int) -> Iterator[CallPlan]:
    """Take the calls of an agent apart by what they are charged as."""
    model = plan.model
    if model.provider == REHEARSAL_PROVIDER:
        # A rehearsal is to show what the models themselves would cost.
        model = replace(model, provider="openai")
    if not learns or model.model_name.startswith(FINE_TUNED):
        yield replace(plan, model=model)
        return
    # Whoever learns speaks with a fine-tuned model from the second iteration on, which costs more.
    trained = replace(model, model_name=FINE_TUNED + model.model_name)
    calls_per_rollout = plan.num_calls // (num_first + num_later)
    yield replace(plan, model=model, num_calls=num_first * calls_per_rollout)
    yield replace(plan, model=trained, num_calls=num_later * calls_per_rollout)


def _calls_of(agent: TextAgent, instance: PureTextScenarioInstance, num_rollouts: int) -> CallPlan:
    """Count the calls of an agent, and measure what it reads in them."""
    turns = _turns(agent.name, instance)
    words: Mapping[str, int] = instance.rules.max_response_words
    earlier = [
        sum(
            words[writer]
            for past in range(round)
            for writer in instance.rules.episode.writers(past, 0)
        )
        for round in turns
    ]
    answer_words = words[agent.name]
    return CallPlan(
        agent=agent.name,
        model=agent.model,
        num_calls=num_rollouts * len(turns),
        prompt_words=_words_of_system_prompt(agent.name, instance) + (fmean(earlier or [0])),
        answer_words=answer_words,
    )


def _turns(agent: str, instance: PureTextScenarioInstance) -> tuple[int, ...]:
    """Return the rounds in which an agent writes, in the longest of the timetables."""
    variants = range(instance.protocol_handler.num_variants)
    return max((instance.rules.episode.turns(agent, seed) for seed in variants), key=len)


def _words_of_system_prompt(agent: str, instance: PureTextScenarioInstance) -> float:
    sample = instance.train_dataset[:NUM_SAMPLED_PROMPTS]
    return fmean(
        len(Conversation(instance.rules, datapoint, 0).system_prompt(agent).split())
        for datapoint in sample
    )
