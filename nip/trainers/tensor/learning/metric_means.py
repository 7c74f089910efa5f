"""Means of the metrics of minibatches, over steps or over rows."""

from collections.abc import Mapping, Sequence

import torch
from tensordict import TensorDictBase
from torch import Tensor


def mean_over_steps(steps: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Average each metric over the steps that have it, with a single transfer to the host."""
    if not steps:
        return {}
    names = sorted({name for step in steps for name in step.keys()})
    means = torch.stack(
        [
            _floats(torch.stack([step[name] for step in steps if name in step.keys()])).mean()
            for name in names
        ]
    )
    return dict(zip(names, means.tolist(), strict=True))


def _floats(values: Tensor) -> Tensor:
    """Return counts and flags as floats, which have a mean."""
    return values if values.is_floating_point() else values.float()


def mean_over_rows(minibatches: Sequence[tuple[TensorDictBase, int]]) -> dict[str, float]:
    """Average each metric over rows, given minibatches and their numbers of rows.

    The terms ``loss_<agent>``, which are logged as ``<agent>.loss``, are left out.
    """
    sums: dict[str, Tensor] = {}
    num_rows: dict[str, int] = {}
    for metrics, count in minibatches:
        for name, value in metrics.items():
            sums[name] = sums.get(name, 0.0) + value.float() * count
            num_rows[name] = num_rows.get(name, 0) + count
    agents = {name.removesuffix(".loss") for name in sums if name.endswith(".loss")}
    kept = [name for name in sums if name.removeprefix("loss_") not in agents]
    means = torch.stack([sums[name] / num_rows[name] for name in kept]).tolist()
    return dict(zip(kept, means, strict=True))
