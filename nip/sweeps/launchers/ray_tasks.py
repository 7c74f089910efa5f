"""Launcher ``ray``: tasks of Ray, on this machine or in a cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.sweeps.launcher import Job, Launcher, Task, launcher_registry, missing_library
from nip.sweeps.launchers.task_process import TaskProcess
from nip.utils.stop_signals import EXIT_RESUME

_FAILED = 1
_NUM_RETRIES = 3
"""How often Ray starts a task again whose machine has disappeared."""


class RayJob(Job):
    """A task of Ray."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def exit_code(self) -> int | None:
        """Return the exit code of the process of the cell; None while the task waits or runs."""
        import ray

        ready, _ = ray.wait([self._reference], timeout=0)
        if not ready:
            return None
        try:
            return int(ray.get(self._reference))
        except ray.exceptions.TaskCancelledError:
            return EXIT_RESUME
        except ray.exceptions.RayError:
            return _FAILED

    def stop(self) -> None:
        """Cancel the task, upon which the run saves and ends."""
        import ray

        ray.cancel(self._reference, force=False)


@launcher_registry.register("ray")
class RayLauncher(Launcher):
    """Submits one task for each cell.

    Options: ``address`` of a cluster (by default, Ray is started on this machine), and ``num_cpus``
    and ``num_gpus`` of each task.
    """

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        super().__init__(options, folder)
        self.check_options(("address", "num_cpus", "num_gpus"))
        try:
            import ray
        except ImportError as error:
            raise missing_library("ray", "ray", "ray") from error
        resources = {name: value for name, value in self.options.items() if name != "address"}
        try:
            ray.init(
                address=self.options.get("address"), log_to_driver=False, include_dashboard=False
            )
            self._run = ray.remote(max_retries=_NUM_RETRIES, **{"num_cpus": 1, **resources})(
                run_task
            )
        except (ConnectionError, ValueError, TypeError) as error:
            raise ParameterError(
                f"launcher_options are refused by Ray: {error}. Give the address of a running "
                "cluster, or none to start Ray on this machine, and numbers of num_cpus and "
                "num_gpus."
            ) from error

    def start(self, task: Task) -> Job:
        """Submit a task."""
        return RayJob(self._run.remote(task))

    def close(self) -> None:
        """Leave the cluster."""
        import ray

        ray.shutdown()


def run_task(task: Task) -> int:
    """Run a cell in a task of Ray; a cancelled one saves and ends."""
    process = TaskProcess(task)
    try:
        return process()
    except KeyboardInterrupt:
        process.save_and_end()
        return process.exit_code()
