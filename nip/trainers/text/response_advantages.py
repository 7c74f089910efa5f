"""Advantages of the responses in trees of dialogues, relative to the others at the same point."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import fsum, sqrt
from typing import Literal

from nip.scenario_base.text.response_tree import ResponseNode
from nip.scenario_base.text.rollout import MessageRecord
from nip.trainers.text.preference_pairs import PairRule, message_of

Scale = Literal["group", "batch", "none"]
"""Divisor of advantages: deviation of a group, of all responses of the agent, or none."""

STD_EPSILON = 1e-4
"""Added to standard deviations, as in TRL."""


@dataclass(frozen=True)
class Response:
    """A response of an agent in a tree of dialogues."""

    root: ResponseNode
    """Root of the tree."""

    node: ResponseNode
    """The dialogue before the response."""

    message: MessageRecord
    """The message of the agent."""

    reward: float
    """Reward of the agent, averaged over the finished and valid dialogues below the response."""

    iteration: int = 0
    """Index of the iteration that sampled it."""

    advantage: float = 0.0
    """How much better the response is than expected."""


Group = tuple[Response, ...]
"""All usable responses of an agent to one dialogue."""


def groups_of(
    root: ResponseNode,
    rule: PairRule,
    iteration: int = 0,
    *,
    invalid_reward: float = 0.0,
) -> Iterator[Group]:
    """Yield the responses of an agent at each point of a tree at which it moves.

    Responses below which no dialogue is finished and valid are left out, and with them all that
    failed or had no valid answer.

    Parameters
    ----------
    root : ResponseNode
        Root of the tree.
    rule : PairRule
        Says which agent, and which of its responses have a reward. If it reads invalid answers,
        each is a further response of the group, behind the others.
    iteration : int
        Index of the iteration that sampled the tree.
    invalid_reward : float
        Reward of each invalid answer.
    """
    for node in root.nodes():
        group = [
            Response(root, node, message_of(child, rule.agent), reward, iteration)
            for child, reward in rule.responses(node)
        ]
        group += [
            Response(root, node, answer, invalid_reward, iteration) for answer in rule.invalid(node)
        ]
        if group:
            yield tuple(group)


def is_informative(group: Group) -> bool:
    """Return whether the responses of a group have different rewards."""
    return len({each.reward for each in group}) > 1


def relative_advantages(groups: Iterable[Group], scale: Scale) -> list[Response]:
    """Return the responses with their rewards relative to the mean of their group.

    Groups in which all rewards are equal, as with a single response, have nothing to tell and are
    left out.

    References
    ----------
    Shao et al.: DeepSeekMath (2024), section 4.1.2, with ``scale="group"``; Liu et al.:
    Understanding R1-Zero-Like Training (2025), with ``scale="none"``.
    """
    told = [group for group in groups if is_informative(group)]
    of_batch = deviation([each.reward for group in told for each in group])
    scored = []
    for group in told:
        rewards = [each.reward for each in group]
        divisor = {"group": deviation(rewards), "batch": of_batch, "none": 1 - STD_EPSILON}[scale]
        scored += _scored(group, fsum(rewards) / len(rewards), divisor + STD_EPSILON)
    return scored


def advantages_over(baseline: float, groups: Iterable[Group], scale: Scale) -> list[Response]:
    """Return the responses with their rewards relative to a baseline of the agent.

    Parameters
    ----------
    baseline : float
        Expected reward of the agent.
    groups : iterable of Group
        Its responses.
    scale : str
        ``batch`` or ``none``.

    References
    ----------
    Liu et al.: SPIRAL (2025), role-conditioned advantage estimation.
    """
    responses = [each for group in groups for each in group]
    rewards = [each.reward for each in responses]
    divisor = deviation(rewards) + STD_EPSILON if scale == "batch" else 1.0
    return [each for each in _scored(responses, baseline, divisor) if each.advantage != 0]


def updated_baseline(baseline: float | None, groups: Iterable[Group], decay: float) -> float | None:
    """Return the running mean of an agent's rewards after the responses of one more iteration.

    It is None as long as there was no response, and their mean after the first iteration.
    """
    rewards = [each.reward for group in groups for each in group]
    if not rewards:
        return baseline
    mean = fsum(rewards) / len(rewards)
    return mean if baseline is None else decay * baseline + (1 - decay) * mean


def weight_labels(
    responses: Sequence[Response], groups: Iterable[Group], reject_weight: float
) -> list[Response]:
    """Scale advantages so that the labels of the questions count as wanted, however many there are.

    With weights ``w₀`` and ``w₁`` of questions to reject and to accept, a verifier gains most if it
    accepts where the probability of the label 1 is above ``w₀ / (w₀ + w₁)``. If both are equal, the
    verdict that happens to be right more often in an iteration has no advantage where messages
    tell nothing; a larger ``w₀`` lets the verifier reject there.

    Parameters
    ----------
    responses : sequence of Response
        Responses with their advantages.
    groups : iterable of Group
        All groups of the agent, of which the questions are counted, also those that tell nothing.
    reject_weight : float
        The ratio ``w₀ / w₁``. The mean weight of a question is 1.

    Returns
    -------
    responses : list of Response
        Nothing if there is only one label, because only its verdict could be learnt.
    """
    labels = {
        (group[0].iteration, root.datapoint, root.copy): root.y
        for group in groups
        for root in [group[0].root.rollout]
    }
    numbers = Counter(labels.values())
    if len(numbers) < 2:
        return []
    shares = {0: reject_weight / (1 + reject_weight), 1: 1 / (1 + reject_weight)}
    weights = {label: shares[label] * len(labels) / numbers[label] for label in (0, 1)}
    return [
        replace(each, advantage=each.advantage * weights[each.root.rollout.y]) for each in responses
    ]


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 of fewer than two values."""
    if len(values) < 2:
        return 0.0
    mean = fsum(values) / len(values)
    return sqrt(fsum((each - mean) ** 2 for each in values) / (len(values) - 1))


def _scored(responses: Sequence[Response], baseline: float, divisor: float) -> list[Response]:
    return [replace(each, advantage=(each.reward - baseline) / divisor) for each in responses]
