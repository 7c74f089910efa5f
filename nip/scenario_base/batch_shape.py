"""Size of a batch: the number of parallel environments and of their steps in one iteration."""

from dataclasses import dataclass

from nip.errors import ParameterError
from nip.parameters.trainers import RlParameters


@dataclass(frozen=True)
class BatchShape:
    """Size of the batch that one iteration collects."""

    num_environments: int
    """Number of parallel environments."""

    num_steps: int
    """Number of steps of each environment."""

    @property
    def num_frames(self) -> int:
        """Number of frames in one batch."""
        return self.num_environments * self.num_steps


def compute_batch_shape(
    rl: RlParameters, max_message_rounds: int, dataset_size: int, num_ranks: int = 1
) -> BatchShape:
    """Compute the size of a batch from the parameters.

    Parameters
    ----------
    max_message_rounds : int
        Length of the longest episode, the default number of steps.
    dataset_size : int
        Number of training datapoints, the default number of environments.
    num_ranks : int
        Number of processes that share the environments.

    Raises
    ------
    ParameterError
        If the steps do not divide the frames, the processes do not divide the environments, or a
        minibatch is larger than the batch.
    """
    num_steps = rl.steps_per_env_per_iteration or max_message_rounds
    if rl.frames_per_batch is None:
        num_environments = rl.rollouts_per_iteration or dataset_size
    elif rl.frames_per_batch % num_steps == 0:
        num_environments = rl.frames_per_batch // num_steps
    else:
        lower = rl.frames_per_batch // num_steps * num_steps
        nearest = f"{lower} or {lower + num_steps}" if lower else f"{num_steps}"
        raise ParameterError(
            f"rl.frames_per_batch={rl.frames_per_batch} is not a multiple of the {num_steps} steps "
            "of each environment. All environments run for the same number of steps. "
            f"Set rl.frames_per_batch to {nearest}, or set rl.steps_per_env_per_iteration."
        )
    shape = BatchShape(num_environments, num_steps)
    if num_environments % num_ranks != 0:
        raise ParameterError(_does_not_divide(rl, shape, num_ranks))
    if rl.minibatch_size > shape.num_frames:
        raise ParameterError(
            f"rl.minibatch_size={rl.minibatch_size} is larger than the batch of "
            f"{shape.num_frames} frames, so no update is possible. Lower rl.minibatch_size, "
            "or raise rl.frames_per_batch."
        )
    return shape


def _does_not_divide(rl: RlParameters, shape: BatchShape, num_ranks: int) -> str:
    environments = max(1, round(shape.num_environments / num_ranks)) * num_ranks
    way_out = f"rl.rollouts_per_iteration to {environments}"
    if rl.frames_per_batch is not None:
        way_out = f"rl.frames_per_batch to {environments * shape.num_steps}"
    return (
        f"The batch of {shape.num_environments} environments cannot be divided by {num_ranks} "
        "processes into equal shares. Set "
        f"{way_out}, or start another number of processes with --nproc_per_node."
    )
