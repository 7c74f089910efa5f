"""A perceptron with one hidden layer."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nip.native.functions import KernelFunction
from nip.native.gin import ACTIVATIONS
from nip.native.kernels import kernels_for, pointer, pointers, sizes


def perceptron(
    rows: Float[Tensor, "group row feature"],
    classes: Int[Tensor, " group"] | None,
    weights: Sequence[Tensor],
    activation: str,
) -> Float[Tensor, "group row d_out"]:
    """Apply a perceptron to rows, with a one-hot class behind their features.

    Parameters
    ----------
    classes : Tensor, optional
        Class of the rows of each group, counted from 0. There are as many as the perceptron has
        inputs beyond the features; without classes it has none.
    weights : sequence of Tensor
        Weight and bias of both layers.
    activation : str
        Name of the activation function.

    Raises
    ------
    IndexError
        If a class does not exist.
    """
    function = Perceptron(activation)
    inputs = rows, *weights, *(() if classes is None else (classes,))
    library = kernels_for(weights)
    if library is None or not _can_read(rows, classes, weights):
        return function.in_pytorch(*inputs)
    return function(library, *inputs)


def _can_read(rows: Tensor, classes: Tensor | None, weights: Sequence[Tensor]) -> bool:
    """Return whether all sizes are consistent; PyTorch says what is wrong otherwise."""
    if type(rows) is not Tensor or rows.dtype != torch.float32 or not rows.is_cpu:
        return False
    groups, _, num_features = rows.shape
    (hidden, d_in), (d_out, _) = weights[0].shape, weights[2].shape
    shapes = ((hidden, d_in), (hidden,), (d_out, hidden), (d_out,))
    if any(each.shape != shape for each, shape in zip(weights, shapes, strict=True)):
        return False
    if classes is None:
        return num_features == d_in
    return num_features < d_in and classes.shape == (groups,)


@dataclass(frozen=True)
class Perceptron(KernelFunction):
    """Inputs are rows, (group, row, feature), four weights and, with classes, these.

    Rows of a group must be next to each other to be read in place; others are copied.
    """

    activation: str
    """Name of the activation function."""

    def in_pytorch(self, *inputs: Tensor) -> Float[Tensor, "group row d_out"]:
        """Compute the output."""
        rows, w1, b1, w2, b2, *classes = inputs
        for each in classes:
            # Less to differentiate than ``F.one_hot``, and the same for accelerators.
            one_hot = torch.eye(w1.shape[1] - rows.shape[-1], dtype=rows.dtype, device=rows.device)
            of_rows = one_hot.index_select(0, each).unsqueeze(1).expand(-1, rows.shape[1], -1)
            rows = torch.cat((rows, of_rows), dim=-1)
        hidden = ACTIVATIONS[self.activation](F.linear(rows, w1, b1))
        return F.linear(hidden, w2, b2)

    def output(
        self, library: ctypes.CDLL, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the output; the hidden layer is kept."""
        rows, classes, weights = _read(inputs)
        groups, num_rows, _ = rows.shape
        hidden, d_out = len(weights[0]), len(weights[2])
        output = rows.new_empty(groups, num_rows, d_out)
        # The kernels fill rows up to a whole number of vectors.
        lanes = library.nip_num_lanes()
        kept = rows.new_empty(groups * num_rows * -(-hidden // lanes) * lanes)
        exist = library.nip_perceptron_forward(
            self._sizes(rows, classes, weights),
            pointer(rows),
            pointer(classes),
            pointers(weights),
            pointer(output),
            pointer(kept),
        )
        if not exist:
            assert classes is not None
            num_classes = weights[0].shape[1] - rows.shape[-1]
            raise IndexError(
                f"Classes must be from 0 to {num_classes - 1}, got {int(classes.min())} to "
                f"{int(classes.max())}. The weights have no entries for others."
            )
        return output, (kept,)

    def gradients(
        self,
        library: ctypes.CDLL,
        d_output: Tensor,
        inputs: Sequence[Tensor],
        kept: Sequence[Tensor],
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the rows and of all weights."""
        rows, classes, weights = _read(inputs)
        d_rows = rows.new_empty(rows.shape)
        d_weights = [torch.empty_like(each) for each in weights]
        library.nip_perceptron_backward(
            self._sizes(rows, classes, weights),
            pointer(d_output),
            pointer(rows),
            pointer(classes),
            pointers(weights),
            pointer(kept[0]),
            pointer(d_rows),
            pointers(d_weights),
        )
        return d_rows, *d_weights, *(() if classes is None else (None,))

    def _sizes(
        self, rows: Tensor, classes: Tensor | None, weights: Sequence[Tensor]
    ) -> ctypes.Array:
        groups, num_rows, features = rows.shape
        num_classes = weights[0].shape[1] - features
        kind = list(ACTIVATIONS).index(self.activation)
        of_layers = num_classes, len(weights[0]), len(weights[2]), kind
        return sizes(groups, num_rows, rows.stride(0), features, *of_layers)


def _read(inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None, Sequence[Tensor]]:
    """Return rows, next to each other within a group, classes, and weights."""
    rows, *weights = inputs
    if rows.stride(2) != 1 or rows.stride(1) != rows.shape[2]:
        rows = rows.contiguous()
    classes = weights.pop().long().contiguous() if len(weights) > 4 else None
    return rows, classes, weights
