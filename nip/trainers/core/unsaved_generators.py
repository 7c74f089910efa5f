"""Search for random generators of Python and NumPy that a trainer does not save."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nip.errors import warn_user

MAX_LENGTH = 2048
"""Arrays and tensors with more numbers are no states of generators."""


class UnsavedGenerators:
    """Warns once of generators in attributes of a trainer that change and are not saved.

    A generator counts as saved if all numbers of its state are in the state dict, in any form.
    """

    def __init__(self) -> None:
        self._unsaved: dict[str, frozenset[int]] = {}
        self._has_warned = False

    def check(self, trainer: object, state: Mapping[str, Any]) -> None:
        """Compare the generators of a trainer with its state dict; called at each checkpoint."""
        generators = {
            name: frozenset(_numbers_of(value))
            for name, value in vars(trainer).items()
            if isinstance(value, random.Random | np.random.Generator)
        }
        if self._has_warned or not generators:
            return
        saved = set(_numbers_in(state))
        unsaved = {name: numbers for name, numbers in generators.items() if not numbers <= saved}
        before, self._unsaved = self._unsaved, unsaved
        changed = [
            name for name, numbers in unsaved.items() if before.get(name, numbers) != numbers
        ]
        if changed:
            self._has_warned = True
            names = " and ".join(f"self.{name}" for name in changed)
            warn_user(
                f"Checkpoints lack the state of {names}, so that a resumed run will give other "
                f"numbers. Return it from state_dict of {type(trainer).__name__}, and load it in "
                "load_state_dict."
            )


def _numbers_of(generator: random.Random | np.random.Generator) -> Iterator[int]:
    if isinstance(generator, random.Random):
        yield from generator.getstate()[1]
    else:
        yield from _numbers_in(generator.bit_generator.state)


def _numbers_in(state: Any) -> Iterator[int]:
    """Yield all integers of nested containers, also of short arrays and of digits in texts."""
    if isinstance(state, Mapping):
        for value in state.values():
            yield from _numbers_in(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _numbers_in(value)
    elif isinstance(state, str):
        digits = "".join(each if each.isdigit() else " " for each in state)
        yield from map(int, digits.split())
    elif isinstance(state, int):
        yield int(state)
    elif len(getattr(state, "shape", ())) == 1 and len(state) <= MAX_LENGTH:
        yield from (int(each) for each in state.tolist())
