"""A mode in which operations fail that make the host wait for an accelerator."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten

WAITING = {
    aten._local_scalar_dense,
    aten._unique,
    aten._unique2,
    aten.bincount,
    aten.equal,
    aten.is_nonzero,
    aten.masked_select,
    aten.nonzero,
    aten.nonzero_numpy,
    aten.unique_consecutive,
    aten.unique_dim,
}
"""Operations whose result, or its shape, is read by the host."""

INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._unsafe_index}
"""Operations that count the entries of masks among their indices."""

FROM_HOST = {aten.lift_fresh, aten.lift}
"""What ``torch.tensor`` does: values of the host become a tensor."""

READ_DIRECTLY = ("tolist", "numpy", "cpu", "__array__")
"""Methods that read the memory of a tensor without an operation."""


class HostSynchronisationError(AssertionError):
    """Raised for an operation that makes the host wait."""


class NoHostSynchronisation(TorchDispatchMode):
    """Raises ``HostSynchronisationError`` where the host would wait for an accelerator."""

    def __enter__(self) -> Any:
        self._patches = [patch.object(Tensor, name, _refuse(name)) for name in READ_DIRECTLY]
        for each in self._patches:
            each.start()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for each in self._patches:
            each.stop()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        packet = func.overloadpacket
        masks = args[1] if packet in INDEXING else ()
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if (
            # Single numbers of the host are passed to a kernel by value.
            len({each.device for each in given if each.ndim > 0}) > 1
            or packet in WAITING | FROM_HOST
            or func is aten.repeat_interleave.Tensor
            or any(each is not None and each.dtype in (torch.bool, torch.uint8) for each in masks)
            or (packet is aten._to_copy and kwargs.get("device") not in (None, args[0].device))
        ):
            raise HostSynchronisationError(str(func))
        return func(*args, **kwargs)


def _refuse(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> None:
        raise HostSynchronisationError(f"Tensor.{name}")

    return refuse
