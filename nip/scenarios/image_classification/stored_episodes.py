"""Episodes that a run with images has written, together with their images."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from nip.utils.files import read_text
from nip.utils.safe_yaml import load_yaml

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
    episodes = _read(path)[:limit]
    # Of the stored settings only this one: the run may be somebody else's.
    stored = read_settings(folder).get("data_dir", ExperimentSettings.data_dir)
    settings = ExperimentSettings(data_dir=stored if data_dir is None else str(data_dir))
    dataset = load_images(hyper_params, settings, _split(hyper_params))
    rows = [episode["datapoint_id"] for episode in episodes]
    if not all(row in range(len(dataset)) for row in rows):
        raise ParameterError(
            f"{path} names images that {hyper_params.dataset!r} does not have. Restore the dataset "
            "with which the run was made."
        )
    height, width = dataset.message_shape
    return StoredEpisodes(iteration, episodes, dataset["image"][rows].numpy(), (height, width))


def _read(path: Path) -> list[dict[str, Any]]:
    """Read the episodes in a file of ``rollout_samples``, which may be somebody else's."""
    try:
        episodes = load_yaml(read_text(path))
    except yaml.YAMLError as error:
        raise ParameterError(
            f"{path} is not valid YAML: {error}. Restore it from a copy."
        ) from error
    if not isinstance(episodes, list) or not episodes or not all(map(_is_episode, episodes)):
        raise ParameterError(
            f"{path} has no list of episodes as rollout_samples writes it. Restore it from a copy."
        )
    return episodes


def _is_episode(episode: Any) -> bool:
    """Return whether an episode has what is drawn of it."""
    from nip.scenarios.image_classification.drawing import named_pixels

    try:
        named = named_pixels(episode)
        places = [(each.row, each.column) for each in named]
        return (
            all(type(number) is int for place in places for number in place)
            and {each.agent for each in named} <= set(episode["rewards"])
            and episode["label"] in (0, 1)
            and "verdict" in episode
            and type(episode["datapoint_id"]) is int
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


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
