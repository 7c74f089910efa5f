"""Metrics of response trees; ``doc/reference/text_metrics.md`` defines each."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import fmean

from nip.scenario_base.text.episode_rules import EpisodeRules
from nip.scenario_base.text.response_tree import ResponseNode
from nip.trainers.text.preference_pairs import PairRule
from nip.trainers.text.response_advantages import groups_of, is_informative

REWARD, PAIRS, INFORMATIVE = "mean_expected_reward", "num_pairs", "informative_share"
"""Metrics of an agent in a round."""


def tree_statistics(
    trees: Iterable[ResponseNode],
    rules: Sequence[PairRule],
    episode: EpisodeRules,
    metrics: Collection[str],
    *,
    invalid_reward: float = 0.0,
) -> dict[str, float]:
    """Return metrics of the responses of each agent in each round.

    They are the mean expected reward of its responses, the number of its pairs, and the share of
    points where its responses differ in their rewards, of those at which it has any. Only this
    share counts invalid answers, if the rules read them. Means and shares of nothing are left out.

    Parameters
    ----------
    trees : iterable of ResponseNode
        The roots of the trees of one iteration.
    rules : sequence of PairRule
        One for each agent.
    episode : EpisodeRules
        They say in which rounds each agent is asked.
    metrics : collection of str
        Those that are wanted.
    invalid_reward : float
        Reward of each invalid answer.
    """
    values: dict[str, list[float]] = defaultdict(list)
    pairs = {
        _name(rule.agent, PAIRS, round): 0
        for rule in rules
        for round in _rounds(rule.agent, episode)
        if PAIRS in metrics
    }
    for root in trees:
        for rule in rules:
            for node in root.nodes():
                rewards = [value for _, value in rule.responses(node)]
                round = len(node.path)
                values[_name(rule.agent, REWARD, round)] += rewards
            for group in groups_of(root, rule, invalid_reward=invalid_reward):
                if INFORMATIVE in metrics:
                    name = _name(rule.agent, INFORMATIVE, len(group[0].node.path))
                    values[name].append(is_informative(group))
            for pair in rule.draw(root) if PAIRS in metrics else ():
                pairs[_name(rule.agent, PAIRS, len(pair.node.path))] += 1
    return {
        **{name: fmean(listed) for name, listed in values.items() if listed},
        **{name: float(number) for name, number in pairs.items()},
    }


def tree_statistic_names(episode: EpisodeRules, metrics: Collection[str]) -> frozenset[str]:
    """Return the names of some metrics of trees."""
    return frozenset(
        _name(agent, metric, round)
        for agent in episode.protocol.agent_names
        for metric in metrics
        for round in _rounds(agent, episode)
    )


def _rounds(agent: str, episode: EpisodeRules) -> list[int]:
    """Return the rounds in which an agent is asked in any variant of the timetable."""
    variants = range(episode.protocol.num_variants)
    return sorted({round for variant in variants for round in episode.turns(agent, variant)})


def _name(agent: str, metric: str, round: int) -> str:
    return f"{agent}.{metric}_round_{round + 1}"
