"""When checkpoints are due."""

import time

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


class JointCheckpointClock(CheckpointClock):
    """Decides when checkpoints of several runs are due, all of them after the same iterations.

    Together they take at most ``MAX_CHECKPOINT_SHARE`` of the time.
    """

    def __init__(self, period: int | None, permanent_every: int | None = None) -> None:
        super().__init__(period, permanent_every)
        self._asked: int | None = None
        self._is_due = False
        self._num_recorded = 0

    def is_due(self, iterations_done: int) -> bool:
        """Return whether to save after this number of iterations, the same to all runs."""
        if iterations_done != self._asked:
            self._asked, self._is_due = iterations_done, super().is_due(iterations_done)
            self._num_recorded = 0
        return self._is_due

    def record(self, started: float) -> None:
        """Record a written checkpoint of one run."""
        before = self._last_duration if self._num_recorded > 0 else 0.0
        super().record(started)
        self._last_duration += before
        self._num_recorded += 1
