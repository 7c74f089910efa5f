"""Small graphs, written by hand, for the tests of this folder."""

import numpy as np


def graph(num_nodes: int, *edges: tuple[int, int]) -> np.ndarray:
    adjacency = np.zeros((num_nodes, num_nodes), dtype=bool)
    for first, second in edges:
        adjacency[first, second] = adjacency[second, first] = True
    return adjacency


def path(num_nodes: int) -> np.ndarray:
    return graph(num_nodes, *((node, node + 1) for node in range(num_nodes - 1)))


def cycle(num_nodes: int) -> np.ndarray:
    return graph(num_nodes, *((node, (node + 1) % num_nodes) for node in range(num_nodes)))


def spider(*legs: int) -> np.ndarray:
    """Paths of given lengths that start at one node."""
    edges, last = [], 0
    for leg in legs:
        previous = 0
        for _ in range(leg):
            last += 1
            edges.append((previous, last))
            previous = last
    return graph(last + 1, *edges)


def union(*graphs: np.ndarray) -> np.ndarray:
    """Graphs side by side, without edges between them."""
    result = np.zeros((sum(map(len, graphs)),) * 2, dtype=bool)
    start = 0
    for part in graphs:
        result[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    return result


def batch(*pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pad pairs of graphs to one size."""
    sizes = np.array([[len(side) for side in pair] for pair in pairs])
    adjacency = np.zeros((len(pairs), 2, sizes.max(), sizes.max()), dtype=bool)
    for index, pair in enumerate(pairs):
        for side, matrix in enumerate(pair):
            adjacency[index, side, : len(matrix), : len(matrix)] = matrix
    return adjacency, sizes


def renumber(adjacency: np.ndarray, order: list[int]) -> np.ndarray:
    return adjacency[np.ix_(order, order)]
