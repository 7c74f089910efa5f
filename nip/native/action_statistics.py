"""Log-probability and entropy of actions, as functions of the logits."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.native.functions import KernelFunction
from nip.native.kernels import kernels_for, pointer, pointers, sizes


class Actions(NamedTuple):
    """Actions of one kind."""

    logits: Float[Tensor, "*batch channel position symbol"]
    """Logits of the symbols."""

    symbols: Int[Tensor, "*batch channel position"]
    """The chosen symbols."""

    counts: Bool[Tensor, "*batch channel"]
    """Whether the actions of a channel take effect."""


def action_statistics(
    kinds: Sequence[Actions], *, with_entropy: bool
) -> Float[Tensor, "statistic *batch"]:
    """Return the log-probability of the actions that take effect, and the entropy of the choice.

    Parameters
    ----------
    kinds : sequence of Actions
        Independent actions of a batch of states, at least one of them.
    with_entropy : bool
        Whether the entropy, in nats, is needed.

    Raises
    ------
    IndexError
        If a symbol does not exist.
    """
    function = ActionStatistics(with_entropy)
    library = kernels_for([each.logits for each in kinds])
    inputs = [tensor for each in kinds for tensor in each]
    if library is None or not _can_read(kinds):
        return function.in_pytorch(*inputs)
    return function(library, *inputs)


def _can_read(kinds: Sequence[Actions]) -> bool:
    """Return whether all sizes are consistent; PyTorch says what is wrong otherwise."""
    batch = kinds[0].counts.shape[:-1]
    return all(
        each.symbols.shape == each.logits.shape[:-1]
        and each.counts.shape == each.logits.shape[:-2]
        and each.counts.shape[:-1] == batch
        for each in kinds
    )


@dataclass(frozen=True)
class ActionStatistics(KernelFunction):
    """Inputs are the fields of ``Actions`` of each kind."""

    with_entropy: bool
    """Whether the output has the entropy."""

    def in_pytorch(self, *inputs: Tensor) -> Float[Tensor, "statistic *batch"]:
        """Compute the output."""
        total: Tensor | None = None
        for logits, symbols, counts in _kinds(inputs):
            logs = logits.log_softmax(-1)
            found = logs.gather(-1, symbols.unsqueeze(-1)).squeeze(-1).unsqueeze(0)
            if self.with_entropy:
                entropies = -(logs.exp() * logs).sum(-1)
                found = torch.cat((found, entropies.unsqueeze(0)))
            of_kind = (found.sum(-1) * counts).sum(-1)
            total = of_kind if total is None else total + of_kind
        assert total is not None
        return total

    def output(
        self, library: ctypes.CDLL, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the output; sums of exponentials and entropies of all positions are kept."""
        logits, symbols, counts = _columns(inputs)
        results = logits[0].new_empty(1 + self.with_entropy, *counts[0].shape[:-1])
        kept = logits[0].new_empty(2 * sum(each.numel() for each in symbols))
        exist = library.nip_action_statistics_forward(
            *_sizes(logits, counts),
            pointers(logits),
            pointers(symbols),
            pointers(counts),
            *self._pointers(results),
            pointer(kept),
        )
        if not exist:
            ranges = [f"{int(each.min())} to {int(each.max())}" for each in symbols]
            widths = [str(each.shape[-1]) for each in logits]
            raise IndexError(
                f"Symbols must be less than the number of logits, {' and '.join(widths)}, and not "
                f"negative, got {' and '.join(ranges)}. The batch is of other agents."
            )
        return results, (kept,)

    def gradients(
        self,
        library: ctypes.CDLL,
        d_output: Tensor,
        inputs: Sequence[Tensor],
        kept: Sequence[Tensor],
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the logits."""
        logits, symbols, counts = _columns(inputs)
        d_logits = [torch.empty_like(each) for each in logits]
        library.nip_action_statistics_backward(
            *_sizes(logits, counts),
            *self._pointers(d_output),
            pointers(logits),
            pointers(symbols),
            pointers(counts),
            pointer(kept[0]),
            pointers(d_logits),
        )
        return [gradient for each in d_logits for gradient in (each, None, None)]

    def _pointers(self, statistics: Tensor) -> tuple[ctypes.c_void_p, ctypes.c_void_p]:
        """Return the addresses of log-probabilities and, if there are any, of entropies."""
        return pointer(statistics), pointer(statistics[1] if self.with_entropy else None)


def _kinds(inputs: Sequence[Tensor]) -> Iterator[Actions]:
    for first in range(0, len(inputs), len(Actions._fields)):
        yield Actions(*inputs[first : first + len(Actions._fields)])


def _columns(inputs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return all logits, symbols and counts, as the kernels read them."""
    num_fields = len(Actions._fields)
    logits, symbols, counts = (inputs[at::num_fields] for at in range(num_fields))
    return (
        [each.contiguous() for each in logits],
        [each.long().contiguous() for each in symbols],
        [each.bool().contiguous() for each in counts],
    )


def _sizes(logits: Sequence[Tensor], counts: Sequence[Tensor]) -> Sequence[Any]:
    """Return the sizes of the batch, and of each kind."""
    of_kinds = [size for each in logits for size in each.shape[-3:]]
    batch = counts[0][..., 0].numel()
    return ctypes.c_int64(batch), ctypes.c_int64(len(logits)), sizes(*of_kinds)
