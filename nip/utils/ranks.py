"""Collectives between the ranks of a data-parallel training.

``torchrun`` starts the processes and sets the rank of each. All ranks run the same code and must
call the same collectives in the same order. Only tensors are sent; nothing is pickled. With a
single process all operations are no-ops and torch is not imported.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from nip.errors import RankError

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")

TIMEOUT = timedelta(minutes=30)
"""Timeout of collectives; torchrun stops all ranks much sooner when one has failed."""


@dataclass(frozen=True)
class Ranks:
    """Rank of this process and number of ranks; the default is a single process."""

    rank: int = 0
    """Index of this process, from 0."""

    size: int = 1
    """Number of processes (world size)."""

    local_rank: int = 0
    """Index of this process on its machine."""

    local_size: int = 1
    """Number of processes on this machine."""

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, the only one that writes files."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a contiguous tensor by its sum over all ranks, and return it."""
        if self.size > 1:
            import torch.distributed as dist

            dist.all_reduce(tensor)
        return tensor

    def mean_(self, tensor: Tensor) -> Tensor:
        """Replace a contiguous tensor by its mean over all ranks, and return it."""
        return self.sum_(tensor).div_(self.size) if self.size > 1 else tensor

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all ranks, in one collective.

        A missing gradient counts as zeros; if it is missing on all ranks, it stays None.
        """
        if self.size == 1:
            return
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        if not learning:
            return
        import torch

        has_gradient = [parameter.grad is not None for parameter in learning]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
        present = gradients[0].new_tensor(has_gradient)
        flat = self.mean_(torch.cat([each.flatten() for each in (*gradients, present)]))
        *means, present = flat.split([each.numel() for each in (*gradients, present)])
        # Reading the flags synchronises with the device: skipped if no gradient is missing.
        is_there = has_gradient if all(has_gradient) else present.tolist()
        for parameter, mean, is_known in zip(learning, means, is_there, strict=True):
            parameter.grad = mean.view_as(parameter).to(parameter.dtype) if is_known else None

    def average_buffers(self, *modules: nn.Module) -> None:
        """Replace each buffer, such as running statistics, by its mean over all ranks."""
        buffers = list({id(b): b for module in modules for b in module.buffers()}.values())
        if self.size == 1 or not buffers:
            return
        import torch

        flat = self.mean_(torch.cat([buffer.flatten().double() for buffer in buffers]))
        for buffer, mean in zip(buffers, flat.split([b.numel() for b in buffers]), strict=True):
            buffer.copy_(mean.view_as(buffer))

    def share_weights(self, *modules: nn.Module) -> None:
        """Copy the weights of modules from rank 0 to all ranks."""
        if self.size == 1:
            return
        import torch

        for module in modules:
            state = module.state_dict()
            tensors = {k: value for k, value in state.items() if isinstance(value, torch.Tensor)}
            module.load_state_dict({**state, **self.share(tensors)})

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Return the tensors of each rank, in the order of ranks, on the CPU.

        Names, shapes and dtypes may differ between ranks.
        """
        if self.size == 1:
            return [dict(tensors)]
        import torch
        import torch.distributed as dist

        own = _encode(tensors)
        lengths = self.sum_(torch.eye(self.size, dtype=torch.long)[self.rank] * len(own)).tolist()
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(own)] = own
        received = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(received, padded)
        return [_decode(each[:length]) for each, length in zip(received, lengths, strict=True)]

    def share(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of rank 0, on the CPU; those of other ranks are ignored."""
        if self.size == 1:
            return dict(tensors)
        import torch
        import torch.distributed as dist

        own = _encode(tensors if self.is_first else {})
        (length,) = self.first([len(own)])
        data = own if self.is_first else torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(data, src=0)
        return _decode(data)

    def share_text(self, text: str) -> str:
        """Return the text of rank 0."""
        if self.size == 1:
            return text
        import torch

        encoded = torch.tensor(list(text.encode()), dtype=torch.uint8)
        return bytes(self.share({"text": encoded})["text"].tolist()).decode()

    def gather_texts(self, text: str) -> list[str]:
        """Return the text of each rank, in the order of ranks."""
        if self.size == 1:
            return [text]
        import torch

        encoded = torch.tensor(list(text.encode()), dtype=torch.uint8)
        return [bytes(each["text"].tolist()).decode() for each in self.gather({"text": encoded})]

    def first(self, values: Sequence[float]) -> list[float]:
        """Return the numbers of rank 0; all ranks must pass equally many."""
        if self.size == 1:
            return list(values)
        import torch
        import torch.distributed as dist

        numbers = torch.tensor(list(values), dtype=torch.float64)
        dist.broadcast(numbers, src=0)
        return numbers.tolist()

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return, for each flag, whether it is set on any rank."""
        if self.size == 1:
            return list(flags)
        import torch

        return [count > 0 for count in self.sum_(torch.tensor(flags, dtype=torch.long)).tolist()]

    def barrier(self) -> None:
        """Wait until all ranks have called this."""
        self.any([False])

    def only_first(self, action: Callable[[], T]) -> T | None:
        """Call a function on rank 0 only; return its result there and None on other ranks.

        The other ranks wait until it has returned.

        Raises
        ------
        RankError
            On the other ranks, if the call failed on rank 0, where the error itself is raised.
        """
        result, failure = None, None
        if self.is_first:
            try:
                result = action()
            except Exception as error:
                failure = error
        (has_failed,) = self.any([failure is not None])
        if has_failed:
            raise failure or RankError("Rank 0 has failed; see its error message.")
        return result


ALONE = Ranks()


def launched_ranks() -> Ranks:
    """Return the ranks set by torchrun, whether or not they are connected."""
    if "RANK" not in os.environ:
        return ALONE
    defaults = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    return Ranks(*(int(os.environ.get(name, value)) for name, value in defaults.items()))


def current_ranks() -> Ranks:
    """Return the connected ranks; ``ALONE`` outside of ``connected_ranks``."""
    return _connected


@contextmanager
def connected_ranks(device: str) -> Iterator[Ranks]:
    """Connect the processes started by torchrun for the duration of a ``with`` block.

    CPU tensors are sent with gloo, GPU tensors with NCCL. With a single process, or if the ranks
    are already connected, this does nothing.

    Parameters
    ----------
    device : str
        Device of this process.
    """
    global _connected
    launched = launched_ranks()
    if launched.size == 1 or _connected.size > 1:
        yield _connected
        return
    import torch
    import torch.distributed as dist

    is_on_gpu = device.startswith("cuda")
    if is_on_gpu:
        torch.cuda.set_device(device)
    store, rank, size = next(dist.rendezvous("env://", timeout=TIMEOUT))
    # A second group must not read the addresses that the first one left in the store.
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if is_on_gpu else "gloo",
        store=dist.PrefixStore(f"nip {next(_numbers)}", store),
        rank=rank,
        world_size=size,
        timeout=TIMEOUT,
    )
    _connected = launched
    try:
        yield launched
        launched.barrier()
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        # gloo reports only a lost connection, not its cause.
        raise RankError("Another rank has failed; see its error message.") from error
    finally:
        _connected = ALONE
        dist.destroy_process_group()


_connected = ALONE
_numbers = itertools.count()


def _encode(tensors: Mapping[str, Tensor]) -> Tensor:
    """Encode tensors as the bytes of a safetensors file."""
    import torch
    from safetensors.torch import save

    copies = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    return torch.frombuffer(bytearray(save(copies)), dtype=torch.uint8)


def _decode(data: Tensor) -> dict[str, Tensor]:
    from safetensors.torch import load

    # Copied, because tensors in a file are not aligned, and rounding may depend on alignment.
    return {name: tensor.clone() for name, tensor in load(data.numpy().tobytes()).items()}
