"""Functions of tensors by a kernel, of which only PyTorch's operations have second derivatives."""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nip.native.kernels import records_gradients


class KernelFunction(ABC):
    """A function of tensors with a kernel for its output and one for its gradients.

    Small tensors take as long to pass to an operation as to compute with, so that one kernel is
    faster than many operations.
    """

    @abstractmethod
    def in_pytorch(self, *inputs: Tensor) -> Tensor:
        """Compute the output by PyTorch's operations, which can be differentiated repeatedly."""

    @abstractmethod
    def output(
        self, library: ctypes.CDLL, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the output of the kernel, and what the backward pass reads besides the inputs."""

    @abstractmethod
    def gradients(
        self,
        library: ctypes.CDLL,
        d_output: Tensor,
        inputs: Sequence[Tensor],
        kept: Sequence[Tensor],
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the inputs, given that of the output, which is contiguous."""

    def __call__(self, library: ctypes.CDLL, *inputs: Tensor) -> Tensor:
        """Compute the output."""
        if not records_gradients(inputs):
            return self.output(library, inputs)[0]
        result: Tensor = _Recorded.apply((self, library), *inputs)
        return result


class _Recorded(torch.autograd.Function):
    """A function by a kernel, with gradients of its inputs."""

    @staticmethod
    def forward(ctx: Any, options: tuple[KernelFunction, ctypes.CDLL], *inputs: Tensor) -> Tensor:
        """Compute the output, and keep what the backward pass reads."""
        function, library = options
        output, kept = function.output(library, inputs)
        ctx.options, ctx.num_inputs = options, len(inputs)
        ctx.save_for_backward(*inputs, *kept)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; if they are recorded, PyTorch computes them."""
        function, library = ctx.options
        saved = ctx.saved_tensors
        inputs, kept = saved[: ctx.num_inputs], saved[ctx.num_inputs :]
        if torch.is_grad_enabled():
            return None, *_recorded_gradients(function, inputs, grads[0])
        return None, *function.gradients(library, grads[0].contiguous(), inputs, kept)


def _recorded_gradients(
    function: KernelFunction, inputs: Sequence[Tensor], d_output: Tensor
) -> list[Tensor | None]:
    output = function.in_pytorch(*inputs)
    learning = [each for each in inputs if each.requires_grad]
    found = iter(torch.autograd.grad(output, learning, d_output, create_graph=True))
    return [next(found) if each.requires_grad else None for each in inputs]
