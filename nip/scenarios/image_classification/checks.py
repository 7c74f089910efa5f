"""Checks of image classification that need neither PyTorch nor any image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nip.errors import ParameterError, UnknownNameError, shown, unknown_name
from nip.parameters.agents import DEFAULT_AGENT
from nip.scenarios.image_classification.encoders import encoders_of_agents, image_encoders
from nip.scenarios.image_classification.readers.official_files import (
    OFFICIAL_FILES,
    require_official_files,
)
from nip.scenarios.image_classification.sources import image_datasets, image_folder

if TYPE_CHECKING:
    from nip.experiment_settings import ExperimentSettings
    from nip.parameters import HyperParameters


def check_images(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    """Check that the files of the dataset, the chosen classes and the encoders exist.

    Raises
    ------
    DatasetError
        If files are missing. The message says which, where they belong, and who offers them.
    ParameterError
        If a selected class does not exist.
    UnknownNameError
        If an encoder is not registered.
    """
    dataset, options = hyper_params.dataset, hyper_params.dataset_options
    source = image_datasets[dataset]
    chosen = options.selected_classes or source.selected_classes
    if options.binarification_method == "select_two" and max(chosen) >= source.num_classes:
        raise ParameterError(
            f"dataset_options.selected_classes must be classes of {dataset!r}, which are numbered "
            f"from 0 to {source.num_classes - 1}, got {list(chosen)}. Choose two of these."
        )
    if dataset in OFFICIAL_FILES:
        require_official_files(image_folder(settings, dataset), dataset)
    for name, agents in encoders_of_agents(hyper_params).items():
        if name not in image_encoders:
            # Those that are listed have it from the default.
            named = [DEFAULT_AGENT] if DEFAULT_AGENT in agents else agents
            options = " and ".join(f"agents.{agent}.pretrained_embeddings_model" for agent in named)
            raise UnknownNameError(
                f"{options}={shown(name)}: {unknown_name('image encoder', name, image_encoders)}"
            )
        image_encoders[name].weights_path(dataset)
