"""Adam and AdamW that update all groups of parameters with equal options in one call.

PyTorch's step makes a call for each group, and collects the parameters and moments of each group
anew. For small networks with many tensors this takes longer than the arithmetic.
"""

from collections.abc import Callable, Sequence
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

    _joint: Sequence[tuple[dict[str, Any], _Lists]] = ()
    """Groups with different options, each with the tensors of all groups like it."""

    _counters: list[tuple[int, Tensor]]
    """Index of a group, and the number of steps of each of its tensors in the lists; the states
    hold its entries."""

    _seen: Any = None
    """What the lists depend on."""

    _keys: Sequence[tuple[Any, ...]] = ()
    """For each group: what all groups have in common that are updated together with it."""

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
            self._collect()
            for index, counter in self._counters:
                skip = self._skips(self.param_groups[index])
                counter.add_(1 if skip is None else 1 - skip)
            for group, lists in self._joint:
                lists.gradients[:] = [each.grad for each in lists.params if each.grad is not None]
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

    def _collect(self) -> None:
        """Collect the tensors of the groups, if there are others than in the step before."""
        has_gradient = [
            [parameter.grad is not None for parameter in group["params"]]
            for group in self.param_groups
        ]
        is_new = self._lists is None or self._seen != (id(self.state), has_gradient)
        if is_new or self._moved():
            self._lists, self._counters, self._keys = [], [], ()
            for index, group in enumerate(self.param_groups):
                lists = _Lists([], [], [], [], [], [])
                self._init_group(group, *lists)
                self._share_counter(index, lists)
                self._lists.append(lists)
            self._seen = id(self.state), has_gradient
        self._join()

    def _join(self) -> None:
        """Join the tensors of groups with equal options, if these were not equal before."""
        assert self._lists is not None
        keys = [_key(*pair) for pair in zip(self.param_groups, self._lists, strict=True)]
        if keys == self._keys:
            return
        joint: dict[tuple[Any, ...], tuple[dict[str, Any], _Lists]] = {}
        for key, group, lists in zip(keys, self.param_groups, self._lists, strict=True):
            if lists.params:
                _, joined = joint.setdefault(key, (group, _Lists([], [], [], [], [], [])))
                for all_tensors, more in zip(joined, lists, strict=True):
                    all_tensors.extend(more)
        self._joint, self._keys = list(joint.values()), keys

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


def _key(group: dict[str, Any], lists: _Lists) -> tuple[Any, ...]:
    """Return what groups that are updated in one call have in common."""
    kinds = (lists.params[0].device, lists.params[0].dtype) if lists.params else ()
    return (*(group[name] for name in OPTIONS), id(group.get(SKIP)), *kinds)


def _last_learning(group: dict[str, Any]) -> Tensor | None:
    for parameter in reversed(group["params"]):
        if parameter.grad is not None:
            return parameter
    return None


class JointAdam(_JointStep):
    """``torch.optim.Adam`` with one call for all groups with equal options."""


class JointAdamW(_JointStep, torch.optim.AdamW):
    """``torch.optim.AdamW`` with one call for all groups with equal options."""
