"""Callback that runs PyTorch's profiler over a few iterations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import warn_user
from nip.parameters.callbacks import ProfilerParameters
from nip.trainers.callbacks.logged_rows import run_folder
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.files import make_folder, write_atomically

if TYPE_CHECKING:
    from torch.profiler import profile

FOLDER = "profile"


@register_callback("profiler", parameters=ProfilerParameters)
class Profiler(Callback):
    """Records some iterations of each start, once.

    In ``profile/`` in the folder of the run it leaves ``trace_000003.json``, named after the first
    iteration in it, for Perfetto or ``chrome://tracing``, and the table ``summary.txt``.
    """

    is_observer = True
    may_fail = True
    is_unique_in_process = True

    def __init__(self, **options: Any) -> None:
        self.params = ProfilerParameters(**options)
        self._profile: profile | None = None

    def on_train_start(self, context: TrainingContext) -> None:
        """Start the profiler."""
        run = run_folder(context, "profiler")
        if run is None:
            return
        from torch.profiler import profile, schedule

        params = self.params
        self._num_iterations_left = params.wait + params.warmup + params.active
        self._folder = run / FOLDER
        self._first = context.iteration + params.wait + params.warmup + 1
        self._has_written = False
        self._profile = profile(
            schedule=schedule(
                wait=params.wait, warmup=params.warmup, active=params.active, repeat=1
            ),
            on_trace_ready=self._write,
        )
        self._profile.start()

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Count an iteration; the profiler stops after the last one."""
        if self._profile is None:
            return
        self._profile.step()
        self._num_iterations_left -= 1
        if self._num_iterations_left == 0:
            self._stop(self._profile)

    def on_train_end(self, context: TrainingContext) -> None:
        """Write the incomplete profile of a training that ends early."""
        if self._profile is not None:
            self._stop(self._profile)

    def _stop(self, running: profile) -> None:
        self._profile = None
        running.stop()
        if not self._has_written:
            warn_user(
                f"The callback 'profiler' recorded nothing, because training ended before the "
                f"{self.params.wait + self.params.warmup} iterations of wait and warmup were. Set "
                "them lower."
            )

    def _write(self, finished: profile) -> None:
        self._has_written = True
        make_folder(self._folder)
        finished.export_chrome_trace(str(self._folder / f"trace_{self._first:06d}.json"))
        table: str = finished.key_averages().table(sort_by="self_cpu_time_total", row_limit=100)
        write_atomically(Path(self._folder / "summary.txt"), table)
