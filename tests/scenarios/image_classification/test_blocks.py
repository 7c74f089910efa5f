"""Blocks keep or halve the size of planes, whatever kernel and stride are."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nip.parameters import ImageClassificationAgentParameters
from nip.scenarios.image_classification.blocks import (
    BLOCKS,
    BlockGroup,
    ConvBlock,
    ResidualBlock,
    convolution,
    dilate,
    resize,
)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_convolution_divides_the_size_by_its_stride(kernel_size, stride) -> None:
    layer = convolution(2, 3, kernel_size, stride)
    size = -(-7 // stride), -(-8 // stride)
    assert layer(torch.zeros(1, 2, 7, 8)).shape == (1, 3, *size)


def test_an_even_kernel_reaches_one_pixel_further_right_and_down() -> None:
    """As ``padding='same'`` of PyTorch, which refuses strides."""
    layer = convolution(1, 1, 4)
    planes = torch.randn(2, 1, 6, 5)
    padded = F.pad(planes, (1, 2, 1, 2))
    expected = F.conv2d(padded, layer[-1].weight, layer[-1].bias)
    torch.testing.assert_close(layer(planes), expected)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("num_blocks", [1, 3])
def test_a_group_doubles_the_width_and_halves_the_size(kind, stride, num_blocks) -> None:
    params = ImageClassificationAgentParameters(
        building_block_type=kind, stride=stride, num_blocks_per_group=num_blocks
    )
    group = BlockGroup(3, params)
    assert group(torch.randn(2, 3, 9, 12)).shape == (2, 6, 4, 6)
    widths = [layer.out_channels for layer in group.modules() if isinstance(layer, nn.Conv2d)]
    assert set(widths) == {6}
    assert len(group.blocks) == num_blocks


def test_a_group_of_convolutions_is_convolution_activation_and_max_pooling(float64) -> None:
    params = ImageClassificationAgentParameters(num_blocks_per_group=1)
    group = BlockGroup(2, params)
    (block,) = group.blocks
    assert isinstance(block, ConvBlock)
    planes = torch.randn(2, 2, 6, 6)
    layer = block.convolution
    expected = F.conv2d(planes, layer.weight, layer.bias, padding="same").tanh()
    torch.testing.assert_close(group(planes), F.max_pool2d(expected, 2))


def test_a_residual_block_without_weights_is_its_shortcut(float64) -> None:
    block = ResidualBlock(3, 3, ImageClassificationAgentParameters(activation_function="relu"))
    for parameter in block.residual.parameters():
        parameter.data.zero_()
    planes = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(block(planes), planes)


def test_a_residual_block_treats_every_image_by_itself(float64) -> None:
    block = ResidualBlock(2, 4, ImageClassificationAgentParameters())
    planes = torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(block(planes)[1:2], block(planes[1:2]))


def test_planes_are_enlarged_to_the_nearest_and_made_smaller_by_means() -> None:
    planes = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    assert resize(planes, 4, 4)[0, 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]
    assert resize(planes, 1, 2)[0, 0].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("radius", "expected"),
    [
        (0, [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]),
        (1, [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]]),
    ],
)
def test_marks_grow_along_both_axes(radius, expected) -> None:
    marks = torch.zeros(1, 3, 4)
    marks[0, 1, 1] = 1
    assert dilate(marks, radius)[0].tolist() == expected
