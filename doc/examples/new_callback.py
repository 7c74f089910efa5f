"""A callback that has agents evaluated with the running mean of their weights."""

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
    """What can be set about the mean."""

    name: str = "averaged_weights"
    """Name of the callback."""

    decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    """Share of the mean that stays from one step to the next."""


@register_callback("averaged_weights", parameters=AveragedWeightsParameters)
class AveragedWeights(Callback):
    """Averages the weights over the steps (Polyak and Juditsky, 1992), and evaluates the mean."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._mean: dict[str, Tensor] = {}

    def on_train_start(self, context: TrainingContext) -> None:
        """Begin with the weights as they are, unless a run goes on."""
        if not self._mean:
            self._mean = _copied(context)

    @torch.no_grad()
    def on_step_end(self, context: TrainingContext) -> None:
        """Move the mean towards the new weights."""
        for name, weight in context.model.named_parameters():
            self._mean[name].lerp_(weight, 1 - self.decay)

    def on_evaluation_start(self, context: TrainingContext) -> None:
        """Play with the mean."""
        self._own = _copied(context)
        _set(context, self._mean)

    def on_evaluation_end(self, context: TrainingContext) -> None:
        """Go on learning with what was learnt."""
        _set(context, self._own)

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the mean, which goes to the checkpoint."""
        return self._mean

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take the mean back."""
        self._mean = dict(state)


def _copied(context: TrainingContext) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in context.model.named_parameters()}


@torch.no_grad()
def _set(context: TrainingContext, weights: Mapping[str, Tensor]) -> None:
    for name, weight in context.model.named_parameters():
        weight.copy_(weights[name])
