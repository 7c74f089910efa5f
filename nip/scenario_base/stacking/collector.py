"""Collection of rollouts of several runs at once."""

from collections.abc import Sequence

import torch
from tensordict import TensorDict
from torch import Tensor

from nip.scenario_base.actions import Noise
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.stacking.agents import RUN_KEY, StackedAgents
from nip.scenario_base.stacking.environments import StackedEnvironment
from nip.scenario_base.transition import State


class StackedCollector(RolloutCollector):
    """Collects the batches of several runs together, each as its own collector would.

    Between batches everything is kept in the collectors of the runs.

    Parameters
    ----------
    of_runs : sequence of RolloutCollector
        The collector of each run; they differ in seeds and agents only.
    agents : StackedAgents
        The agents of these runs, in the same order.
    """

    agents: StackedAgents

    def __init__(self, of_runs: Sequence[RolloutCollector], agents: StackedAgents) -> None:
        # Not that of the base class, which draws the first episodes: the runs have begun already.
        first = of_runs[0]
        self.environment = StackedEnvironment([each.environment for each in of_runs])
        self.agents = agents
        self.num_steps = first.num_steps
        self.greedy = first.greedy
        self.with_values = first.with_values
        self.discount = first.discount
        self.complete_frames = first.complete_frames
        self._generator = first._generator  # Each run draws from its own, see _act.
        self._of_runs = of_runs
        num_each = first.environment.num_environments
        numbers = torch.arange(len(of_runs), device=self.environment.device)
        self._runs = numbers.repeat_interleave(num_each)

    def collect(self) -> TensorDict:
        """Play ``S`` steps in all environments; return the frames, (run * environment, S)."""
        states = [each._state for each in self._of_runs]
        joined: State = {name: torch.cat([each[name] for each in states]) for name in states[0]}
        self._state = {**joined, RUN_KEY: self._runs}
        self._episode_reward = torch.cat([each._episode_reward for each in self._of_runs])
        batch = super().collect()
        num_each = len(self._runs) // len(self._of_runs)
        parts = {name: value.split(num_each) for name, value in self._state.items()}
        rewards = self._episode_reward.split(num_each)
        for number, each in enumerate(self._of_runs):
            each._state = {name: parts[name][number] for name in joined}
            each._episode_reward = rewards[number]
        return batch.exclude(RUN_KEY)

    def _act(
        self,
        state: State,
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        source: torch.Generator | Sequence[Noise],
    ) -> dict[str, Tensor]:
        """Choose the actions of all agents, in each run with its own generator."""
        generators = [each._generator for each in self._of_runs]
        return self.agents.act_together(
            state, active, decides, needs_value, generators, greedy=self.greedy
        )
