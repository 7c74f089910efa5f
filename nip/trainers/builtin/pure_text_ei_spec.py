"""Spec of the trainer ``pure_text_ei``."""

from nip.parameters.specs import register_trainer_spec
from nip.trainers.base_specs import LANGUAGE_MODEL_TRAINER

register_trainer_spec(
    "pure_text_ei",
    LANGUAGE_MODEL_TRAINER.extended(
        parameter_group="pure_text_ei", fine_tuning_method="supervised"
    ),
)
