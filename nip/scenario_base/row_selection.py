"""Rows of a batch on which an agent is computed: those that count, or all of them with a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from nip.errors import ParameterError

ROW_MASK = "row_mask"
"""Observation key of a mask, (batch,), of the rows that count. Present only with fixed shapes, in
which an agent is computed on all rows: what depends on several rows must leave out the others."""


@dataclass(frozen=True)
class RowSelection:
    """Rows of a batch that count for an agent, and how the others are left out.

    Either the agent is computed on the rows that count alone, or on all rows, and the results of
    the others are replaced by zeros. Counting rows makes the host wait for an accelerator, and
    compiled code needs constant shapes; on a CPU, computing fewer rows is faster.
    """

    indices: Int[Tensor, " row"] | None = None
    """Rows on which the agent is computed; None for all."""

    mask: Bool[Tensor, " batch"] | None = None
    """Which of all rows count; None if all rows on which the agent is computed do."""

    @classmethod
    def of(cls, mask: Bool[Tensor, " batch"], *, fixed_shapes: bool) -> RowSelection:
        """Select the rows in which a mask is true.

        Parameters
        ----------
        mask : Tensor
            The rows that count.
        fixed_shapes : bool
            Whether the agent is computed on all rows.
        """
        if fixed_shapes:
            return cls(mask=mask)
        rows = mask.nonzero().squeeze(-1)
        return cls(None if len(rows) == len(mask) else rows)

    @property
    def is_empty(self) -> bool:
        """Whether the agent is computed on no row."""
        return self.indices is not None and len(self.indices) == 0

    def take(self, tensor: Tensor) -> Tensor:
        """Return the rows on which the agent is computed."""
        return tensor if self.indices is None else tensor.index_select(0, self.indices)

    def take_each(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return these rows of each tensor."""
        return {name: self.take(value) for name, value in tensors.items()}

    def take_counting(self, tensor: Tensor) -> Tensor:
        """Return these rows, with zeros in those that do not count."""
        rows = self.take(tensor)
        return rows if self.mask is None else rows.masked_fill(~_like(self.mask, rows), 0)

    def observed(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the agent reads: these rows and, where it is needed, the mask."""
        rows = self.take_each(observation)
        return rows if self.mask is None else {**rows, ROW_MASK: self.mask}

    def write(self, target: Tensor, index: int, values: Tensor) -> None:
        """Write values of the computed rows into ``target[:, index]``, where they count."""
        if self.mask is not None:
            column = target[:, index]
            target[:, index] = torch.where(_like(self.mask, column), values, column)
        else:
            target[slice(None) if self.indices is None else self.indices, index] = values


def _like(mask: Tensor, tensor: Tensor) -> Tensor:
    """Return a mask of rows with as many dimensions as a tensor."""
    return mask.view(-1, *[1] * (tensor.ndim - 1))


def uses_fixed_shapes(
    chosen: Literal["auto", "compact", "fixed"],
    device: torch.device | str,
    agents: nn.Module,
    *,
    is_compiled: bool = False,
) -> bool:
    """Return whether agents are computed on all rows, as ``settings.agent_rows`` says.

    Parameters
    ----------
    chosen : str
        ``fixed``, ``compact``, or ``auto``: fixed shapes on accelerators, and for compiled code.
    device : torch.device or str
        Device of the agents.
    agents : nn.Module
        The agents. Batch normalisation that does not read ``ROW_MASK`` needs compact rows.
    is_compiled : bool
        Whether steps are compiled, which needs fixed shapes.

    Raises
    ------
    ParameterError
        If fixed shapes are requested for such agents.
    """
    # Counting all rows, it would normalise by frames in which an agent's actions have no effect.
    unmasked = [
        name
        for name, module in agents.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and not getattr(module, "reads_row_mask", False)
    ]
    if unmasked and (chosen == "fixed" or is_compiled):
        option = "settings.compile" if is_compiled else "settings.agent_rows='fixed'"
        raise ParameterError(
            f"{option} computes agents on all frames, but {unmasked[0]} "
            "normalises over frames and would include those in which it is not the agent's turn. "
            "Set settings.agent_rows=compact and settings.compile=off, or let the layer read "
            f"observation[{ROW_MASK!r}], the mask, and set its attribute reads_row_mask to True."
        )
    if chosen == "auto":
        return is_compiled or (torch.device(device).type != "cpu" and not unmasked)
    return chosen == "fixed"
