"""Spec and parameters of the trainer ``pure_text_malt``."""

from __future__ import annotations

from dataclasses import dataclass

from nip.parameters import register_parameter_class
from nip.parameters.specs import register_trainer_spec
from nip.parameters.trainers import ResponseTreeParameters
from nip.parameters.types import Positive
from nip.trainers.base_specs import LANGUAGE_MODEL_TRAINER


@register_parameter_class
@dataclass
class PureTextMaltParameters(ResponseTreeParameters):
    """Preferences between responses in trees of dialogues (Motwani et al., 2024)."""

    balance_verdicts: bool = False
    """Let the verifier learn from equally many pairs that prefer to accept as to reject."""

    reject_weight: Positive = 1.0
    """Weight of the verifier's pairs that prefer to reject; those that prefer to accept have 1."""

    pair_invalid: bool = False
    """Prefer positive responses to invalid answers as well, which are otherwise not learnt from."""

    beta: Positive | None = None
    """Weight of the KL penalty towards the reference model; None: chosen by the service."""


register_trainer_spec(
    "pure_text_malt",
    LANGUAGE_MODEL_TRAINER.extended(fine_tuning_method="dpo"),
    parameters=PureTextMaltParameters,
)
