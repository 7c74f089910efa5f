"""Layers that a kernel computes where there is one, and PyTorch elsewhere."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from nip.native.kernels import (
    array_of,
    kernels_for,
    parts_like,
    pointer,
    pointers,
    pointers_into,
    records_gradients,
)

_SHAPE = attrgetter("shape")


@dataclass(frozen=True)
class Layers:
    """Layers on elements of which some are padding, and what relates each element to the others.

    Inputs are features (batch, element, width), relations (any, element, element), a mask of the
    real elements (batch, element), and weights. There are first and second derivatives in features
    and weights.
    """

    name: str
    """Name in the functions of the kernels."""

    in_pytorch: Callable[[Tensor, Tensor, Tensor, Sequence[Tensor]], Tensor]
    """Computes the output from the inputs."""

    sizes: Callable[[Tensor, Tensor, Sequence[Tensor]], ctypes.Array]
    """Returns the sizes that the kernels read; given the inputs without the mask."""

    d_out: int
    """Width of the output."""

    fits: Callable[[int, tuple[torch.Size, ...]], bool]
    """Returns whether a kernel can compute with this many features and weights of these shapes."""

    constants: Sequence[float] = ()
    """Further arguments of the forward kernel."""

    shares_relations: bool = False
    """Whether all of a batch may have the same relations, (1, element, element)."""

    def __call__(
        self, features: Tensor, relations: Tensor, is_real: Tensor, weights: Sequence[Tensor]
    ) -> Tensor:
        """Compute the output, (batch, element, ``d_out``)."""
        library = kernels_for((features, relations, *weights))
        if library is None or not self._can_read(features, relations, is_real, weights):
            return self.in_pytorch(features, relations, is_real, weights)
        inputs = features, relations, is_real.contiguous()
        if not records_gradients((features, *weights)):
            return self.run(library, *inputs, weights)[0]
        return _NativeLayers.apply((self, library), *inputs, *weights)

    def _can_read(
        self, features: Tensor, relations: Tensor, is_real: Tensor, weights: Sequence[Tensor]
    ) -> bool:
        """Return whether all sizes are consistent; PyTorch says what is wrong otherwise."""
        batch, length, width = features.shape
        num_relations = 1 if self.shares_relations and len(relations) == 1 else batch
        return (
            relations.shape == (num_relations, length, length)
            and is_real.shape == (batch, length)
            and is_real.dtype == torch.bool
            and self.fits(width, tuple(map(_SHAPE, weights)))
        )

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
        output = features.new_empty(*features.shape[:2], self.d_out)
        inputs = pointer(features), pointer(relations), mask, pointers(weights)
        forward = self.kernel(library, "forward")
        constants = map(ctypes.c_float, self.constants)
        forward(shape, *constants, *inputs, pointer(output), pointer(kept))
        return output, kept

    def gradients(
        self,
        library: ctypes.CDLL,
        d_output: Tensor,
        kept: Tensor,
        relations: Tensor,
        is_real: Tensor,
        inputs: Sequence[Tensor],
        addresses: Sequence[int],
    ) -> None:
        """Write the gradients of the inputs, features and weights, to some addresses."""
        features, *weights = inputs
        d_features, *d_weights = addresses
        self.kernel(library, "backward")(
            self.sizes(features, relations, weights),
            pointer(d_output),
            pointer(relations),
            pointer(is_real),
            pointers(weights),
            pointer(kept),
            ctypes.c_void_p(d_features),
            array_of(d_weights),
        )

    def tangent(
        self,
        library: ctypes.CDLL,
        direction: Tensor,
        kept: Tensor,
        relations: Tensor,
        is_real: Tensor,
        inputs: Sequence[Tensor],
    ) -> Tensor:
        """Return the change of the output along a direction of the inputs, which is flat."""
        features, *weights = inputs
        t_features, *t_weights = pointers_into(direction, inputs)
        change = features.new_empty(*features.shape[:2], self.d_out)
        self.kernel(library, "tangent")(
            self.sizes(features, relations, weights),
            ctypes.c_void_p(t_features),
            pointer(relations),
            pointer(is_real),
            pointers(weights),
            array_of(t_weights),
            pointer(kept),
            pointer(change),
        )
        return change

    def kernel(self, library: ctypes.CDLL, part: str) -> Any:
        """Return a function of the kernels: forward, backward, tangent, or kept."""
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
        """Return the gradients, which can be differentiated once more."""
        kept, features, relations, is_real, *weights = ctx.saved_tensors
        inputs, d_output = (features, *weights), grads[0].contiguous()
        if torch.is_grad_enabled():
            flat = _NativeGradients.apply(ctx.options, d_output, kept, relations, is_real, *inputs)
            flat = flat + _NoGradients.apply(
                (ctx.options[0], d_output), relations, is_real, *inputs
            )
            d_features, *d_weights = parts_like(flat, inputs)
        else:
            layers, library = ctx.options
            # Faster than the parts of a flat tensor.
            found = d_features, *d_weights = [torch.empty_like(each) for each in inputs]
            addresses = [each.data_ptr() for each in found]
            layers.gradients(library, d_output, kept, relations, is_real, inputs, addresses)
        return None, d_features, None, None, *d_weights


class _NativeGradients(torch.autograd.Function):
    """Gradients by a kernel as a linear function of that of the output; they are flat."""

    @staticmethod
    def forward(
        ctx: Any,
        options: tuple[Layers, ctypes.CDLL],
        d_output: Tensor,
        kept: Tensor,
        relations: Tensor,
        is_real: Tensor,
        *inputs: Tensor,
    ) -> Tensor:
        """Compute the gradients."""
        layers, library = options
        ctx.options = options
        ctx.save_for_backward(kept, relations, is_real, *inputs)
        flat = d_output.new_empty(sum(each.numel() for each in inputs))
        addresses = pointers_into(flat, inputs)
        layers.gradients(library, d_output, kept, relations, is_real, inputs, addresses)
        return flat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the change of the output along the gradient of the gradients."""
        kept, relations, is_real, *inputs = ctx.saved_tensors
        layers, library = ctx.options
        direction = grads[0].contiguous()
        change = layers.tangent(library, direction, kept, relations, is_real, inputs)
        (change,) = _without_third_derivatives((direction, *inputs), [change])
        return None, change, *[None] * (3 + len(inputs))


