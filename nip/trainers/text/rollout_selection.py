"""Which rollouts an agent learns from in expert iteration (Anthony, Tian and Barber, 2017)."""

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
    """Choose the rollouts from which an agent learns.

    Either all whose reward reaches ``reward_threshold``, or a sample in which the chance of each
    grows with its reward (see ``selection_weights``). The reward is the agent's own, summed over
    the rollout. Rollouts that failed, in which the agent wrote nothing, or in which one of its
    messages was left empty because no valid answer came, are never chosen and do not count.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,), in any order.
    agent_names : tuple of str
        The agents in the order of their axis.
    agent : str
        The agent that is to learn.
    params : PureTextEiParameters
        The method and its parameters.
    seed, iteration : int
        Seed of the experiment, and the iteration, which together with the agent's name determine
        the sample.

    Returns
    -------
    rows : int64 array
        Rows of ``rollouts`` in the order of their positions, whatever the order of the rows. A row
        that was drawn several times occurs as often.
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


def selection_weights(
    rewards: NDArray[np.float64], params: PureTextEiParameters
) -> NDArray[np.float64]:
    """Return the probability with which each rollout is drawn.

    What a reward exceeds the minimum by (``weighting_minimum``, or the lowest reward that occurs)
    is divided by the sum; then ``weighting_epsilon`` / N is added to each of the N weights, and
    they are divided by their sum once more. When no reward exceeds the minimum, all are equal.

    Parameters
    ----------
    rewards : float64 array
        (rollout,).

    Returns
    -------
    weights : float64 array
        (rollout,), with the sum 1.
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
    """Return the rows that can serve as examples for an agent, in the order of their positions."""
    wrote = rollouts["agents", "active"][:, :, agent].any(axis=1)
    gave_up = rollouts["agents", "invalid"][:, :, agent].any(axis=1)
    usable = wrote & ~gave_up & ~rollouts["failed"]
    order = np.argsort(rollouts["position"], kind="stable")
    return order[usable[order]].astype(np.int64)
