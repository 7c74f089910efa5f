"""Spec and parameters of the trainer ``pure_text_grpo``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from nip.parameters import UnusedOptionRule, register_parameter_class
from nip.parameters.specs import register_trainer_spec
from nip.parameters.trainers import ResponseTreeParameters
from nip.parameters.types import NonNegative, Positive, UnitInterval
from nip.trainers.base_specs import LANGUAGE_MODEL_TRAINER


@register_parameter_class
@dataclass
class PureTextGrpoParameters(ResponseTreeParameters):
    """Group-relative policy gradients in trees of dialogues (Shao et al., 2024)."""

    clip_epsilon: Positive = 0.2
    """Clipping range ε: the probability ratio of a token is clipped to [1 - ε, 1 + ε]."""

    kl_coefficient: NonNegative = 0.04
    """Weight β of the KL penalty towards the base model; 0: no penalty."""

    baseline: Literal["group", "agent"] = "group"
    """Expected reward: mean of the responses to the same dialogue, or running mean of the agent."""

    baseline_decay: UnitInterval = 0.95
    """Share of the running mean that remains after an iteration."""

    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Divide advantages by the deviation of their group, or of all of the agent, or not at all."""

    reject_weight: Positive | None = None
    """Verifier: weight of all questions to reject over that of all to accept; None: as sampled."""

    invalid_reward: float | None = None
    """Reward of invalid answers for the agent that wrote them; None: they are not learnt from."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("baseline_decay",),
            "unless pure_text_grpo.baseline='agent'",
            lambda params, _: params.baseline == "group",
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a scale that fits the baseline."""
        if self.baseline == "agent" and self.scale_rewards == "group":
            yield (
                f"{at('scale_rewards')} must be 'batch' or 'none' with {at('baseline')}='agent', "
                "got 'group': the deviation of a group says nothing about distances from the mean "
                f"of all groups. Set {at('scale_rewards')}='batch'."
            )


register_trainer_spec(
    "pure_text_grpo",
    LANGUAGE_MODEL_TRAINER.extended(
        fine_tuning_method="policy_gradient",
        ignores=(
            "text_rl.verifier_guess_replacement_proportion",
            "text_rl.verifier_guess_replacement_annealing",
            "text_rl.verifier_guess_replacement_annealing_rate",
        ),
    ),
    parameters=PureTextGrpoParameters,
)
