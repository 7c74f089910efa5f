"""Places of the nodes of small graphs in a drawing."""

import numpy as np
from jaxtyping import Bool, Float

_NUM_STEPS = 300
_APART = 1.5
"""Distance of unconnected nodes, as a multiple of the largest distance between connected ones."""


def layout(adjacency: Bool[np.ndarray, "node node"]) -> Float[np.ndarray, "node 2"]:
    """Place the nodes of a graph in the unit square, with distances like those in the graph.

    The stress, which is the sum of squared differences between both distances, each divided by that
    in the graph, is minimised by majorisation from places on a circle (Gansner, Koren and North,
    "Graph drawing by stress majorization", 2004, equation 7). The result is the same each time.

    Parameters
    ----------
    adjacency : ndarray
        Whether two nodes are connected; symmetric.
    """
    num = len(adjacency)
    angles = 2 * np.pi * np.arange(num) / max(num, 1)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if num > 2:
        wanted = distances(adjacency)
        weights = 1 / np.where(wanted > 0, wanted, 1) ** 2
        np.fill_diagonal(weights, 0)
        laplacian = np.diag(weights.sum(axis=1)) - weights
        inverse = np.linalg.pinv(laplacian)
        for _ in range(_NUM_STEPS):
            places = inverse @ _majorant(places, wanted, weights) @ places
    low, high = places.min(axis=0), places.max(axis=0)
    centre, extent = (low + high) / 2, max(float((high - low).max()), 1e-9)
    return 0.5 + (places - centre) / extent


def _majorant(
    places: Float[np.ndarray, "node 2"],
    wanted: Float[np.ndarray, "node node"],
    weights: Float[np.ndarray, "node node"],
) -> Float[np.ndarray, "node node"]:
    """Return the matrix whose product with the places is the right side of the linear system."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    pull = -weights * wanted / np.maximum(apart, 1e-9)
    np.fill_diagonal(pull, 0)
    np.fill_diagonal(pull, -pull.sum(axis=1))
    return pull


def distances(adjacency: Bool[np.ndarray, "node node"]) -> Float[np.ndarray, "node node"]:
    """Return the number of edges between all nodes; unconnected ones are a bit further apart."""
    num = len(adjacency)
    found = np.where(np.eye(num, dtype=bool), 0.0, np.inf)
    reached = np.eye(num, dtype=bool)
    for steps in range(1, num):
        following = (reached.astype(float) @ adjacency) > 0
        found[following & np.isinf(found)] = steps
        reached = following
    finite = found[np.isfinite(found)]
    return np.where(np.isinf(found), _APART * max(finite.max(), 1.0), found)
