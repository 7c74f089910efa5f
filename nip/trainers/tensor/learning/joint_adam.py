"""Adam and AdamW that update all groups of parameters with equal options in one call.

PyTorch's step makes a call for each group, and collects the parameters and moments of each group
anew. For small networks with many tensors this takes longer than the arithmetic.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nip.native.adam import Moments, adam_step

NUMBERS = ("lr", "eps", "weight_decay", "amsgrad", "maximize")
"""Options of a group that enter the update as they are."""

_options_of = itemgetter(*NUMBERS, "decoupled_weight_decay")


class _Joint(NamedTuple):
    """Parameters that are updated in one call, with their moments by their names in PyTorch."""

    group: dict[str, Any]
    """A group with the options of all of them."""

    params: list[Tensor]
    exp_avgs: list[Tensor]
    exp_avg_sqs: list[Tensor]
    max_exp_avg_sqs: list[Tensor]
    """Empty without AMSGrad."""

    counter: Tensor
    """Number of steps of each parameter, (parameter,)."""

    steps: list[Tensor]
    """Entries of the counter, which the states hold."""

    moments: Moments


SKIP = "skip"
"""Entry of a group: 1 to leave its parameters and moments as they are, else 0, (); or None."""


class _JointStep(torch.optim.Adam):
    """The step of Adam with ``fused=True``; the states are those of PyTorch."""

    found_inf: Tensor | None = None
    """1 to leave parameters and moments as they are, else 0, (); None is 0. As in PyTorch's fused
    optimizers, this is decided on the device."""

    _joints: Sequence[_Joint] = ()
    """All parameters that have a gradient."""

    _seen: Sequence[Any] = ()
    """Signature of what is joined."""

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
            if not _are_same(self._signature(), self._seen):
                self._joints = self._join()
                self._seen = self._signature()  # Anew, since the states have other steps now.
            for joint in self._joints:
                self._update(joint)
        return loss

    def _signature(self) -> list[Any]:
        """Return the objects on which it depends what is joined: another one is a change.

        These are parameters that have a gradient, the first group with equal options for each
        group, and the contents of all states, which are replaced if a checkpoint is loaded or
        moments are reset.
        """
        found: list[Any] = []
        equal_to: dict[tuple[Any, ...], dict[str, Any]] = {}
        for group in self.param_groups:
            found += equal_to.setdefault(_key(group), group), bool(group["amsgrad"])
            found += [each for each in group["params"] if each.grad is not None]
        # To iterate over the states is much faster than to look them up by parameters.
        found += self.state
        found += chain.from_iterable(map(dict.values, self.state.values()))
        return found

    def _join(self) -> list[_Joint]:
        """Join all parameters that have a gradient, by options, device and dtype."""
        alike: dict[tuple[Any, ...], tuple[dict[str, Any], list[list[Any]]]] = {}
        for group in self.param_groups:
            _, lists = alike.setdefault(_key(group), (group, [[] for _ in range(6)]))
            self._init_group(group, *lists)
        return [
            self._joined(group, parts)
            for group, lists in alike.values()
            if lists[0]
            for parts, _ in self._group_tensors_by_device_and_dtype(lists).values()
        ]

    def _joined(self, group: dict[str, Any], lists: Sequence[list[Any]]) -> _Joint:
        """Join what PyTorch has collected, and make the steps entries of one tensor."""
        params, _, means, squares, largest, steps = lists
        counter = torch.stack(steps)
        entries = list(counter.unbind())
        for parameter, entry in zip(params, entries, strict=True):
            self.state[parameter]["step"] = entry
        moments = Moments(means, squares, largest)
        return _Joint(group, params, means, squares, largest, counter, entries, moments)

    def _skips(self, group: dict[str, Any]) -> Tensor | None:
        """Return 1 where a group stays as it is, else 0, or None, which is 0."""
        given = [each for each in (self.found_inf, group.get(SKIP)) if each is not None]
        return torch.stack(given).amax() if len(given) > 1 else (given or [None])[0]

    def _update(self, joint: _Joint) -> None:
        group, params = joint.group, joint.params
        gradients: list[Any] = [each.grad for each in params]
        skip = self._skips(group)
        joint.counter.add_(1 if skip is None else 1 - skip)
        options = {name: group[name] for name in NUMBERS}
        betas, is_decoupled = group["betas"], group["decoupled_weight_decay"]
        if adam_step(
            params,
            gradients,
            joint.moments,
            joint.counter,
            skip,
            betas=betas,
            is_decoupled=is_decoupled,
            **options,
        ):
            return
        update = torch._fused_adamw_ if is_decoupled else torch._fused_adam_
        moments = joint.exp_avgs, joint.exp_avg_sqs, joint.max_exp_avg_sqs
        update(
            params,
            gradients,
            *moments,
            joint.steps,
            beta1=betas[0],
            beta2=betas[1],
            found_inf=skip,
            **options,
        )


def _key(group: dict[str, Any]) -> tuple[Any, ...]:
    """Return what groups that are updated in one call have in common."""
    return (*_options_of(group), *group["betas"], id(group.get(SKIP)))


def _are_same(one: Sequence[Any], two: Sequence[Any]) -> bool:
    """Return whether two sequences hold the same objects. Tensors cannot be compared by ``==``."""
    return len(one) == len(two) and all(map(is_, one, two))


class JointAdam(_JointStep):
    """``torch.optim.Adam`` with one call for all groups with equal options."""


class JointAdamW(_JointStep, torch.optim.AdamW):
    """``torch.optim.AdamW`` with one call for all groups with equal options."""
