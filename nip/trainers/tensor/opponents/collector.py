"""Collection of rollouts in which past versions of agents play in a share of the episodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.scenario_base.actions import Noise
from nip.scenario_base.collector import Frame, RolloutCollector
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.transition import State
from nip.trainers.tensor.opponents.pool import PRESENT, OpponentPool
from nip.utils.ranks import current_ranks

OPPONENT = "opponent"
"""Key of the number of the snapshot that plays for each agent, (environment, step, agent)."""


class PooledCollector(RolloutCollector):
    """Collects batches in which snapshots of a pool play some of the episodes.

    The batch has the entry ``opponent``. Where a snapshot plays, ``active``, ``decides`` and
    ``value_known`` are false, so that nobody learns from what it did.

    Parameters
    ----------
    *args : Any
        Arguments of ``RolloutCollector``.
    pool : OpponentPool
        The snapshots.
    seed : int
        Seed of the sampled actions and of the choice of snapshots.
    **options : Any
        Options of ``RolloutCollector``.
    """

    def __init__(self, *args: Any, pool: OpponentPool, seed: int, **options: Any) -> None:
        super().__init__(*args, seed=seed, **options)
        self.pool = pool
        self._opponents = torch.Generator().manual_seed(seed)
        count = len(self._state["round"])
        self._state[OPPONENT] = self._draw(count)

    def in_use(self) -> dict[str, set[int]]:
        """Return the snapshots of each agent in unfinished episodes, of all ranks."""
        present = {OPPONENT: self._state[OPPONENT].cpu()}
        opponents = torch.cat([each[OPPONENT] for each in current_ranks().gather(present)])
        return {
            name: set(opponents[:, index].unique().tolist())
            for index, name in enumerate(self.agents.names)
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state that the next batch depends on, apart from agents and snapshots."""
        return {**super().state_dict(), "opponents": self._opponents.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by ``state_dict``."""
        super().load_state_dict(state)
        self._opponents.set_state(state["opponents"])

    def _act(
        self,
        state: State,
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        source: torch.Generator | Sequence[Noise],
    ) -> dict[str, Tensor]:
        is_snapshot = state[OPPONENT] != PRESENT
        actions = super()._act(
            state,
            active & ~is_snapshot.unsqueeze(-1),
            decides & ~is_snapshot,
            None if needs_value is None else needs_value & ~is_snapshot,
            source,
        )
        for index, name in enumerate(self.agents.names):
            for number, snapshot in self.pool.snapshots.get(name, {}).items():
                rows = (state[OPPONENT][:, index] == number).nonzero().squeeze(-1)
                if len(rows) > 0:
                    players = {each: agent for _, each, agent in self.agents}
                    players[name] = snapshot.agent
                    played = CombinedAgents(players, self.agents.message_key).act(
                        {key: value[rows] for key, value in state.items()},
                        _only(index, active[rows]),
                        _only(index, decides[rows]),
                        None,
                        self._generator,
                        greedy=self.greedy,
                    )
                    for key, value in actions.items():
                        value[rows, index] = played[key][:, index]
        return actions

    def _frame(self, *args: Any) -> Frame:
        frame = super()._frame(*args)
        plays = frame[OPPONENT] == PRESENT
        frame["agents", "active"] = frame["agents", "active"] & plays.unsqueeze(-1)
        frame["agents", "decides"] = frame["agents", "decides"] & plays
        frame["agents", "value_known"] = frame["agents", "value_known"] & plays
        return frame

    def _reset_finished(self, state: State, done: Tensor) -> State:
        opponents = state.pop(OPPONENT).clone()
        state = super()._reset_finished(state, done)
        count = int(done.sum())
        if count > 0:
            opponents[done] = self._draw(count)
        return {**state, OPPONENT: opponents}

    def _draw(self, count: int) -> Tensor:
        return self.pool.draw(count, self._opponents).to(self.environment.device)


def _only(index: int, mask: Tensor) -> Tensor:
    """Return a mask, (row, agent, ...), with the entries of one agent alone."""
    result = torch.zeros_like(mask)
    result[:, index] = mask[:, index]
    return result


def is_pooled(frames: TensorDictBase) -> Tensor | None:
    """Return in which frames a snapshot plays, of their batch size; None without a pool."""
    opponents = frames.get(OPPONENT, None)
    return None if opponents is None else (opponents != PRESENT).any(-1)
