"""Contents of checkpoints as nested state dicts, and the schedule of saving."""

import time
from typing import Any

from nip.run_store import Checkpoint
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.weights.old_checkpoints import is_old, migrated
from nip.trainers.tensor.weights.state_splitting import StateDict, join_state, split_state

MAX_CHECKPOINT_SHARE = 0.05
"""Without a fixed period, at most this share of the time is spent on checkpoints."""


class CheckpointClock:
    """Decides when a checkpoint is due, which has no influence on results.

    Parameters
    ----------
    period : int, optional
        Number of iterations between checkpoints. None: as often as costs at most
        ``MAX_CHECKPOINT_SHARE`` of the time.
    permanent_every : int, optional
        A checkpoint is also due whenever the number of iterations is a multiple of this.
    """

    def __init__(self, period: int | None, permanent_every: int | None = None) -> None:
        self._period = period
        self._permanent_every = permanent_every
        self._last_end = time.monotonic()
        self._last_duration = 0.0

    def is_due(self, iterations_done: int) -> bool:
        """Return whether to save after this number of iterations."""
        if self._permanent_every is not None and iterations_done % self._permanent_every == 0:
            return True
        if self._period is not None:
            return iterations_done % self._period == 0
        waited = time.monotonic() - self._last_end
        return waited * MAX_CHECKPOINT_SHARE >= self._last_duration

    def record(self, started: float) -> None:
        """Record a written checkpoint that was started at this time of ``time.monotonic``."""
        self._last_end = time.monotonic()
        self._last_duration = self._last_end - started


def agents_state_dict(agents: CombinedAgents) -> dict[str, dict[str, Any]]:
    """Return the state dict of each part of each agent."""
    return {
        name: {part_name: part.state_dict() for part_name, part in agent.named_children()}
        for _, name, agent in agents
    }


def load_agents_state_dict(agents: CombinedAgents, state: StateDict) -> None:
    """Load what ``agents_state_dict`` returned."""
    for _, name, agent in agents:
        for part_name, part in agent.named_children():
            part.load_state_dict(state[name].get(part_name, {}))


def make_checkpoint(iteration: int, state: StateDict) -> Checkpoint:
    """Return a checkpoint that holds a state dict after a number of iterations."""
    return Checkpoint(iteration, *split_state(state))


def checkpoint_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the state dict of a checkpoint, also of one in the layout before format 2."""
    files, document = checkpoint.tensors, checkpoint.state
    return migrated(checkpoint) if is_old(document) else join_state(files, document)
