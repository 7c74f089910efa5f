"""Adam and AdamW that update all groups of parameters with equal options in one call.

PyTorch's step makes a call for each group, and collects the parameters and moments of each group
anew. For small networks with many tensors this takes longer than the arithmetic.
"""

from collections.abc import Callable, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nip.native.adam import Moments, adam_step

NUMBERS = ("lr", "eps", "weight_decay", "amsgrad", "maximize")
OPTIONS = (*NUMBERS, "betas", "decoupled_weight_decay")
"""Options of a group that enter the update."""

_options_of = itemgetter(*OPTIONS)


class _Lists(NamedTuple):
    """Tensors of some parameters, in the order in which PyTorch collects them."""

    params: list[Tensor]
    gradients: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    largest_squares: list[Tensor]
    steps: list[Tensor]


class _Joint(NamedTuple):
    """Groups that are updated in one call."""

    indices: list[int]
    """Indices of the groups, which have equal options."""

    lists: _Lists
    """Tensors of all groups."""

    counter: Tensor
    """Number of steps of each parameter; the states hold its entries, (parameter,)."""

    moments: Moments


SKIP = "skip"
"""Entry of a group: 1 to leave its parameters and moments as they are, else 0, (); or None."""


class _JointStep(torch.optim.Adam):
    """The step of Adam with ``fused=True``; the states are those of PyTorch."""

    found_inf: Tensor | None = None
    """1 to leave parameters and moments as they are, else 0, (); None is 0. As in PyTorch's fused
    optimizers, this is decided on the device."""

    _lists: list[_Lists] | None = None
    """Of each group: what has a gradient."""

    _joints: Sequence[_Joint] = ()
    """Groups with different options, each with all groups like it."""

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
            gradients = self._collect()
            for joint in self._joints:
                own = chain.from_iterable(gradients[index] for index in joint.indices)
                joint.lists.gradients[:] = [each for each in own if each is not None]
                self._update(joint)
        return loss

    def _skips(self, group: dict[str, Any]) -> Tensor | None:
        """Return 1 where a group stays as it is, else 0, or None, which is 0."""
        given = [each for each in (self.found_inf, group.get(SKIP)) if each is not None]
        return torch.stack(given).amax() if len(given) > 1 else (given or [None])[0]

    def _update(self, joint: _Joint) -> None:
        lists, group = joint.lists, self.param_groups[joint.indices[0]]
        skip = self._skips(group)
        joint.counter.add_(1 if skip is None else 1 - skip)
        options = {name: group[name] for name in NUMBERS}
        betas, is_decoupled = group["betas"], group["decoupled_weight_decay"]
        if adam_step(
            lists.params,
            lists.gradients,
            joint.moments,
            joint.counter,
            skip,
            betas=betas,
            is_decoupled=is_decoupled,
            **options,
        ):
            return
        update = torch._fused_adamw_ if is_decoupled else torch._fused_adam_
        update(*lists, beta1=betas[0], beta2=betas[1], found_inf=skip, **options)

    def _collect(self) -> list[list[Tensor | None]]:
        """Collect the tensors of the groups, if there are others than in the step before.

        Returns
        -------
        gradients : list of list of Tensor or None
            The gradients of each group.
        """
        gradients = [
            [parameter.grad for parameter in group["params"]] for group in self.param_groups
        ]
        has_gradient = [[each is not None for each in of_group] for of_group in gradients]
        is_new = self._lists is None or self._seen != (id(self.state), has_gradient)
        if is_new or self._moved():
            self._lists, self._joints, self._keys = [], (), ()
            for group in self.param_groups:
                lists = _Lists([], [], [], [], [], [])
                self._init_group(group, *lists)
                self._lists.append(lists)
            self._seen = id(self.state), has_gradient
        self._join()
        return gradients

    def _join(self) -> None:
        """Join the tensors of groups with equal options, if others were equal before."""
        assert self._lists is not None
        keys = [_key(*pair) for pair in zip(self.param_groups, self._lists, strict=True)]
        if keys == self._keys:
            return
        joint: dict[tuple[Any, ...], list[int]] = {}
        for index, (key, lists) in enumerate(zip(keys, self._lists, strict=True)):
            if lists.params:
                joint.setdefault(key, []).append(index)
        if list(joint.values()) != [each.indices for each in self._joints]:
            self._joints = [self._joined(indices) for indices in joint.values()]
        self._keys = keys

    def _joined(self, indices: list[int]) -> _Joint:
        """Join the tensors of some groups, and make their steps entries of one tensor."""
        assert self._lists is not None
        parts = [self._lists[index] for index in indices]
        counter = torch.stack([step for part in parts for step in part.steps])
        entries = iter(counter.unbind())
        for part in parts:
            part.steps[:] = islice(entries, len(part.steps))
            for parameter, step in zip(part.params, part.steps, strict=True):
                self.state[parameter]["step"] = step
        lists = _Lists(*(list(chain.from_iterable(each)) for each in zip(*parts, strict=True)))
        moments = Moments(lists.means, lists.squares, lists.largest_squares)
        return _Joint(indices, lists, counter, moments)

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
    return (*_options_of(group), id(group.get(SKIP)), *kinds)


def _last_learning(group: dict[str, Any]) -> Tensor | None:
    for parameter in reversed(group["params"]):
        if parameter.grad is not None:
            return parameter
    return None


class JointAdam(_JointStep):
    """``torch.optim.Adam`` with one call for all groups with equal options."""


class JointAdamW(_JointStep, torch.optim.AdamW):
    """``torch.optim.AdamW`` with one call for all groups with equal options."""