class _NoGradients(torch.autograd.Function):
    """Zeros with the derivatives of the gradients in features and weights, by PyTorch.

    They are apart from ``_NativeGradients`` so that they are computed only where they are wanted:
    the derivatives in the gradient of the output alone cost much less.
    """

    @staticmethod
    def forward(
        ctx: Any,
        options: tuple[Layers, Tensor],
        relations: Tensor,
        is_real: Tensor,
        *inputs: Tensor,
    ) -> Tensor:
        """Return as many zeros as the inputs have entries."""
        # The gradient of the output is no input, so that this is skipped if only derivatives in it
        # are wanted.
        ctx.options, ctx.first = options, None
        ctx.save_for_backward(relations, is_real, *inputs)
        return inputs[0].new_zeros(1).expand(sum(each.numel() for each in inputs))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives along the gradient of the gradients."""
        relations, is_real, *inputs = ctx.saved_tensors
        layers, d_output = ctx.options
        if ctx.first is None:  # A Hessian is multiplied by many vectors.
            with torch.enable_grad():
                copies = [each.detach().requires_grad_() for each in inputs]
                output = layers.in_pytorch(copies[0], relations, is_real, copies[1:])
                first = torch.autograd.grad(output, copies, d_output.detach(), create_graph=True)
            ctx.first = copies, first
        copies, first = ctx.first
        directions = parts_like(grads[0].detach().contiguous(), inputs)
        # The gradient of the last bias depends on no input.
        pairs = [pair for pair in zip(first, directions, strict=True) if pair[0].requires_grad]
        second = torch.autograd.grad(
            [one for one, _ in pairs],
            copies,
            [direction for _, direction in pairs],
            retain_graph=True,
            materialize_grads=True,
        )
        found = _without_third_derivatives((grads[0], d_output, *inputs), second)
        return None, None, None, *found


class _SecondDerivatives(torch.autograd.Function):
    """Tensors that cannot be differentiated in others on which they depend."""

    @staticmethod
    def forward(_ctx: Any, num_others: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors behind the others."""
        return tuple(each.view_as(each) for each in tensors[num_others:])

    @staticmethod
    def backward(_ctx: Any, *_grads: Tensor) -> tuple[Tensor | None, ...]:
        """Refuse."""
        raise RuntimeError(
            "The compiled kernels have no third derivatives. Use PyTorch's operations with "
            "settings.native_kernels=off."
        )


def _without_third_derivatives(
    others: Sequence[Tensor], found: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Return second derivatives; if they are recorded, they refuse to be differentiated."""
    # ``once_differentiable`` refuses only where ``torch.autograd.grad`` is given no inputs.
    if not records_gradients(others):
        return found
    constants = [each.detach() for each in found]
    refusing: Sequence[Tensor] = _SecondDerivatives.apply(len(others), *others, *constants)
    return refusing
