"""The opponent pool: snapshots of agents, and the choice of those that play."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.parameters import OpponentPoolParameters
from nip.scenario_base.agent import Agent
from nip.scenario_base.combined_agents import CombinedAgents

PRESENT = -1
"""Number that stands for the present version of an agent among the numbers of snapshots."""

SMOOTHING = 0.5
"""Weight of the last iteration in the mean reward of a snapshot."""

MIN_PRIORITY = 0.1
"""Priority of the snapshot with the lowest reward, relative to that with the highest."""


@dataclass
class Snapshot:
    """An agent as it was after an iteration."""

    agent: Agent
    """The agent, frozen."""

    score: float | None = None
    """Moving average of its mean reward per episode; None before its first episode has ended."""

    is_retired: bool = False
    """Whether it only plays the episodes that it has begun."""


class OpponentPool:
    r"""Past versions of agents that play in a share of the episodes.

    In each episode, with probability ``share``, one of the pool's agents is replaced by one of its
    snapshots, all agents with the same probability; everybody else learns against it. Playing
    against a mixture of the opponent's past is fictitious play (Brown, 1951; Heinrich et al.,
    "Fictitious self-play in extensive-form games", 2015), which does not follow cycles of best
    responses.

    Snapshots are drawn with probabilities proportional to

    * 1 (``uniform``),
    * :math:`2^{-k}` for the one before the :math:`k` last ones (``recent``),
    * :math:`0.1 + 0.9 \frac{r - r_{\min}}{r_{\max} - r_{\min}}` (``prioritised``) with the moving
      average :math:`r` of its reward per episode: what still beats the learners is played against
      more often, as in prioritised fictitious self-play (Vinyals et al., "Grandmaster level in
      StarCraft II using multi-agent reinforcement learning", 2019). A snapshot that has not played
      counts as the best one.

    If there are more than ``max_size`` snapshots, counted 1, 2, 3 and so on, the one is removed
    whose number has the smallest power of two as a factor, and of several the oldest, but never the
    last one: what is left is spread over the past, at distances that grow as training goes on. What
    is removed finishes the episodes that it has begun.

    Parameters
    ----------
    agents : CombinedAgents
        The agents that learn.
    params : OpponentPoolParameters
        Size and sampling.
    """

    def __init__(self, agents: CombinedAgents, params: OpponentPoolParameters) -> None:
        self.params = params
        self._agents = agents
        self.names = tuple(name for name in agents.names if name in params.agents)
        self.snapshots: dict[str, dict[int, Snapshot]] = {name: {} for name in self.names}

    @property
    def size(self) -> int:
        """Number of snapshots that may be drawn, of all agents."""
        return sum(len(self._drawable(name)) for name in self.names)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw who plays in new episodes.

        Parameters
        ----------
        count : int
            Number of episodes.
        generator : torch.Generator
            Generator of the CPU.

        Returns
        -------
        opponents : Tensor
            For each episode and agent of the protocol the number of the snapshot that plays, or
            ``PRESENT``, (episode, agent).
        """
        names = self._agents.names
        drawn = torch.full((count, len(names)), PRESENT)
        ready = [name for name in self.names if self._drawable(name)]
        if not ready:
            return drawn
        is_pooled = torch.rand(count, generator=generator) < self.params.share
        whose = torch.randint(len(ready), (count,), generator=generator)
        for index, name in enumerate(ready):
            numbers = self._drawable(name)
            chosen = torch.multinomial(
                self._weights(name), count, replacement=True, generator=generator
            )
            rows = is_pooled & (whose == index)
            drawn[rows, names.index(name)] = torch.tensor(numbers)[chosen][rows]
        return drawn

    def record(self, frames: TensorDictBase) -> None:
        """Update the mean rewards of the snapshots whose episodes have ended in some frames."""
        done = frames["next", "done"]
        opponents = frames["opponent"][done]
        rewards = frames["next", "agents", "episode_reward"][done].double()
        for name in self.names:
            index = self._agents.names.index(name)
            for number, snapshot in self.snapshots[name].items():
                earned = rewards[opponents[:, index] == number, index]
                if len(earned) > 0:
                    mean, old = float(earned.mean()), snapshot.score
                    snapshot.score = mean if old is None else old + SMOOTHING * (mean - old)

    def take(self, iteration: int, in_use: Mapping[str, Collection[int]]) -> None:
        """Take snapshots of all agents after an iteration, if it is time for them.

        An agent that has not changed since its last snapshot gets no other one.

        Parameters
        ----------
        iteration : int
            Number of completed iterations, which becomes the number of the snapshots.
        in_use : mapping of str to collection of int
            Snapshots of each agent that are in the middle of an episode.
        """
        if iteration % self.params.snapshot_every != 0:
            return
        for name in self.names:
            self._take(name, iteration)
            kept = self.snapshots[name]
            for number in [n for n, each in kept.items() if each.is_retired]:
                if number not in in_use.get(name, ()):
                    del kept[number]

    def state_dict(self) -> dict[str, Any]:
        """Return weights and scores of all snapshots, by agent and number."""
        return {
            name: {
                str(number): {
                    "weights": snapshot.agent.state_dict(),
                    "score": snapshot.score,
                    "is_retired": snapshot.is_retired,
                }
                for number, snapshot in snapshots.items()
            }
            for name, snapshots in self.snapshots.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        for name in self.names:
            self.snapshots[name] = {}
            for number, stored in sorted(state.get(name, {}).items(), key=lambda e: int(e[0])):
                agent = self._frozen_copy(name)
                agent.load_state_dict(stored["weights"])
                snapshot = Snapshot(agent, stored["score"], stored["is_retired"])
                self.snapshots[name][int(number)] = snapshot

    def _take(self, name: str, number: int) -> None:
        drawable = self._drawable(name)
        agent = self._frozen_copy(name)
        if drawable and _is_same(agent, self.snapshots[name][drawable[-1]].agent):
            return
        self.snapshots[name][number] = Snapshot(agent)
        drawable.append(number)
        every = self.params.snapshot_every
        if len(drawable) > self.params.max_size:
            self.snapshots[name][_least_needed(drawable, every)].is_retired = True

    def _frozen_copy(self, name: str) -> Agent:
        agent = self._agents.agents[name]
        assert isinstance(agent, Agent)
        # Parameters and protocol are shared by all versions.
        agent = deepcopy(agent, {id(agent.context): agent.context})
        return agent.eval().requires_grad_(False)

    def _drawable(self, name: str) -> list[int]:
        """Return the numbers of the snapshots that may be drawn, the oldest first."""
        return [number for number, each in self.snapshots[name].items() if not each.is_retired]

    def _weights(self, name: str) -> Tensor:
        """Return the weight of each snapshot that may be drawn, (snapshot,)."""
        numbers = self._drawable(name)
        if self.params.sampling == "recent":
            return 0.5 ** torch.arange(len(numbers) - 1, -1, -1).double()
        known = {number: self.snapshots[name][number].score for number in numbers}
        scores = [score for score in known.values() if score is not None]
        if self.params.sampling == "uniform" or not scores or min(scores) == max(scores):
            return torch.ones(len(numbers), dtype=torch.double)
        low, high = min(scores), max(scores)
        values = [high if score is None else score for score in known.values()]
        relative = (torch.tensor(values, dtype=torch.double) - low) / (high - low)
        return MIN_PRIORITY + (1 - MIN_PRIORITY) * relative


def _least_needed(numbers: list[int], every: int) -> int:
    """Return which snapshot to remove, given their iterations, the oldest first."""

    def need(number: int) -> tuple[int, int]:
        count = number // every
        return count & -count, number

    return min(numbers[:-1], key=need)


def _is_same(first: Agent, second: Agent) -> bool:
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(value, states[1][key]) for key, value in states[0].items())
