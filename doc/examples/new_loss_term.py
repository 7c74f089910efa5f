"""A loss term that makes a verifier decide earlier, by a penalty on continuing."""

from dataclasses import dataclass

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.parameters import LossTermParameters, register_parameter_class
from nip.parameters.types import UnitInterval
from nip.protocols.rules import Decision
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.learning.loss_terms import register_loss_term


@register_parameter_class
@dataclass
class HesitationParameters(LossTermParameters):
    """Options of the hesitation term, in addition to its weight."""

    name: str = "hesitation"
    """Name of the term."""

    free: UnitInterval = 0.0
    """Probability of continuing without penalty."""


@register_loss_term("hesitation", parameters=HesitationParameters)
def hesitation(batch: TensorDictBase, context: TrainingContext, free: float) -> Tensor:
    """Return the mean probability of continuing above ``free``, over the verifier's turns."""
    for frames in context.trainer.loss_module.learning_frames(batch, with_critic=False):
        if frames.output.decision_logits is not None:
            going_on = frames.output.decision_logits.softmax(-1)[:, Decision.CONTINUE]
            return frames.policy_mean((going_on - free).clamp_min(0))
    return torch.zeros((), device=context.device)
