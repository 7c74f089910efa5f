"""Guess replacement: replace the verifier's verdict by the true label in some examples."""

import numpy as np
from numpy.typing import NDArray

from nip.parameters.trainers import TextRlParameters
from nip.seeding import stable_seed
from nip.utils.nested_array_dict import NestedArrayDict


def guess_replacement_share(iteration: int, params: TextRlParameters) -> float:
    """Return the share of the verifier's examples whose verdict is replaced by the true label.

    With the initial share p and the annealing rate r, the annealing ``none`` keeps p, ``linear``
    gives max(0, p − r · iteration), ``exponential`` gives p · (1 − r)^iteration; ``iteration`` is
    an index, from 0.
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
    """Choose the examples in which the verifier's verdict is replaced by the true label.

    Eligible are rollouts that did not fail, in which the verifier decided, and in which none of its
    messages was left empty. Of these, ``round(share * number)`` are drawn without replacement; seed
    and iteration determine which.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,).
    rows : int64 array
        Rows of ``rollouts`` that are examples, (example,), possibly with repetitions.
    verifier : int
        Index of the verifier on the axis of agents.

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
