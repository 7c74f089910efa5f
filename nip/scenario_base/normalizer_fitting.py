"""Fitting the observation normalizer to episodes in which everybody plays at random."""

from collections.abc import Iterator
from math import ceil

import torch

from nip.scenario_base.environment import State, TensorDictEnvironment
from nip.seeding import stable_seed


def fit_normalizer(environment: TensorDictEnvironment, num_frames: int, seed: int) -> None:
    """Set the statistics of an environment's normalizer.

    Parameters
    ----------
    environment : TensorDictEnvironment
        The training environment: its position in the data does not change.
    num_frames : int
        Frames to be played, over all environments together, rounded up to full steps.
    seed : int
        Seed of the random episodes.
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
