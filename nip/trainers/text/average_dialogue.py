"""What an average dialogue takes, by agent: tokens, and its share of the training examples."""

from dataclasses import dataclass
from statistics import fmean

from nip.language_models.chat import TokenUsage
from nip.language_models.costs.estimate import TOKENS_PER_WORD
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.tree_shape import calls_by_round

ANSWER_SHARE = 0.6
"""Share of ``max_response_words`` that an answer is assumed to have."""

SELECTED_SHARE = 0.5
"""Share of the rollouts that are assumed to become training examples."""

NUM_SAMPLED_PROMPTS = 20
"""Number of datapoints whose prompts are used to estimate the average prompt length."""


@dataclass(frozen=True)
class AgentShare:
    """What one agent takes in an average dialogue, or in an average response tree."""

    prompt_tokens: float
    """Tokens that it reads."""

    completion_tokens: float
    """Tokens that it writes."""

    example_tokens: float
    """Tokens of a training example: a conversation as the agent saw it, with its last message."""

    selected: float
    """Number of its examples for each dialogue, or for each response tree."""

    def usage(self, num_dialogues: int) -> TokenUsage:
        """Return the tokens of some dialogues."""
        return TokenUsage(
            round(num_dialogues * self.prompt_tokens), round(num_dialogues * self.completion_tokens)
        )


def is_rehearsal(instance: PureTextScenarioInstance) -> bool:
    """Tell whether all agents use the mock API."""
    return all(each.model.provider == REHEARSAL_PROVIDER for each in instance.agents.values())


def assumed_shares(
    instance: PureTextScenarioInstance, responses: int = 1, num_answers: int = 1
) -> dict[str, AgentShare]:
    """Assume that all rounds are played, and average lengths of answers.

    An agent whose turns depend on the seed of the dialogue counts with the mean over all seeds.
    With several ``responses`` at each point, a share is that of a whole tree, in which each
    response is assumed to be positive with probability one half, and an example of a point that
    has both kinds has ``num_answers`` of them.
    """
    if responses > 1:
        return _assumed_shares_of_trees(instance, responses, num_answers)
    variants = range(instance.protocol_handler.num_variants)
    words = {name: ANSWER_SHARE * n for name, n in instance.rules.max_response_words.items()}
    shares = {}
    for agent in instance.agents:
        system = words_of_system_prompt(agent, instance)
        per_variant = [
            [system + earlier for earlier in words_before(agent, instance, seed, words)]
            for seed in variants
        ]
        turns = [prompts for prompts in per_variant if prompts]
        last = fmean(prompts[-1] for prompts in turns) if turns else 0.0
        shares[agent] = AgentShare(
            prompt_tokens=TOKENS_PER_WORD * fmean(map(sum, per_variant)),
            completion_tokens=TOKENS_PER_WORD * words[agent] * fmean(map(len, per_variant)),
            example_tokens=TOKENS_PER_WORD * (last + words[agent]),
            selected=SELECTED_SHARE * len(turns) / len(per_variant),
        )
    return shares


def _assumed_shares_of_trees(
    instance: PureTextScenarioInstance, responses: int, num_answers: int
) -> dict[str, AgentShare]:
    variants = range(instance.protocol_handler.num_variants)
    words = {name: ANSWER_SHARE * n for name, n in instance.rules.max_response_words.items()}
    both_kinds = 1 - 0.5 ** (responses - 1)
    shares = {}
    for agent in instance.agents:
        system = words_of_system_prompt(agent, instance)
        calls: list[int] = []
        prompts: list[float] = []
        for seed in variants:
            calls += calls_by_round(instance.rules.episode, agent, seed, responses).values()
            prompts += [system + earlier for earlier in words_before(agent, instance, seed, words)]
        num_calls = sum(calls) / len(variants)
        read = sum(number * prompt for number, prompt in zip(calls, prompts, strict=True))
        mean_prompt = read / sum(calls) if calls else 0.0
        shares[agent] = AgentShare(
            prompt_tokens=TOKENS_PER_WORD * read / len(variants),
            completion_tokens=TOKENS_PER_WORD * words[agent] * num_calls,
            example_tokens=TOKENS_PER_WORD * (mean_prompt + num_answers * words[agent]),
            selected=both_kinds * num_calls / (responses if num_answers == 2 else 1),
        )
    return shares


def words_before(
    agent: str, instance: PureTextScenarioInstance, seed: int, words: dict[str, float]
) -> list[float]:
    """Return for each turn of an agent the number of words of all earlier rounds."""
    episode = instance.rules.episode
    return [
        sum(words[writer] for past in range(round) for writer in episode.writers(past, seed))
        for round in episode.turns(agent, seed)
    ]


def words_of_system_prompt(agent: str, instance: PureTextScenarioInstance) -> float:
    """Return the average words of an agent's system prompt."""
    sample = instance.train_dataset[:NUM_SAMPLED_PROMPTS]
    return fmean(
        len(Conversation(instance.rules, datapoint, 0).system_prompt(agent).split())
        for datapoint in sample
    )
