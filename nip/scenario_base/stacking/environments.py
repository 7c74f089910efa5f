"""The environments of several runs as one, with the data order and the scaling of each run."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.normalization import NORMALIZED_KEYS, ObservationNormalizer
from nip.scenario_base.stacking.agents import RUN_KEY
from nip.scenario_base.transition import State, Transition


class StackedEnvironment(TensorDictEnvironment):
    """The environments of several runs, which play the same protocol over the same dataset.

    States have the entry ``RUN_KEY``. New episodes are drawn from the environments of the runs, so
    that each goes through its data as if it were alone.

    Parameters
    ----------
    of_runs : sequence of TensorDictEnvironment
        The environments of each run, equally many.
    """

    def __init__(self, of_runs: Sequence[TensorDictEnvironment]) -> None:
        first = of_runs[0]
        scaling = _StackedNormalizer([each.normalizer for each in of_runs])
        super().__init__(
            first._hyper_params,
            first.protocol,
            first.dataset,
            message_key=first.message_key,
            num_environments=sum(each.num_environments for each in of_runs),
            seed=0,
            normalizer=scaling,
            device=first.device,
        )
        self._of_runs = tuple(of_runs)
        self._scaling = scaling

    def advance(self, state: State, actions: Mapping[str, Tensor]) -> Transition:
        """Play one round of each episode, without changing ``state``."""
        with self._scaling.of_rows(state[RUN_KEY]):
            return super().advance(state, actions)

    def reset_finished(self, state: State, done: Tensor) -> State:
        """Replace the finished episodes, where ``done`` (batch,) is true, by new ones."""
        finished = done.nonzero().squeeze(-1)
        if len(finished) == 0:
            return state
        runs = state[RUN_KEY].index_select(0, finished)
        counts = torch.bincount(runs, minlength=len(self._of_runs)).tolist()
        drawn = [
            each.episodes.draw(count)
            for each, count in zip(self._of_runs, counts, strict=True)
            if count > 0
        ]
        indices, seeds = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        with self._scaling.of_rows(runs):
            fresh = {**self._first_state(indices, seeds), RUN_KEY: runs}
        return {name: value.index_copy(0, finished, fresh[name]) for name, value in state.items()}


class _StackedNormalizer(ObservationNormalizer):
    """Scales each row by the statistics of its run."""

    def __init__(self, of_runs: Sequence[ObservationNormalizer]) -> None:
        super().__init__()
        for key in NORMALIZED_KEYS:
            for name in (f"{key}_mean", f"{key}_std"):
                setattr(self, name, torch.stack([getattr(each, name) for each in of_runs]))
        self._rows: Tensor | None = None

    def of_rows(self, runs: Tensor) -> "_StackedNormalizer":
        """Return a context in which row ``i`` belongs to run ``runs[i]``."""
        self._rows = runs
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._rows = None

    def forward(self, key: str, value: Tensor) -> Tensor:
        """Scale ``value``, an observation under ``key``, (row, ...)."""
        if self._rows is None:
            # The specs of the environment need shapes only.
            return value
        shape = (-1, *[1] * (value.ndim - 1))
        mean = getattr(self, f"{key}_mean").index_select(0, self._rows).view(shape)
        std = getattr(self, f"{key}_std").index_select(0, self._rows).view(shape)
        return (value - mean) / std
