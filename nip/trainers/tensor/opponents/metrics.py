"""Metrics of episodes in which past versions of agents play."""

from tensordict import TensorDictBase

from nip.trainers.tensor.opponents.collector import is_pooled
from nip.trainers.tensor.opponents.pool import OpponentPool
from nip.utils.batch_rows import take_rows

SIZE, SHARE, ACCURACY = "opponent_pool_size", "opponent_pool_share", "opponent_pool_accuracy"
POOL_METRICS = (SIZE, SHARE, ACCURACY)
"""Metrics of an iteration with an opponent pool."""


def without_opponents(frames: TensorDictBase) -> TensorDictBase:
    """Return the frames of episodes that only present versions play; all if there is no pool."""
    pooled = is_pooled(frames)
    if pooled is None:
        return frames
    present = (~pooled).flatten().nonzero().squeeze(-1)
    return take_rows(frames.flatten(), present)


def pool_metrics(frames: TensorDictBase, pool: OpponentPool) -> dict[str, float]:
    """Return the size of a pool, and the share and accuracy of its finished episodes.

    Parameters
    ----------
    frames : TensorDictBase
        Frames of an iteration, (environment, step).
    pool : OpponentPool
        The pool.
    """
    pooled = is_pooled(frames)
    assert pooled is not None, "the collector of a pool says who plays"
    finished = frames["next", "done"]
    metrics = {SIZE: float(pool.size)}
    if bool(finished.any()):
        metrics[SHARE] = float(pooled[finished].double().mean())
    ended = finished & pooled
    if bool(ended.any()):
        is_right = frames["next", "verdict"][ended] == frames["y"].squeeze(-1)[ended]
        metrics[ACCURACY] = float(is_right.double().mean())
    return metrics
