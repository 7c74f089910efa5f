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


SKIP = "skip"
"""Entry of a group: 1 to leave its parameters and moments as they are, else 0, (); or None."""


class _JointStep(torch.optim.Adam):
    """The step of Adam with ``fused=True``; the states are those of PyTorch."""

    found_inf: Tensor | None = None
    """1 to leave parameters and moments as they are, else 0, (); None is 0. As in PyTorch's fused
    optimizers, this is decided on the device."""

    _lists: list[_Lists] | None = None
    """Of each group: what has a gradient."""

    _counters: list[tuple[int, Tensor]]
    """Index of a group, and the number of steps of each of its tensors in the lists; the states
    hold its entries."""

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
            for index, counter in self._counters:
                skip = self._skips(self.param_groups[index])
                counter.add_(1 if skip is None else 1 - skip)
            for group, lists in joined:
                self._update(group, lists)
        return loss

    def _skips(self, group: dict[str, Any]) -> Tensor | None:
        """Return 1 where a group stays as it is, else 0, or None, which is 0."""
        given = [each for each in (self.found_inf, group.get(SKIP)) if each is not None]
        return torch.stack(given).amax() if len(given) > 1 else (given or [None])[0]

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
            found_inf=self._skips(group),
        )

    def _joined(self) -> list[tuple[dict[str, Any], _Lists]]:
        """Return groups with different options, each with the tensors of all groups like it."""
        joined: dict[tuple[Any, ...], tuple[dict[str, Any], _Lists]] = {}
        for group, lists in zip(self.param_groups, self._collected(), strict=True):
            if not lists.params:
                continue
            first = lists.params[0]
            skip = id(group.get(SKIP))
            key = (*(group[name] for name in OPTIONS), first.device, first.dtype, skip)
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
            for index, group in enumerate(self.param_groups):
                lists = _Lists([], [], [], [], [], [])
                self._init_group(group, *lists)
                self._share_counter(index, lists)
                self._lists.append(lists)
            self._seen = id(self.state), has_gradient
        else:
            for lists, present in zip(self._lists, gradients, strict=True):
                lists.gradients[:] = [each for each in present if each is not None]
        return self._lists

    def _share_counter(self, index: int, lists: _Lists) -> None:
        """Make the steps of some parameters entries of one tensor, which takes one addition."""
        if lists.steps:
            counter = torch.stack(lists.steps)
            self._counters.append((index, counter))
            lists.steps[:] = counter.unbind()
            for parameter, step in zip(lists.params, lists.steps, strict=True):
                self.state[parameter]["step"] = step

    def _moved(self) -> bool:
        """Return whether states or parameters were replaced.

        So it is when a checkpoint was loaded, or when another optimizer has taken steps.
        """
        assert self._lists is not None
        return any(
            lists.params
            and (
                self.state.get(lists.params[0], {}).get("exp_avg") is not lists.means[0]
                or self.state[lists.params[0]]["step"] is not lists.steps[0]
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
