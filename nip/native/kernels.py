"""The compiled kernels of this process: whether they are used, and calling them."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from nip.native.build import BuildError, load_kernels

_is_wanted = True


@cache
def _loaded() -> ctypes.CDLL | BuildError:
    try:
        library = load_kernels()
    except BuildError as error:
        return error
    for name in ("nip_gin_kept", "nip_transformer_kept"):
        getattr(library, name).restype = ctypes.c_int64
    return library


def unavailable_reason() -> str | None:
    """Return why there are no kernels here; None if there are. Compile them if needed."""
    found = _loaded()
    return str(found) if isinstance(found, BuildError) else None


@contextmanager
def native_kernels(is_wanted: bool) -> Iterator[None]:
    """Use the kernels within the context where there are any, or never."""
    global _is_wanted
    before, _is_wanted = _is_wanted, is_wanted
    try:
        yield
    finally:
        _is_wanted = before


def kernels_for(tensors: Sequence[Tensor]) -> ctypes.CDLL | None:
    """Return the kernels if they can compute with these tensors: float32, on a processor."""
    if not _is_wanted or torch.is_autocast_enabled("cpu"):
        return None
    for tensor in tensors:
        if tensor.dtype != torch.float32 or not tensor.is_cpu or not tensor.is_contiguous():
            return None
    library = _loaded()
    return None if isinstance(library, BuildError) else library


def sizes(*numbers: int) -> ctypes.Array:
    """Return numbers as C reads them."""
    return (ctypes.c_int64 * len(numbers))(*numbers)


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return the address of a tensor's data; null for None."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array:
    """Return the addresses of the data of tensors."""
    return (ctypes.c_void_p * len(tensors))(*[tensor.data_ptr() for tensor in tensors])


def empty_like_each(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return uninitialised tensors of the same shapes, in one block of memory."""
    counts = [tensor.numel() for tensor in tensors]
    parts = tensors[0].new_empty(sum(counts)).split(counts)
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def records_gradients(tensors: Sequence[Tensor]) -> bool:
    """Return whether PyTorch records operations on these tensors for a backward pass."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def differentiable_gradients(
    output: Tensor, inputs: Sequence[Tensor], grads: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return gradients that can be differentiated again; None for inputs that require none."""
    wanted = [each for each in inputs if each.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, grads, create_graph=True))
    return [next(found) if each.requires_grad else None for each in inputs]
