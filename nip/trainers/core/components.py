"""Parts of a trainer that can be exchanged without a subclass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensordict import TensorDictBase
    from torch import Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from nip.rl_objectives import Objective
    from nip.scenario_base.collector import RolloutCollector
    from nip.trainers.core.callback import Callback
    from nip.trainers.core.context import TrainingContext
    from nip.trainers.core.trainer import Trainer
    from nip.trainers.tensor.learning.minibatches import Minibatches
    from nip.trainers.tensor.learning.update_step import UpdateStep


@dataclass(frozen=True)
class TrainerComponents:
    """What takes the place of a part that the trainer would build from the hyper-parameters.

    None leaves a part as it is. What is exchanged here is not stored with a run: whoever goes on
    with it has to give the same parts again.
    """

    loss: Callable[[Any], tuple[Objective, Callable[[TensorDictBase], Any] | None]] | None = None
    """Makes the loss module, and the estimator of advantages or None, for a trainer."""

    loss_terms: Sequence[tuple[float, Callable[[TensorDictBase, TrainingContext], Tensor]]] = ()
    """Weights and functions of a minibatch and the context, added to the loss."""

    optimizer: Callable[[list[dict[str, Any]]], Optimizer] | None = None
    """Makes the optimizer of groups of parameters, each with ``params``, ``lr`` and ``name``."""

    lr_scheduler: Callable[[Optimizer], LRScheduler] | None = None
    """Makes the schedule of the learning rate."""

    update_step: UpdateStep | None = None
    """Turns gradients into steps."""

    data: Callable[[Any], RolloutCollector] | None = None
    """Makes what collects the batches, for a trainer."""

    minibatches: Callable[[Any], Minibatches] | None = None
    """Makes what divides the data of an iteration into minibatches, for a trainer."""

    evaluate: Callable[[Trainer, str], Mapping[str, float]] | None = None
    """Evaluates the agents on a split, ``train`` or ``test``, in the context of a test."""

    callbacks: Sequence[Callback] = ()
    """Callbacks behind those that the hyper-parameters name."""

    def given(self) -> list[str]:
        """Return the names of the parts that are exchanged."""
        return [name for name in COMPONENTS if getattr(self, name) not in (None, (), [])]


COMPONENTS = tuple(field.name for field in fields(TrainerComponents))
"""Names of all parts that can be exchanged."""
