"""Scaling of the observed messages to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nip.scenario_base.agents import NUM_DECISIONS
from nip.seeding import stable_seed

if TYPE_CHECKING:
    from nip.scenario_base.environment import TensorDictEnvironment
    from nip.scenario_base.transition import State

MIN_STD = 1e-6
"""A key with a smaller standard deviation counts as constant, and is only shifted to mean 0."""

NORMALIZED_KEYS = ("x", "message", "linear_message_history")
"""Observation keys that are scaled; each has one mean and one standard deviation."""

EPISODES_AT_ONCE = 1000
"""Number of parallel episodes with random actions, which limits the memory."""


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
        """Set the statistics of each key from batches of unscaled observations of any size."""
        moments: dict[str, _Moments] = {}
        for batch in observations:
            for key in NORMALIZED_KEYS:
                if key in batch:
                    moments[key] = _Moments.of(batch[key]).merged(moments.get(key))
        for key, of_key in moments.items():
            getattr(self, f"{key}_mean").fill_(of_key.mean)
            getattr(self, f"{key}_std").fill_(of_key.std if of_key.std >= MIN_STD else 1.0)

    def forward(self, key: str, value: Tensor) -> Tensor:
        """Scale ``value``, an observation under ``key``."""
        return (value - getattr(self, f"{key}_mean")) / getattr(self, f"{key}_std")


def fit_normalizer(environment: TensorDictEnvironment, num_frames: int, seed: int) -> None:
    """Fit the normalizer of an environment to whole episodes with random actions.

    Each state in which an agent acts counts once. The result does not depend on the number of
    environments, and the environment's position in the data does not change.

    Parameters
    ----------
    num_frames : int
        Number of episodes, each of which has at least one state: the least number of states.
    """
    environment.normalizer.reset()
    copy = environment.fresh_copy(seed, num_environments=1)
    environment.normalizer.fit(_random_states(copy, num_frames, seed))


def _random_states(
    environment: TensorDictEnvironment, num_episodes: int, seed: int
) -> Iterator[State]:
    """Yield the states of each round of whole episodes, as long as they are not over."""
    generator = torch.Generator().manual_seed(stable_seed(seed, "random actions"))
    for first in range(0, num_episodes, EPISODES_AT_ONCE):
        state = environment.initial_state(min(EPISODES_AT_ONCE, num_episodes - first))
        for _ in range(environment.protocol.num_episode_rounds):
            yield state
            actions = _random_actions(environment, len(state["round"]), generator)
            transition = environment.advance(state, actions)
            state = {name: value[~transition.done] for name, value in transition.state.items()}
            if len(state["round"]) == 0:
                break


def _random_actions(
    environment: TensorDictEnvironment, num_episodes: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw uniformly random actions, with each decision equally often, up to rounding.

    The length of episodes then varies less than with independent decisions, and so do the
    statistics.
    """
    actions = environment.random_actions(generator, num_episodes)
    decision = actions["decision"]
    order = torch.rand(decision.shape, generator=generator).argsort(dim=0)
    offset = torch.randint(NUM_DECISIONS, decision.shape[1:], generator=generator)
    actions["decision"] = ((order + offset) % NUM_DECISIONS).to(decision.device)
    return actions


@dataclass(frozen=True)
class _Moments:
    """Mean and variance of numbers, which can be merged with those of more numbers."""

    count: int
    mean: float
    sum_of_squares: float
    """Sum of the squared deviations from the mean."""

    @classmethod
    def of(cls, values: Tensor) -> _Moments:
        numbers = values.double()
        mean = numbers.mean()
        return cls(numbers.numel(), float(mean), float(((numbers - mean) ** 2).sum()))

    @property
    def std(self) -> float:
        return sqrt(self.sum_of_squares / self.count)

    def merged(self, other: _Moments | None) -> _Moments:
        """Return the moments of both samples together (Chan, Golub and LeVeque, 1983)."""
        if other is None:
            return self
        count, distance = self.count + other.count, other.mean - self.mean
        between = distance**2 * self.count * other.count / count
        return _Moments(
            count,
            self.mean + distance * other.count / count,
            self.sum_of_squares + other.sum_of_squares + between,
        )
