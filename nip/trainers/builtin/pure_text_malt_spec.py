"""Spec and parameters of the trainer ``pure_text_malt``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.specs import register_trainer_spec
from nip.parameters.trainers import BYTES_OF_DIALOGUE
from nip.parameters.types import Positive
from nip.trainers.base_specs import LANGUAGE_MODEL_TRAINER
from nip.utils.memory_limit import MemoryNeed


@register_parameter_class
@dataclass
class PureTextMaltParameters(SubParameters):
    """Preferences between responses in trees of dialogues (Motwani et al., 2024)."""

    num_responses_per_timestep: Annotated[int, Ge(2)] = 2
    """Number k of responses at each decision point; a tree of n rounds has up to k^n dialogues."""

    beta: Positive | None = None
    """Weight of the KL penalty towards the model before the job; None: chosen by the service."""

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the first responses of all trees, in a run that samples trees."""
        if hyper_params.get("trainer") != "pure_text_malt":
            return
        num_rollouts = hyper_params.get("rl").rollouts_per_iteration or 1
        options = {at("num_responses_per_timestep"): self.num_responses_per_timestep}
        needed = BYTES_OF_DIALOGUE * self.num_responses_per_timestep * num_rollouts
        yield MemoryNeed("the list of responses", options, needed)


register_trainer_spec(
    "pure_text_malt",
    LANGUAGE_MODEL_TRAINER.extended(
        ignores=(
            "text_rl.verifier_guess_replacement_proportion",
            "text_rl.verifier_guess_replacement_annealing",
            "text_rl.verifier_guess_replacement_annealing_rate",
        ),
    ),
    parameters=PureTextMaltParameters,
)
