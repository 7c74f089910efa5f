"""Adam and AdamW that update all groups of parameters with equal options in one call.

PyTorch's step makes a call for each group, and collects the parameters and moments of each group
anew. For small networks with many tensors this takes longer than the arithmetic.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

OPTIONS = ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay")
"""Options of a group that enter the update."""


class _Lists(NamedTuple):
    """Tensors of some parameters, in the order in which PyTorch collects them."""

    params: list[Tensor]
    gradients: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    largest_squares: list[Tensor]
    steps: list[Tensor]


class _JointStep(torch.optim.Adam):
    """The step of Adam with ``fused=True``; the states are those of PyTorch."""

    _lists: list[_Lists] | None = None
    """Of each group: what has a gradient."""

    _counters: list[Tensor]
    """Number of steps of each tensor in the lists; the states hold its entries."""

    _seen: Any = None
    """What the lists depend on."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Delete all gradients, or set them to zero."""
        if not set_to_none:
            super().zero_grad(set_to_none=False)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            joined = self._joined()
            for counter in self._counters:
                counter.add_(1)
            for group, lists in joined:
                self._update(group, lists)
        return loss

    def _update(self, group: dict[str, Any], lists: _Lists) -> None:
        is_decoupled = group["decoupled_weight_decay"]
        update = torch._fused_adamw_ if is_decoupled else torch._fused_adam_
        beta1, beta2 = group["betas"]
        update(
            *lists,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )

    def _joined(self) -> list[tuple[dict[str, Any], _Lists]]:
        """Return groups with different options, each with the tensors of all groups like it."""
        joined: dict[tuple[Any, ...], tuple[dict[str, Any], _Lists]] = {}
        for group, lists in zip(self.param_groups, self._collected(), strict=True):
            if not lists.params:
                continue
            first = lists.params[0]
            key = (*(group[name] for name in OPTIONS), first.device, first.dtype)
            if key in joined:
                for all_tensors, more in zip(joined[key][1], lists, strict=True):
                    all_tensors.extend(more)
            else:
                joined[key] = group, _Lists(*(list(tensors) for tensors in lists))
        return list(joined.values())

    def _collected(self) -> list[_Lists]:
        """Return the tensors of each group, collected anew only if there are others than before."""
        gradients = [
            [parameter.grad for parameter in group["params"]] for group in self.param_groups
        ]
        has_gradient = [[gradient is not None for gradient in group] for group in gradients]
        if self._lists is None or self._seen != (id(self.state), has_gradient) or self._moved():
            self._lists, self._counters = [], []
            for group in self.param_groups:
                lists = _Lists([], [], [], [], [], [])
                self._init_group(group, *lists)
                self._share_counter(lists)
                self._lists.append(lists)
            self._seen = id(self.state), has_gradient
        else:
            for lists, present in zip(self._lists, gradients, strict=True):
                lists.gradients[:] = [each for each in present if each is not None]
        return self._lists

    def _share_counter(self, lists: _Lists) -> None:
        """Make the steps of some parameters entries of one tensor, which takes one addition."""
        if lists.steps:
            self._counters.append(torch.stack(lists.steps))
            lists.steps[:] = self._counters[-1].unbind()
            for parameter, step in zip(lists.params, lists.steps, strict=True):
                self.state[parameter]["step"] = step

    def _moved(self) -> bool:
        """Return whether states or parameters were replaced, as when a checkpoint is loaded."""
        assert self._lists is not None
        return any(
            lists.params
            and (
                self.state.get(lists.params[0], {}).get("exp_avg") is not lists.means[0]
                or lists.params[-1] is not _last_learning(group)
            )
            for group, lists in zip(self.param_groups, self._lists, strict=True)
        )


def _last_learning(group: dict[str, Any]) -> Tensor | None:
    for parameter in reversed(group["params"]):
        if parameter.grad is not None:
            return parameter
    return None


class JointAdam(_JointStep):
    """``torch.optim.Adam`` with one call for all groups with equal options."""


class JointAdamW(_JointStep, torch.optim.AdamW):
    """``torch.optim.AdamW`` with one call for all groups with equal options."""
