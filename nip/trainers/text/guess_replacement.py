"""Teaching a verifier the truth in a share of its examples instead of what it decided."""

import numpy as np
from numpy.typing import NDArray

from nip.parameters.trainers import TextRlParameters
from nip.seeding import stable_seed
from nip.utils.nested_array_dict import NestedArrayDict


def guess_replacement_share(iteration: int, params: TextRlParameters) -> float:
    """Return the share of the verifier's examples whose last verdict becomes the truth.

    Parameters
    ----------
    iteration : int
        Counted from 0.
    params : TextRlParameters
        The share p at the beginning, and how it falls with the rate r: ``none`` keeps p,
        ``linear`` gives max(0, p − r · iteration), ``exponential`` p · (1 − r)^iteration.
    """
    share = params.verifier_guess_replacement_proportion
    rate = params.verifier_guess_replacement_annealing_rate
    if params.verifier_guess_replacement_annealing == "linear":
        return max(0.0, share - rate * iteration)
    if params.verifier_guess_replacement_annealing == "exponential":
        return float(share * (1 - rate) ** iteration)
    return share


def choose_replaced(
    rollouts: NestedArrayDict,
    rows: NDArray[np.int64],
    verifier: int,
    share: float,
    *,
    seed: int,
    iteration: int,
) -> NDArray[np.bool_]:
    """Choose in which of the verifier's examples the last verdict is replaced by the truth.

    Only an example in which the verifier did decide has a verdict to replace. Failed rollouts, and
    those in which a message of the verifier was left empty, are no examples. The share, rounded to
    the nearest number, is one of the rest.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,).
    rows : int64 array
        The rows of ``rollouts`` that are examples, (example,); the same may occur several times.
    verifier : int
        Index of the verifier on the axis of agents.
    share : float
        Between 0 and 1.
    seed, iteration : int
        Seed of the experiment, and the iteration, which determine the choice.

    Returns
    -------
    is_replaced : bool array
        (example,).
    """
    decided = (rollouts["agents", "decision"][rows, :, verifier] != 2).any(axis=1)
    gave_up = rollouts["agents", "invalid"][rows, :, verifier].any(axis=1)
    (eligible,) = np.nonzero(decided & ~gave_up & ~rollouts["failed"][rows])
    rng = np.random.default_rng(stable_seed(seed, "guess replacement", iteration))
    chosen = rng.permutation(eligible)[: round(share * len(eligible))]
    is_replaced = np.zeros(len(rows), dtype=bool)
    is_replaced[chosen] = True
    return is_replaced
