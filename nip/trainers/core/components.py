"""Components of a trainer that can be exchanged without a subclass."""

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
    """Components that replace those which a trainer builds from the hyper-parameters.

    None keeps the trainer's own component. Exchanged components are not stored with a run: pass
    the same ones again when you resume it.
    """

    loss: Callable[[Any], tuple[Objective, Callable[[TensorDictBase], Any] | None]] | None = None
    """Builds the loss module and the advantage estimator, or None, for a trainer."""

    loss_terms: Sequence[tuple[float, Callable[[TensorDictBase, TrainingContext], Tensor]]] = ()
    """Terms added to the loss: pairs of a weight and a function of a minibatch and the context."""

    optimizer: Callable[[list[dict[str, Any]]], Optimizer] | None = None
    """Builds the optimizer from parameter groups, each with ``params``, ``lr`` and ``name``."""

    lr_scheduler: Callable[[Optimizer], LRScheduler] | None = None
    """Builds the learning-rate scheduler."""

    update_step: UpdateStep | None = None
    """Turns gradients into steps."""

    data: Callable[[Any], RolloutCollector] | None = None
    """Builds the collector of batches, for a trainer."""

    minibatches: Callable[[Any], Minibatches] | None = None
    """Builds the component that divides a batch into minibatches, for a trainer."""

    evaluate: Callable[[Trainer, str], Mapping[str, float]] | None = None
    """Evaluates the agents on a split, ``train`` or ``test``, inside the test context."""

    callbacks: Sequence[Callback] = ()
    """Callbacks that follow those of the hyper-parameters."""

    def given(self) -> list[str]:
        """Return the names of the components that are exchanged."""
        return [name for name in COMPONENTS if getattr(self, name) not in (None, (), [])]


COMPONENTS = tuple(field.name for field in fields(TrainerComponents))
"""Names of all components."""
