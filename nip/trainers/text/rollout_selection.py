"""Selection of training rollouts for expert iteration (Anthony, Tian and Barber, 2017)."""

import numpy as np
from numpy.typing import NDArray

from nip.parameters.trainers import PureTextEiParameters
from nip.seeding import stable_seed
from nip.utils.nested_array_dict import NestedArrayDict

Rows = NDArray[np.int64]


def select_rollouts(
    rollouts: NestedArrayDict,
    agent_names: tuple[str, ...],
    agent: str,
    params: PureTextEiParameters,
    *,
    seed: int,
    iteration: int,
) -> Rows:
    """Return the rows of the rollouts on which an agent is trained, sorted by position.

    Selects either all rollouts whose reward is at least ``reward_threshold``, or a random sample
    with probabilities that increase with the reward (see ``selection_weights``); a row that is
    drawn several times is repeated. The reward is that of the agent, summed over the rollout.
    Rollouts that failed, in which the agent wrote nothing, or in which one of its messages is empty
    for lack of a valid answer, are excluded.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,), in any order.
    agent_names : tuple of str
        The agents in the order of their axis.
    seed, iteration : int
        With the name of the agent they determine the sample.
    """
    index = agent_names.index(agent)
    rows = _candidates(rollouts, index)
    rewards = rollouts["agents", "reward"][rows, :, index].sum(axis=1)
    if params.rollout_selection_method == "threshold":
        return rows[rewards >= params.reward_threshold]
    weights = selection_weights(rewards, params)
    rng = np.random.default_rng(stable_seed(seed, "rollout selection", iteration, agent))
    size = round(params.weighting_sample_size_factor * len(rows))
    if not params.weighting_use_replacement:
        size = min(size, int(np.count_nonzero(weights)))
    if size == 0:
        return rows[:0]
    chosen = rng.choice(len(rows), size, replace=params.weighting_use_replacement, p=weights)
    return rows[np.sort(chosen)]


def balance_verdicts(
    rollouts: NestedArrayDict, rows: Rows, reject_weight: float = 1.0, *, seed: int, iteration: int
) -> Rows:
    """Drop rows at random until acceptances and rejections are equally many.

    Without this, a verifier that learns from its right verdicts learns its own bias: the verdict
    that it gives more often is more often right by chance, and so is learnt more often still.
    Rollouts without a verdict are dropped, because they belong to neither.

    With more rejections than acceptances a verifier learns to reject where messages tell nothing,
    so that evading them does not pay.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,).
    rows : array of int
        The selected rows; the result is in the same order.
    reject_weight : float
        Number of rejections for each acceptance, rounded down to whole numbers of both.
    seed, iteration : int
        They determine which rows are dropped.
    """
    decisions = rollouts["verdict"][rows]
    return rows[balanced(decisions, reject_weight, seed=seed, iteration=iteration)]


def balanced(
    decisions: NDArray[np.int64], reject_weight: float = 1.0, *, seed: int, iteration: int
) -> Rows:
    """Return the sorted places of equally many acceptances and rejections, drawn at random.

    Parameters
    ----------
    decisions : array of int
        0 (reject), 1 (accept), or anything else, which is never drawn.
    reject_weight : float
        Number of rejections for each acceptance.
    seed, iteration : int
        They determine the draw.
    """
    rejections, acceptances = (np.flatnonzero(decisions == decision) for decision in (0, 1))
    # A tiny weight makes the quotient infinite, which is no integer.
    num_accepted = int(min(len(acceptances), len(rejections) / reject_weight))
    num_rejected = int(min(len(rejections), num_accepted * reject_weight))
    rng = np.random.default_rng(stable_seed(seed, "balanced verdicts", iteration))
    kept = [
        rng.choice(rejections, num_rejected, replace=False),
        rng.choice(acceptances, num_accepted, replace=False),
    ]
    return np.sort(np.concatenate(kept))


def thinned(
    decisions: NDArray[np.int64], reject_weight: float, *, seed: int, iteration: int
) -> Rows:
    """Return the sorted places of all decisions but some acceptances, drawn at random.

    Parameters
    ----------
    decisions : array of int
        0 (reject), 1 (accept), or anything else, which is kept.
    reject_weight : float
        One acceptance is kept of this many; below 1, this share of the rejections is kept.
    seed, iteration : int
        They determine the draw.
    """
    rarer, share = (1, 1 / reject_weight) if reject_weight > 1 else (0, reject_weight)
    places = np.flatnonzero(decisions == rarer)
    rng = np.random.default_rng(stable_seed(seed, "thinned verdicts", iteration))
    chosen = rng.choice(places, round(share * len(places)), replace=False)
    return np.sort(np.concatenate([np.flatnonzero(decisions != rarer), chosen]))


def selection_weights(
    rewards: NDArray[np.float64], params: PureTextEiParameters
) -> NDArray[np.float64]:
    """Return the sampling probability of each rollout from rewards of the shape (rollout,).

    The weight of a rollout is the excess of its reward over the minimum (``weighting_minimum``, or
    the lowest reward), normalised to the sum 1. Then ``weighting_epsilon`` / N is added to each of
    the N weights, and they are normalised again. If no reward exceeds the minimum, all weights are
    equal.
    """
    if len(rewards) == 0:
        return np.zeros(0)
    minimum = rewards.min() if params.weighting_minimum is None else params.weighting_minimum
    excess = np.maximum(rewards - minimum, 0.0)
    if excess.sum() == 0:
        return np.full(len(rewards), 1 / len(rewards))
    weights = excess / excess.sum() + params.weighting_epsilon / len(rewards)
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


def _candidates(rollouts: NestedArrayDict, agent: int) -> Rows:
    """Return the rows that are usable as examples for an agent, sorted by position."""
    wrote = rollouts["agents", "active"][:, :, agent].any(axis=1)
    gave_up = rollouts["agents", "invalid"][:, :, agent].any(axis=1)
    usable = wrote & ~gave_up & ~rollouts["failed"]
    # Sorted, so that the sample does not depend on the order in which rollouts finished.
    order = np.argsort(rollouts["position"], kind="stable")
    return order[usable[order]].astype(np.int64)
