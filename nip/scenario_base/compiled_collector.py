"""Collection of rollouts by a compiled step of agents and environments."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nip.scenario_base.actions import Noise
from nip.scenario_base.collector import Frame, RolloutCollector
from nip.scenario_base.compilation import Compilation
from nip.scenario_base.episode_queue import next_episodes
from nip.scenario_base.transition import State


class CompiledCollector(RolloutCollector):
    """Collects the batches of a ``RolloutCollector`` with fixed shapes, by one compiled function.

    It computes a whole step: the actions of all agents, the transition, and new episodes. Random
    numbers and episodes are drawn before, so that they are the same as without compilation.

    Parameters
    ----------
    *args : Any
        Arguments of ``RolloutCollector``.
    compilation : Compilation
        How the step is compiled.
    **options : Any
        Options of ``RolloutCollector``.
    """

    def __init__(self, *args: Any, compilation: Compilation, **options: Any) -> None:
        super().__init__(*args, **options)
        assert self.agents.fixed_shapes and self.environment.fixed_shapes
        device = self.environment.device
        self._flags = {flag: torch.tensor(flag, device=device) for flag in (False, True)}
        self._step = compilation.compiled(self._compute_step, "The step of the environments")

    def _play_step(self, *, is_first: bool) -> Frame:
        queue, count = self.environment.episodes.queue, self.environment.num_environments
        queue.reserve(count)
        noise = self.agents.draw_noise(count, self._generator)
        frame, self._state, self._episode_reward, queue.position = self._step(
            self._state,
            self._episode_reward,
            noise,
            self._flags[is_first],
            queue.episodes,
            queue.position,
        )
        return frame

    def _compute_step(
        self,
        state: State,
        episode_reward: Tensor,
        noise: Sequence[Noise],
        is_first: Tensor,
        episodes: Tensor,
        position: Tensor,
    ) -> tuple[Frame, State, Tensor, Tensor]:
        """Return a frame, and the state, the rewards and the position after it."""
        frame, transition, episode_reward = self._compute_frame(
            state, episode_reward, noise, is_first
        )
        chosen, position = next_episodes(episodes, position, transition.done)
        state = self.environment.with_fresh(transition.state, transition.done, chosen[0], chosen[1])
        return frame, state, episode_reward * ~transition.done.unsqueeze(-1), position
