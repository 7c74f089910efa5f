"""Spec of the scenario ``image_classification``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nip.parameters import (
    DatasetOptionsParameters,
    ImageClassificationAgentParameters,
    ImageClassificationParameters,
    UnusedOptionRule,
    register_parameter_group,
)
from nip.parameters.specs import ScenarioSpec, register_scenario_spec
from nip.scenarios.image_classification.checks import check_images
from nip.scenarios.image_classification.sources import image_datasets

if TYPE_CHECKING:
    from nip.parameters import HyperParameters


def _has_labels_already(hyper_params: HyperParameters) -> bool:
    """Return whether the two classes of a dataset are its labels."""
    merges = hyper_params.dataset_options.binarification_method == "merge"
    return merges and image_datasets[hyper_params.dataset].num_classes == 2


register_parameter_group("image_classification", ImageClassificationParameters)
register_parameter_group("dataset_options", DatasetOptionsParameters)
register_scenario_spec(
    "image_classification",
    ScenarioSpec(
        data="tensordict",
        agent_parameters=ImageClassificationAgentParameters,
        builtin_datasets=image_datasets,
        check=check_images,
        parameter_group="image_classification",
        reads=("dataset_options",),
        unused_options=(
            UnusedOptionRule(
                ("dataset_options.binarification_seed",),
                "with dataset_options.binarification_method='merge' and a dataset of two classes",
                _has_labels_already,
            ),
        ),
        messages_are_images=True,
        part_options={
            "policy_head": (
                "d_latent_pixel_selector",
                "num_latent_pixel_selector_layers",
                "d_linear_message_selector",
                "num_linear_message_selector_layers",
            ),
            "decider": ("d_decider", "num_decider_layers", "include_round_in_decider"),
            "value_head": ("d_value", "num_value_layers", "include_round_in_value"),
            "solo_head": ("d_decider", "num_decider_layers"),
        },
    ),
)
