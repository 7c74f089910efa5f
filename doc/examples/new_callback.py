"""A callback that evaluates agents with an exponential moving average of their weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from nip.parameters import CallbackParameters, register_parameter_class
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext


@register_parameter_class
@dataclass
class AveragedWeightsParameters(CallbackParameters):
    """Options of the moving average."""

    name: str = "averaged_weights"
    """Name of the callback."""

    decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    """Decay of the average per step."""


@register_callback("averaged_weights", parameters=AveragedWeightsParameters)
class AveragedWeights(Callback):
    """Average the weights over steps (Polyak and Juditsky, 1992), and evaluate the average."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._mean: dict[str, Tensor] = {}

    def on_train_start(self, context: TrainingContext) -> None:
        """Start from the current weights, unless a state was loaded."""
        if not self._mean:
            self._mean = _copied(context)

    @torch.no_grad()
    def on_step_end(self, context: TrainingContext) -> None:
        """Update the average with the new weights."""
        for name, weight in context.model.named_parameters():
            self._mean[name].lerp_(weight, 1 - self.decay)

    def on_evaluation_start(self, context: TrainingContext) -> None:
        """Use the average in the evaluation."""
        self._own = _copied(context)
        _set(context, self._mean)

    def on_evaluation_end(self, context: TrainingContext) -> None:
        """Restore the trained weights."""
        _set(context, self._own)

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the average, which is saved with checkpoints."""
        return self._mean

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore the average."""
        self._mean = dict(state)


def _copied(context: TrainingContext) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in context.model.named_parameters()}


@torch.no_grad()
def _set(context: TrainingContext, weights: Mapping[str, Tensor]) -> None:
    for name, weight in context.model.named_parameters():
        weight.copy_(weights[name])
