"""Addresses of the tensors of a list, checked and read in one call."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from nip.native.kernels import PLAIN


class TensorList(NamedTuple):
    """Addresses and sizes of tensors, as C reads them. They are valid as long as the tensors."""

    addresses: ctypes.Array
    sizes: ctypes.Array
    """Number of entries of each tensor."""

    num_entries: int
    """Number of entries of all tensors."""

    def has_sizes_of(self, other: "TensorList") -> bool:
        """Return whether the tensors have as many entries as those of another list, in order."""
        return bytes(self.sizes) == bytes(other.sizes)


def read_tensors(library: ctypes.CDLL, tensors: list[Tensor]) -> TensorList | None:
    """Return where the entries of tensors are, or None if a kernel cannot compute with them.

    All must be of float32, in main memory, without gaps, and of no subclass.
    """
    if not {*map(type, tensors)} <= PLAIN:
        return None
    count = len(tensors)
    addresses, sizes = (ctypes.c_void_p * count)(), (ctypes.c_int64 * count)()
    try:
        num_entries = _reader(library)(tensors, count, addresses, sizes)
    except RuntimeError:  # Tensors without memory, such as those of torch.func.
        return None
    return None if num_entries < 0 else TensorList(addresses, sizes, num_entries)


@cache
def _reader(library: ctypes.CDLL) -> Callable[..., int]:
    """Return the function that reads a list, with the GIL, which it needs."""
    read = ctypes.PyDLL(library._name).nip_read_tensors
    read.restype = ctypes.c_int64
    pointer = ctypes.c_void_p
    read.argtypes = [pointer, pointer, ctypes.py_object, ctypes.c_int64, pointer, pointer]
    # PyTorch's functions of the C interface of DLPack.
    address_in = ctypes.pythonapi.PyCapsule_GetPointer
    address_in.restype, address_in.argtypes = pointer, [ctypes.py_object, ctypes.c_char_p]
    exchange = address_in(torch.Tensor.__dlpack_c_exchange_api__, b"dlpack_exchange_api")
    item_of = ctypes.cast(ctypes.pythonapi.PyList_GetItem, pointer)
    return lambda *arguments: read(exchange, item_of, *arguments)
