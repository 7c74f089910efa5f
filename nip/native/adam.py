"""The norm of gradients, and steps of Adam, for many small tensors."""

import ctypes
from collections.abc import Sequence
from math import inf
from typing import Any, TypeGuard

import torch
from torch import Tensor

from nip.native.kernels import kernels_for, pointer
from nip.native.tensor_lists import TensorList, read_tensors

MAX_ENTRIES = 1 << 20
"""Entries of all tensors from which on PyTorch is used, which divides them among threads."""


class Moments:
    """Moments of Adam of some parameters.

    Parameters
    ----------
    means, squares, largest_squares : list of Tensor
        The moments by their names in PyTorch: ``exp_avg``, ``exp_avg_sq``, and ``max_exp_avg_sq``,
        which is empty without AMSGrad.
    """

    def __init__(
        self, means: list[Tensor], squares: list[Tensor], largest_squares: list[Tensor]
    ) -> None:
        # Aliases keep the memory that was read.
        kept = means, squares, largest_squares
        self._tensors = [[tensor.detach() for tensor in tensors] for tensors in kept]
        self._read: list[TensorList | None] | None = None

    def read(self, library: ctypes.CDLL) -> list[TensorList | None]:
        """Return where the entries of each list are, or None where a kernel cannot read them."""
        if self._read is None:
            self._read = [read_tensors(library, tensors) for tensors in self._tensors]
        return self._read


class _AdamOptions(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("lr", "beta1", "beta2", "eps", "weight_decay")),
        *((name, ctypes.c_int64) for name in ("is_decoupled", "maximizes")),
    )


def clip_norm(gradients: list[Tensor], max_norm: float | None) -> Tensor | None:
    """Scale gradients down to a joint norm by a kernel.

    Returns
    -------
    norm : Tensor or None
        The joint norm before, (); None if there is no kernel for them, and nothing was done.
    """
    library = kernels_for(gradients[:1])
    found = None if library is None else read_tensors(library, gradients)
    if library is None or found is None or found.num_entries > MAX_ENTRIES:
        return None
    norm = gradients[0].new_empty(())
    limit = ctypes.c_double(inf if max_norm is None else max_norm)
    count = ctypes.c_int64(len(gradients))
    if library.nip_clip_norm(count, found.sizes, found.addresses, limit, pointer(norm)):
        torch.autograd.graph.increment_version(gradients)
    return norm


def adam_step(
    params: list[Tensor],
    gradients: list[Tensor],
    moments: Moments,
    steps: Tensor,
    skip: Tensor | None,
    *,
    lr: Any,
    betas: Sequence[Any],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
    is_decoupled: bool,
) -> bool:
    """Take a step of Adam by a kernel, with the roundings of PyTorch's fused Adam.

    Parameters
    ----------
    params, gradients : list of Tensor
        Parameters and their gradients.
    moments : Moments
        Their moments.
    steps : Tensor
        The number of steps of each parameter, this one included, (parameter,).
    skip : Tensor, optional
        1 to do nothing, ().
    lr, betas, eps, weight_decay : float or Tensor
        Numbers of PyTorch's Adam; tensors are left to PyTorch.
    amsgrad, maximize : bool
        Options of PyTorch's Adam.
    is_decoupled : bool
        Whether weights decay as in AdamW.

    Returns
    -------
    has_stepped : bool
        False if there is no kernel for them, and nothing was done.
    """
    numbers = (lr, *betas, eps, weight_decay)
    library = kernels_for([steps] if skip is None else [steps, skip])
    if library is None or any(isinstance(number, Tensor) for number in numbers):
        return False
    read = [read_tensors(library, params), read_tensors(library, gradients)]
    read += moments.read(library)[: 3 if amsgrad else 2]
    if not _fit_together(read):
        return False
    library.nip_adam(
        ctypes.c_int64(len(params)),
        read[0].sizes,
        ctypes.byref(_AdamOptions(*numbers, is_decoupled, maximize)),
        pointer(steps),
        pointer(skip),
        *(each.addresses for each in read),
        *(() if amsgrad else (None,)),
    )
    return True


def _fit_together(read: list[TensorList | None]) -> TypeGuard[list[TensorList]]:
    """Return whether all lists could be read, and have tensors of the same few entries."""
    first = read[0]
    if first is None or first.num_entries > MAX_ENTRIES:
        return False
    return all(each is not None and each.has_sizes_of(first) for each in read)
