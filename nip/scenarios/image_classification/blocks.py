"""Building blocks of the convolutional networks of agents."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nip.parameters import ImageClassificationAgentParameters
from nip.scenario_base.networks import ACTIVATIONS

Planes = Float[Tensor, "batch channel height width"]


def convolution(d_in: int, d_out: int, kernel_size: int, stride: int = 1) -> nn.Module:
    """Build a convolution that keeps height and width, or divides them by the stride, rounded up.

    An even kernel needs one more column of padding on the right, and one more row below.
    """
    before, after = (kernel_size - 1) // 2, kernel_size // 2
    layer = nn.Conv2d(d_in, d_out, kernel_size, stride, padding=before)
    return layer if before == after else nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer)


class ConvBlock(nn.Module):
    """A convolution and an activation."""

    def __init__(
        self, d_in: int, d_out: int, params: ImageClassificationAgentParameters, stride: int = 1
    ) -> None:
        super().__init__()
        self.convolution = convolution(d_in, d_out, params.kernel_size, stride)
        self.activation = ACTIVATIONS[params.activation_function]()

    def forward(self, planes: Planes) -> Float[Tensor, "batch d_out rows columns"]:
        """Apply the block."""
        return self.activation(self.convolution(planes))


class ResidualBlock(nn.Module):
    """The basic block of residual networks: two convolutions beside a shortcut (He et al., 2016).

    It normalises each image by itself (group normalisation with one group) where the original
    normalises over the batch, because statistics of a batch would make an agent compute one policy
    when it plays and another one when it learns.
    """

    def __init__(
        self, d_in: int, d_out: int, params: ImageClassificationAgentParameters, stride: int = 1
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[params.activation_function]()
        self.residual = nn.Sequential(
            convolution(d_in, d_out, params.kernel_size, stride),
            nn.GroupNorm(1, d_out),
            self.activation,
            convolution(d_out, d_out, params.kernel_size),
            nn.GroupNorm(1, d_out),
        )
        keeps_shape = d_in == d_out and stride == 1
        self.shortcut = nn.Identity() if keeps_shape else convolution(d_in, d_out, 1, stride)

    def forward(self, planes: Planes) -> Float[Tensor, "batch d_out rows columns"]:
        """Apply the block."""
        return self.activation(self.shortcut(planes) + self.residual(planes))


BLOCKS: dict[str, type[ConvBlock] | type[ResidualBlock]] = {
    "conv2d": ConvBlock,
    "residual_basic": ResidualBlock,
}
"""Blocks by their names in the parameters."""


class BlockGroup(nn.Module):
    """Blocks that double the number of channels, and a pooling that halves height and width."""

    def __init__(self, d_in: int, params: ImageClassificationAgentParameters) -> None:
        super().__init__()
        block = BLOCKS[params.building_block_type]
        d_out = 2 * d_in
        rest = [block(d_out, d_out, params) for _ in range(params.num_blocks_per_group - 1)]
        self.blocks = nn.Sequential(block(d_in, d_out, params, params.stride), *rest)

    def forward(self, planes: Planes) -> Float[Tensor, "batch d_out half_height half_width"]:
        """Return planes of half the height and width, whatever the stride is."""
        height, width = planes.shape[-2:]
        output = self.blocks(planes)
        if output.shape[-2:] == (height, width):
            return F.max_pool2d(output, 2)
        # A stride has made the planes smaller already: the grid of messages must not depend on it.
        return F.interpolate(output, (height // 2, width // 2))


def resize(planes: Planes, height: int, width: int) -> Float[Tensor, "batch channel rows columns"]:
    """Return planes of another size: enlarged to the nearest, or made smaller by means."""
    if planes.shape[-2] >= height and planes.shape[-1] >= width:
        return F.adaptive_avg_pool2d(planes, (height, width))
    return F.interpolate(planes, (height, width))


def dilate(
    marks: Float[Tensor, "batch height width"], radius: int
) -> Float[Tensor, "batch height width"]:
    """Return 1 within a distance of marks, along both axes, and 0 elsewhere."""
    size = 2 * radius + 1
    grown = F.max_pool2d(marks.unsqueeze(1), size, stride=1, padding=radius).squeeze(1)
    return (grown > 0).to(torch.get_default_dtype())
