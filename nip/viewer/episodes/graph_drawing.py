"""Drawings of graph pairs with the nodes that were named, as data for an SVG template."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nip.errors import ParameterError
from nip.scenario_base.dataset_files import dataset_folder
from nip.scenarios.graph_isomorphism.pair_files import PairArrays, read_split
from nip.viewer.episodes.graph_layout import layout
from nip.viewer.episodes.samples import Episode
from nip.viewer.runs.file_cache import FileCache

SIZE = 150
"""Width and height of the drawing of one graph, in pixels."""

_MARGIN = 16
_PAIRS: FileCache[PairArrays] = FileCache(4)


@dataclass(frozen=True)
class Node:
    """A node in a drawing."""

    index: int
    """Number of the node."""

    x: float
    """Distance from the left edge, in pixels."""

    y: float
    """Distance from the upper edge, in pixels."""


@dataclass(frozen=True)
class Mark:
    """A node that an agent named."""

    graph: int
    """0 or 1."""

    node: int
    """Number of the node."""

    agent: int
    """Index of the agent, which gives the colour."""

    is_new: bool
    """Whether it was named in the round that is drawn, not in an earlier one."""


@dataclass(frozen=True)
class GraphPair:
    """A pair of graphs with places for their nodes."""

    nodes: list[list[Node]]
    """The nodes of both graphs."""

    edges: list[list[tuple[Node, Node]]]
    """The edges of both graphs."""

    marks: list[list[Mark]] = field(default_factory=list)
    """For each round, all nodes that were named so far."""


def draw_pair(data_dir: str, dataset: str, split: str, episode: Episode) -> GraphPair:
    """Return the graphs of an episode, and the nodes named round by round.

    Parameters
    ----------
    data_dir : str
        Folder of the datasets.
    dataset : str
        Name of the dataset.
    split : str
        Split of the question.
    episode : Episode
        The episode.

    Raises
    ------
    NipError
        If the dataset is missing, or has no such pair.
    """
    pairs = _read_pairs(dataset_folder(data_dir, "graph_isomorphism", dataset), split)
    row = episode.datapoint
    if row is None or not 0 <= row < len(pairs):
        raise ParameterError(f"The dataset {dataset!r} has no pair {row}: it is another one.")
    nodes, edges = [], []
    for graph in (0, 1):
        size = int(pairs.sizes[row, graph])
        adjacency = pairs.adjacency[row, graph, :size, :size].astype(bool)
        placed = _nodes(adjacency)
        nodes.append(placed)
        edges.append([(placed[i], placed[j]) for i, j in np.argwhere(np.triu(adjacency))])
    return GraphPair(nodes, edges, _marks(episode, [len(each) for each in nodes]))


def _read_pairs(folder: Path, split: str) -> PairArrays:
    files = sorted((folder / "raw" / split).glob("data.*"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _PAIRS.get((folder, split), files, lambda: read_split(folder, split))


def _nodes(adjacency: np.ndarray) -> list[Node]:
    places = _MARGIN + layout(adjacency) * (SIZE - 2 * _MARGIN)
    return [Node(i, round(float(x), 1), round(float(y), 1)) for i, (x, y) in enumerate(places)]


def _marks(episode: Episode, sizes: list[int]) -> list[list[Mark]]:
    agents = list(episode.rewards)
    found: list[list[Mark]] = []
    earlier: list[Mark] = []
    for each in episode.rounds:
        new = [
            Mark(
                symbol[0], symbol[1], agents.index(said.agent) if said.agent in agents else 0, True
            )
            for said in each.said
            for symbol in said.symbols
            if len(symbol) == 2 and symbol[0] in (0, 1) and symbol[1] < sizes[symbol[0]]
        ]
        found.append([*earlier, *new])
        earlier += [Mark(mark.graph, mark.node, mark.agent, False) for mark in new]
    return found
