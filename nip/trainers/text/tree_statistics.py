"""Metrics of response trees; ``doc/reference/text_metrics.md`` defines each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from nip.scenario_base.text.episode_rules import EpisodeRules
from nip.scenario_base.text.response_tree import ResponseNode
from nip.trainers.text.preference_pairs import PairRule


def tree_statistics(
    trees: Iterable[ResponseNode], rules: Sequence[PairRule], episode: EpisodeRules
) -> dict[str, float]:
    """Return the number of pairs, and the mean expected reward of responses, by agent and round.

    A mean over no response is left out.

    Parameters
    ----------
    trees : iterable of ResponseNode
        The roots of the trees of one iteration.
    rules : sequence of PairRule
        One for each agent.
    episode : EpisodeRules
        They say in which rounds each agent is asked.
    """
    values: dict[str, list[float]] = defaultdict(list)
    pairs = {
        _name(rule.agent, "num_pairs", round): 0
        for rule in rules
        for round in _rounds(rule.agent, episode)
    }
    for root in trees:
        for rule in rules:
            for node in root.nodes():
                for _, value in rule.responses(node):
                    name = _name(rule.agent, "mean_expected_reward", len(node.path))
                    values[name].append(value)
            for pair in rule.draw(root):
                pairs[_name(rule.agent, "num_pairs", len(pair.node.path))] += 1
    return {
        **{name: fmean(listed) for name, listed in values.items()},
        **{name: float(number) for name, number in pairs.items()},
    }


def tree_statistic_names(episode: EpisodeRules) -> frozenset[str]:
    """Return the names of all metrics of trees."""
    return frozenset(
        _name(agent, metric, round)
        for agent in episode.protocol.agent_names
        for metric in ("mean_expected_reward", "num_pairs")
        for round in _rounds(agent, episode)
    )


def _rounds(agent: str, episode: EpisodeRules) -> list[int]:
    """Return the rounds in which an agent is asked in any variant of the timetable."""
    variants = range(episode.protocol.num_variants)
    return sorted({round for variant in variants for round in episode.turns(agent, variant)})


def _name(agent: str, metric: str, round: int) -> str:
    return f"{agent}.{metric}_round_{round + 1}"
