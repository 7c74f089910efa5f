"""Episodes that a run with images has written, together with their images."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float

from nip.errors import NipWarning, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.callbacks import RolloutSamplesParameters
from nip.run_store.reading import read_parameters, read_settings
from nip.scenarios.image_classification.dataset import load_images

FOLDER = "rollouts"
"""Folder of the run into which the callback ``rollout_samples`` writes."""


@dataclass(frozen=True)
class StoredEpisodes:
    """Some episodes of one iteration."""

    iteration: int
    """Iteration after which they were played, from 1."""

    episodes: Sequence[Mapping[str, Any]]
    """Descriptions of the episodes."""

    images: Float[np.ndarray, "episode channel height width"]
    """Image of each episode, pixels from -1 to 1."""

    grid: tuple[int, int]
    """Height and width of the grid of latent pixels."""


def read_episodes(
    folder: Path | str,
    data_dir: Path | str | None = None,
    iteration: int | None = None,
    limit: int | None = None,
) -> StoredEpisodes:
    """Read the episodes that the callback ``rollout_samples`` has written into a run.

    Parameters
    ----------
    folder : Path or str
        Folder of the run.
    data_dir : Path or str, optional
        Folder of the datasets; None: that of the last start of the run.
    iteration : int, optional
        Iteration, from 1; None: the last that was written.
    limit : int, optional
        Maximum number of episodes; None: all.

    Raises
    ------
    NipError
        If the run is of another scenario, has no such episodes, or its dataset is missing.
    """
    folder = Path(folder)
    with warnings.catch_warnings():
        # These warnings were shown when the agents were trained.
        warnings.simplefilter("ignore", NipWarning)
        hyper_params = HyperParameters.from_dict(read_parameters(folder))
    if hyper_params.scenario != "image_classification":
        raise ParameterError(
            f"Run {folder.name!r} has scenario={hyper_params.scenario!r}, which has no images. "
            "Choose a run with scenario=image_classification."
        )
    iteration, path = _sample(folder, iteration)
    episodes = yaml.safe_load(path.read_text(encoding="utf-8"))[:limit]
    settings = ExperimentSettings.from_dict(read_settings(folder), ignore_unknown=True)
    settings = settings if data_dir is None else replace(settings, data_dir=str(data_dir))
    dataset = load_images(hyper_params, settings, _split(hyper_params))
    rows = [episode["datapoint_id"] for episode in episodes]
    height, width = dataset.message_shape
    return StoredEpisodes(iteration, episodes, dataset["image"][rows].numpy(), (height, width))


def _split(hyper_params: HyperParameters) -> str:
    """Return the split from which the callback has taken the images."""
    found = [each for each in hyper_params.callbacks if isinstance(each, RolloutSamplesParameters)]
    # The files of the last one have replaced those of the others. A program can add one as well.
    return [RolloutSamplesParameters(), *found][-1].split


def _sample(folder: Path, iteration: int | None) -> tuple[int, Path]:
    """Return the iteration and the file of a sample."""
    found = {
        int(match[1]): path
        for path in (folder / FOLDER).glob("iteration_*.yaml")
        if (match := re.fullmatch(r"iteration_(\d+)", path.stem))
    }
    if not found:
        raise ParameterError(
            f"Run {folder.name!r} has written no episodes. Run the experiment with "
            "callbacks=[rollout_samples]."
        )
    chosen = max(found) if iteration is None else iteration
    if chosen not in found:
        known = ", ".join(map(str, sorted(found)))
        raise ParameterError(
            f"Run {folder.name!r} has no episodes of iteration {chosen}. It has those of {known}."
        )
    return chosen, found[chosen]
