"""Scaling of the observed messages to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nip.seeding import stable_seed

if TYPE_CHECKING:
    from nip.scenario_base.environment import State, TensorDictEnvironment

MIN_STD = 1e-3
"""Smallest divisor, so that a key that never varies is not divided by zero."""

NORMALIZED_KEYS = ("x", "message", "linear_message_history")
"""Observation keys that are scaled; each has one mean and one standard deviation."""


class ObservationNormalizer(nn.Module):
    """Scales messages by statistics of the training environment.

    Before ``fit`` it is the identity. Training and testing share one normalizer, so that an agent
    reads the same numbers in both.
    """

    def __init__(self) -> None:
        super().__init__()
        for key in NORMALIZED_KEYS:
            self.register_buffer(f"{key}_mean", torch.zeros(()))
            self.register_buffer(f"{key}_std", torch.ones(()))

    def reset(self) -> None:
        """Become the identity again, so that raw observations can be measured."""
        for key in NORMALIZED_KEYS:
            getattr(self, f"{key}_mean").zero_()
            getattr(self, f"{key}_std").fill_(1.0)

    @torch.no_grad()
    def fit(self, observations: Iterable[Mapping[str, Tensor]]) -> None:
        """Set the statistics of each key from the unscaled observations of successive steps."""
        steps = list(observations)
        for key in NORMALIZED_KEYS:
            if key not in steps[0]:
                continue
            values = torch.stack([step[key].double() for step in steps])
            getattr(self, f"{key}_mean").copy_(values.mean())
            getattr(self, f"{key}_std").copy_(values.std(correction=0).clamp_min(MIN_STD))

    def forward(self, key: str, value: Tensor) -> Tensor:
        """Scale ``value``, an observation under ``key``."""
        return (value - getattr(self, f"{key}_mean")) / getattr(self, f"{key}_std")


def fit_normalizer(environment: TensorDictEnvironment, num_frames: int, seed: int) -> None:
    """Fit the normalizer of an environment to episodes with random actions.

    The environment's position in the data does not change. The number of frames counts over all
    environments together, and is rounded up to full steps.
    """
    num_steps = ceil(num_frames / environment.num_environments)
    environment.normalizer.reset()
    copy = environment.fresh_copy(seed)
    environment.normalizer.fit(_random_states(copy, num_steps, seed))


def _random_states(
    environment: TensorDictEnvironment, num_steps: int, seed: int
) -> Iterator[State]:
    generator = torch.Generator().manual_seed(stable_seed(seed, "random actions"))
    state = environment.initial_state()
    for _ in range(num_steps):
        yield state
        transition = environment.advance(state, environment.random_actions(generator))
        state = environment.reset_finished(transition.state, transition.done)
