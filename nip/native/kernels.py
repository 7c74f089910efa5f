"""The compiled kernels of this process: whether they are used, and calling them."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from nip.native.compiler import BuildError
from nip.native.library import kernel_library

PLAIN = {Tensor, nn.Parameter}
"""Types of tensors that have memory; those of subclasses may have none."""

_is_wanted = ContextVar("_is_wanted", default=True)


@contextmanager
def native_kernels(is_wanted: bool) -> Iterator[None]:
    """Use the kernels within the context where there are any, or never. Threads have their own."""
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        # If it is never left, the generator is closed at any time, where there is nothing to undo.
        with suppress(ValueError):
            _is_wanted.reset(token)


def kernels_for(tensors: Sequence[Tensor]) -> ctypes.CDLL | None:
    """Return the kernels if they can compute with these tensors: float32, on a processor.

    PyTorch's compiler cannot look into them, nor can what transforms functions, so that code within
    these has none.
    """
    if _is_transformed() or not _is_wanted.get() or torch.is_autocast_enabled("cpu"):
        return None
    if not {*map(type, tensors)} <= PLAIN:
        return None
    for tensor in tensors:
        if tensor.dtype != torch.float32 or not tensor.is_cpu or not tensor.is_contiguous():
            return None
    library = kernel_library()
    return None if isinstance(library, BuildError) else library


def _is_transformed() -> bool:
    """Return whether operations are compiled, transformed, or differentiated in forward mode."""
    return (
        torch.compiler.is_compiling()
        or forward_ad._current_level >= 0
        or torch._C._are_functorch_transforms_active()
    )


def sizes(*numbers: int) -> ctypes.Array:
    """Return numbers as C reads them."""
    return (ctypes.c_int64 * len(numbers))(*numbers)


def floats(*numbers: float) -> ctypes.Array:
    """Return numbers as C reads them, in single precision."""
    return (ctypes.c_float * len(numbers))(*numbers)


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return the address of a tensor's data; null for None."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array:
    """Return the addresses of the data of tensors."""
    return array_of([tensor.data_ptr() for tensor in tensors])


def array_of(addresses: Sequence[int]) -> ctypes.Array:
    """Return addresses as C reads them."""
    return (ctypes.c_void_p * len(addresses))(*addresses)


def pointers_into(flat: Tensor, tensors: Sequence[Tensor]) -> list[int]:
    """Return the addresses of the parts of a flat float32 tensor, as large as others."""
    sizes_in_bytes = [4 * tensor.numel() for tensor in tensors]
    return list(accumulate(sizes_in_bytes[:-1], initial=flat.data_ptr()))


def parts_like(flat: Tensor, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the parts of a flat tensor in the shapes of others, one after another."""
    parts: Sequence[Tensor] = torch._utils._unflatten_dense_tensors(flat, tensors)
    return parts


def records_gradients(tensors: Sequence[Tensor]) -> bool:
    """Return whether PyTorch records operations on these tensors for a backward pass."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
