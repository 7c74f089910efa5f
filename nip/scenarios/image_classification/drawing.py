"""Pictures of episodes: images with frames around the latent pixels that messages name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nip.run_store.report.plot_style import COLOURS, new_figure
from nip.scenarios.image_classification.dataset import latent_extent

_SCALE = 16
_FRAMES_PER_PICTURE = 64
"""Height of a picture divided by the thickness of a frame."""

_COLUMN_INCHES = 1.9
_ROW_INCHES = 2.1
_MARGIN_INCHES = 0.7


@dataclass(frozen=True)
class NamedPixel:
    """A latent pixel that an agent has named."""

    agent: str
    """Name of the agent."""

    row: int
    """Row of the latent pixel."""

    column: int
    """Column of the latent pixel."""


def named_pixels(episode: Mapping[str, Any]) -> list[NamedPixel]:
    """Return the latent pixels that an episode's messages name, in order.

    Messages of the last round are left out, because nobody reads them.

    Parameters
    ----------
    episode : mapping
        An episode as ``nip.scenario_base.rollout_descriptions.describe_rollouts`` returns it.
    """
    return [
        NamedPixel(agent, row, column)
        for round_ in episode["rounds"][:-1]
        for messages in round_["messages"].values()
        for agent, written in messages.items()
        for row, column in written["latent_pixel_selected"]
    ]


def agent_colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each agent, which colour-blind readers can distinguish too."""
    return dict(zip(names, cycle(COLOURS), strict=False))


def draw_named_pixels(
    image: Float[np.ndarray, "channel height width"],
    named: Sequence[NamedPixel],
    grid: tuple[int, int],
    colours: Mapping[str, str],
    *,
    scale: int = _SCALE,
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return an enlarged image with a frame around each named latent pixel.

    Frames of the same latent pixel are nested, the first one outside.

    Parameters
    ----------
    image : ndarray
        Pixels from -1 to 1; of one channel, or of red, green and blue.
    named : sequence of NamedPixel
        The latent pixels to be framed.
    grid : tuple of int
        Height and width of the grid of latent pixels.
    colours : mapping of str to str
        Colour of the frames of each agent.
    scale : int
        Width of an image pixel in the picture.
    """
    pixels = ((image.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
    height, width = pixels.shape[1:]
    coloured = np.broadcast_to(pixels, (3, height, width)).transpose(1, 2, 0)
    picture = coloured.repeat(scale, axis=0).repeat(scale, axis=1)
    thickness = max(1, len(picture) // _FRAMES_PER_PICTURE)
    for index, each in enumerate(named):
        place = (each.row, each.column)
        inset = thickness * sum((before.row, before.column) == place for before in named[:index])
        rows = _within(latent_extent(each.row, grid[0], height), scale, inset)
        columns = _within(latent_extent(each.column, grid[1], width), scale, inset)
        region = picture[rows, columns]
        is_inside = np.zeros(region.shape[:2], dtype=bool)
        is_inside[thickness:-thickness, thickness:-thickness] = True
        region[~is_inside] = np.multiply(to_rgb(colours[each.agent]), 255).round()
    return picture


def draw_episodes(
    episodes: Sequence[Mapping[str, Any]],
    images: Float[np.ndarray, "episode channel height width"],
    grid: tuple[int, int],
    title: str,
    *,
    num_columns: int = 4,
) -> Figure:
    """Draw the images of episodes, what was named in them, and how they ended.

    Parameters
    ----------
    episodes : sequence of mapping
        Descriptions of the episodes; see ``named_pixels``.
    images : ndarray
        The image of each episode.
    grid : tuple of int
        Height and width of the grid of latent pixels.
    title : str
        Title of the figure.
    num_columns : int
        Number of images beside each other.
    """
    num_columns = min(num_columns, len(episodes))
    num_rows = -(-len(episodes) // num_columns)
    figure = new_figure(num_columns * _COLUMN_INCHES, num_rows * _ROW_INCHES + _MARGIN_INCHES)
    named = [named_pixels(episode) for episode in episodes]
    speakers = {each.agent for of_episode in named for each in of_episode}
    colours = agent_colours([name for name in episodes[0]["rewards"] if name in speakers])
    panels = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for axes in panels:
        axes.set_axis_off()
    for axes, episode, image, pixels in zip(panels, episodes, images, named, strict=False):
        axes.imshow(draw_named_pixels(image, pixels, grid, colours))
        is_right = episode["verdict"] == ("reject", "accept")[episode["label"]]
        axes.set_title(
            f"label {episode['label']}: {episode['verdict']} ({'right' if is_right else 'wrong'})",
            fontsize=9,
        )
    figure.suptitle(title, fontsize=11, fontweight="bold")
    handles = [
        Patch(edgecolor=colour, facecolor="none", label=name, linewidth=2)
        for name, colour in colours.items()
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    return figure


def _within(extent: slice, scale: int, inset: int) -> slice:
    return slice(extent.start * scale + inset, extent.stop * scale - inset)
