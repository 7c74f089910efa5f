"""Drawings of images with frames around the pixels that were named, as PNG in a data URI."""

import base64
import io
import warnings
from pathlib import Path

import numpy as np

from nip.errors import ParameterError
from nip.scenarios.image_classification.drawing import (
    NamedPixel,
    agent_colours,
    draw_named_pixels,
)
from nip.scenarios.image_classification.stored_episodes import StoredEpisodes, read_episodes
from nip.viewer.episodes.samples import FOLDER, Episode
from nip.viewer.runs.file_cache import FileCache
from nip.viewer.web.rendering import Address

_WIDTH = 150
_SAMPLES: FileCache[StoredEpisodes] = FileCache(8)


def draw_rounds(
    folder: Path, data_dir: str | None, iteration: int, episode: Episode
) -> list[Address]:
    """Return for each round the image with all pixels that were named so far, as a data URI.

    Raises
    ------
    NipError
        If the dataset is missing or is another one, or the sample is damaged.
    """
    files = [folder / FOLDER / f"iteration_{iteration:06d}.yaml"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = _SAMPLES.get(
            (folder, iteration, data_dir),
            files,
            lambda: read_episodes(folder, data_dir, iteration),
        )
    if episode.index >= len(stored.images):
        raise ParameterError(f"The sample has no image of episode {episode.index + 1}.")
    image = stored.images[episode.index]
    colours = agent_colours(list(episode.rewards))
    named: list[NamedPixel] = []
    drawn = []
    for each in episode.rounds:
        named += [
            NamedPixel(said.agent, symbol[0], symbol[1])
            for said in each.said
            for symbol in said.symbols
            if len(symbol) == 2 and symbol[0] < stored.grid[0] and symbol[1] < stored.grid[1]
            and said.agent in colours
        ]  # fmt: skip
        scale = max(1, _WIDTH // image.shape[-1])
        drawn.append(_data_uri(draw_named_pixels(image, named, stored.grid, colours, scale=scale)))
    return drawn


def _data_uri(picture: np.ndarray) -> Address:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, picture, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Address(f"data:image/png;base64,{encoded}")
