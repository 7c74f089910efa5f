"""Search for state that a trainer has, but does not save in its checkpoints."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from nip.errors import warn_user


class UnsavedState:
    """Warns once if optimizers, generators or modules in attributes of a trainer are not saved.

    An attribute counts as saved if all of its tensors are in the state dict, under any name.
    Without them, a resumed run gives other numbers. So moments of an optimizer are reported at the
    first checkpoint, and generators and modules as soon as they have changed between two.
    """

    def __init__(self) -> None:
        self._has_warned = False
        self._unsaved: dict[str, list[Tensor]] | None = None

    def check(self, trainer: object, state: Mapping[str, Any]) -> None:
        """Compare the attributes of a trainer with its state dict; called at each checkpoint."""
        if self._has_warned:
            return
        if self._unsaved is None:
            missing = _missing(_holders(trainer), state)
            changed = [name for name, (holder, _) in missing.items() if _is_optimizer(holder)]
            self._unsaved = {name: _copies(tensors) for name, (_, tensors) in missing.items()}
        else:
            before = self._unsaved
            present = {name: holder for name, holder in _holders(trainer) if name in before}
            moved = {n: each for n, each in present.items() if not _same(before[n], _tensors(each))}
            changed = list(_missing(moved.items(), state)) if moved else []
        if changed:
            self._has_warned = True
            names = " and ".join(f"self.{name}" for name in changed)
            warn_user(
                f"Checkpoints lack the state of {names}, so that a resumed run will give other "
                f"numbers. Return it from state_dict of {type(trainer).__name__}, and load it in "
                "load_state_dict."
            )


def _holders(trainer: object) -> Iterator[tuple[str, object]]:
    """Yield the optimizers, generators and modules in attributes, and in lists and dictionaries."""
    for name, value in vars(trainer).items():
        entries: Iterable[tuple[str, object]] = [(name, value)]
        if isinstance(value, Mapping):
            entries = [(f"{name}[{key!r}]", each) for key, each in value.items()]
        elif isinstance(value, list | tuple):
            entries = [(f"{name}[{number}]", each) for number, each in enumerate(value)]
        for place, each in entries:
            if isinstance(each, Optimizer | torch.Generator | nn.Module):
                yield place, each


def _tensors(holder: object) -> list[Tensor]:
    """Return the tensors that make up the state of a holder."""
    if isinstance(holder, torch.Generator):
        return [holder.get_state()]
    if isinstance(holder, nn.Module):
        entries = list(holder.state_dict().values())
    else:
        assert isinstance(holder, Optimizer)
        entries = [each for of_one in holder.state.values() for each in of_one.values()]
    return [each for each in entries if isinstance(each, Tensor) and not is_lazy(each)]


def _missing(
    holders: Iterable[tuple[str, object]], state: Mapping[str, Any]
) -> dict[str, tuple[object, list[Tensor]]]:
    """Return the holders with tensors that are not in a state dict, and their tensors."""
    saved: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for leaf in _leaves(state):
        saved[leaf.shape].append(leaf)
    return {
        name: (holder, tensors)
        for name, holder in holders
        for tensors in [_tensors(holder)]
        if any(not _is_in(each, saved[each.shape]) for each in tensors)
    }


def _is_in(tensor: Tensor, saved: list[Tensor]) -> bool:
    return any(
        each is tensor or (each.dtype == tensor.dtype and torch.equal(each.cpu(), tensor.cpu()))
        for each in saved
    )


def _same(before: list[Tensor], now: list[Tensor]) -> bool:
    return len(before) == len(now) and all(
        one.shape == two.shape and torch.equal(one, two.cpu())
        for one, two in zip(before, now, strict=True)
    )


def _copies(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().cpu().clone() for tensor in tensors]


def _leaves(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from _leaves(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _leaves(value)


def _is_optimizer(holder: object) -> bool:
    return isinstance(holder, Optimizer)
