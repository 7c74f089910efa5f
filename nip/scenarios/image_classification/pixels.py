"""Pixels as numbers from -1 to 1."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

_MIDDLE = 127.5
"""Half of the brightest pixel, which becomes 0."""


def scale_pixels(
    images: UInt8[Tensor, "image channel height width"],
) -> Float[Tensor, "image channel height width"]:
    """Return pixels from -1 (black) to 1."""
    return images.to(torch.get_default_dtype()) / _MIDDLE - 1
