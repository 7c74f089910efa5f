"""Layers that a kernel computes where there is one, and PyTorch elsewhere."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nip.native.kernels import (
    differentiable_gradients,
    empty_like_each,
    kernels_for,
    pointer,
    pointers,
    records_gradients,
)


@dataclass(frozen=True)
class Layers:
    """Layers on elements of which some are padding, and what relates each element to the others.

    Inputs are features (batch, element, width), relations (any, element, element), a mask of the
    real elements (batch, element), and weights. There are gradients of features and weights.
    """

    name: str
    """Name in the functions of the kernels."""

    in_pytorch: Callable[[Tensor, Tensor, Tensor, Sequence[Tensor]], Tensor]
    """Computes the output from the inputs."""

    sizes: Callable[[Tensor, Tensor, Sequence[Tensor]], ctypes.Array]
    """Returns the sizes that the kernels read; given the inputs without the mask."""

    constants: Sequence[Any] = ()
    """Further arguments of the forward kernel."""

    def __call__(
        self, features: Tensor, relations: Tensor, is_real: Tensor, weights: Sequence[Tensor]
    ) -> Tensor:
        """Compute the output, of the shape of the features."""
        library = kernels_for((features, relations, *weights))
        if library is None:
            return self.in_pytorch(features, relations, is_real, weights)
        inputs = features, relations, is_real.contiguous()
        if not records_gradients((features, *weights)):
            return self.run(library, *inputs, weights)[0]
        return _NativeLayers.apply((self, library), *inputs, *weights)

    def run(
        self,
        library: ctypes.CDLL,
        features: Tensor,
        relations: Tensor,
        is_real: Tensor,
        weights: Sequence[Tensor],
        *,
        keeps: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output of the kernel and, on request, what the backward pass reads."""
        shape, mask = self.sizes(features, relations, weights), pointer(is_real)
        size = self.kernel(library, "kept")(shape, mask) if keeps else None
        kept = None if size is None else features.new_empty(size)
        output = torch.empty_like(features)
        inputs = pointer(features), pointer(relations), mask, pointers(weights)
        forward = self.kernel(library, "forward")
        forward(shape, *self.constants, *inputs, pointer(output), pointer(kept))
        return output, kept

    def kernel(self, library: ctypes.CDLL, part: str) -> Any:
        """Return a function of the kernels: forward, backward, or kept."""
        return getattr(library, f"nip_{self.name}_{part}")


class _NativeLayers(torch.autograd.Function):
    """Layers by a kernel, with gradients of features and weights."""

    @staticmethod
    def forward(
        ctx: Any,
        options: tuple[Layers, ctypes.CDLL],
        features: Tensor,
        relations: Tensor,
        is_real: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        """Compute the output, and keep what the backward pass reads."""
        layers, library = options
        output, kept = layers.run(library, features, relations, is_real, weights, keeps=True)
        ctx.options = options
        ctx.save_for_backward(kept, features, relations, is_real, *weights)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; if they are to be differentiated again, by PyTorch."""
        kept, features, relations, is_real, *weights = ctx.saved_tensors
        layers, library = ctx.options
        if torch.is_grad_enabled():
            output = layers.in_pytorch(features, relations, is_real, weights)
            first, *others = differentiable_gradients(output, (features, *weights), grads)
            return None, first, None, None, *others
        d_output = grads[0].contiguous()  # Held until the kernel has ended.
        d_features, d_weights = torch.empty_like(features), empty_like_each(weights)
        layers.kernel(library, "backward")(
            layers.sizes(features, relations, weights),
            pointer(d_output),
            pointer(relations),
            pointer(is_real),
            pointers(weights),
            pointer(kept),
            pointer(d_features),
            pointers(d_weights),
        )
        return None, d_features, None, None, *d_weights
