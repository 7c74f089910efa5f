"""What a trainer saves, and how often."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nip.scenario_base.combined_agents import CombinedAgents

MAX_CHECKPOINT_SHARE = 0.05
"""Without a fixed period, at most this share of the time goes into checkpoints."""


class CheckpointClock:
    """Decides when a checkpoint is due; it changes what is on disk, and no result.

    Parameters
    ----------
    period : int, optional
        Every so many iterations. Without it, as often as costs little of the time.
    permanent_every : int, optional
        Every so many iterations as well: these checkpoints are kept for good.
    """

    def __init__(self, period: int | None, permanent_every: int | None = None) -> None:
        self._period = period
        self._permanent_every = permanent_every
        self._last_end = time.monotonic()
        self._last_duration = 0.0

    def is_due(self, iterations_done: int) -> bool:
        """Return whether to save after so many iterations."""
        if self._permanent_every is not None and iterations_done % self._permanent_every == 0:
            return True
        if self._period is not None:
            return iterations_done % self._period == 0
        waited = time.monotonic() - self._last_end
        return waited * MAX_CHECKPOINT_SHARE >= self._last_duration

    def record(self, started: float) -> None:
        """Take note of a checkpoint begun at a time of ``time.monotonic``."""
        self._last_end = time.monotonic()
        self._last_duration = self._last_end - started


def agent_tensors(agents: CombinedAgents) -> dict[str, dict[str, Tensor]]:
    """Return the weights of each part of each agent, a file for each part."""
    return {
        f"{name}.{part_name}": part.state_dict()
        for _, name, agent in agents
        for part_name, part in agent.named_children()
    }


def load_agent_tensors(agents: CombinedAgents, files: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Load what ``agent_tensors`` returned."""
    for _, name, agent in agents:
        for part_name, part in agent.named_children():
            part.load_state_dict(files.get(f"{name}.{part_name}", {}))


def optimizer_tensors(
    optimizer: Optimizer, names: Mapping[torch.nn.Parameter, str]
) -> dict[str, Tensor]:
    """Return the optimizer's moments by the names of the parameters that they belong to."""
    return {
        f"{name}:{key}": torch.as_tensor(value)
        for parameter, name in names.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_tensors(
    optimizer: Optimizer,
    names: Mapping[torch.nn.Parameter, str],
    tensors: Mapping[str, Tensor],
) -> None:
    """Load what ``optimizer_tensors`` returned; each moment finds its parameter by name."""
    by_name = {name: parameter for parameter, name in names.items()}
    optimizer.state.clear()
    for key, value in tensors.items():
        name, _, kind = key.rpartition(":")
        parameter = by_name[name]
        optimizer.state[parameter][kind] = value.to(parameter.device, copy=True)


def split_tensors(layer: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Separate the tensors in the states of callbacks, by file, from the plain data."""
    plain: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, Tensor]] = {}
    for key, state in layer["callbacks"].items():
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        plain[key] = {name: value for name, value in state.items() if name not in tensors}
        if tensors:
            files[f"callback.{key}"] = tensors
    return {**layer, "callbacks": plain}, files


def join_tensors(
    layer: Mapping[str, Any], files: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Any]:
    """Put together again what ``split_tensors`` has separated."""
    states = {
        key: {**state, **files.get(f"callback.{key}", {})}
        for key, state in layer["callbacks"].items()
    }
    return {**layer, "callbacks": states}
