"""The library of compiled kernels in this process, which is found without importing PyTorch."""

import ctypes
from functools import cache

from nip.native.build import load_kernels
from nip.native.compiler import BuildError


@cache
def kernel_library() -> ctypes.CDLL | BuildError:
    """Return the library, compiled if needed; the error if there can be none here."""
    try:
        library = load_kernels()
    except BuildError as error:
        return error
    for name in ("nip_gin_kept", "nip_transformer_kept"):
        getattr(library, name).restype = ctypes.c_int64
    return library


def unavailable_reason() -> str | None:
    """Return why there are no kernels here; None if there are. Compile them if needed."""
    found = kernel_library()
    return str(found) if isinstance(found, BuildError) else None
