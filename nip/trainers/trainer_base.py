"""The base classes of all trainers."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Checkpoint, Run
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.checkpointing import CheckpointClock, agent_tensors, load_agent_tensors
from nip.trainers.progress import IterationContext, attach_progress_bar
from nip.trainers.trainer import Trainer, shown_metrics

__all__ = [
    "IterationContext",
    "TensorDictTrainer",
    "Trainer",
    "attach_progress_bar",
    "shown_metrics",
]


class TensorDictTrainer(Trainer):
    """Base of trainers whose agents are local networks.

    A subclass implements ``train``. Its training loop begins at the iteration which ``restore``
    returns, and is run by ``_run_iterations``, or saves with ``save_checkpoint_if_due``.
    """

    scenario_instance: TensorDictScenarioInstance

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: TensorDictScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        super().__init__(hyper_params, scenario_instance, settings, run)
        self.device = torch.device(settings.device)
        self.agents = scenario_instance.agents
        self._clock = CheckpointClock(settings.checkpoint_period)

    def _build_train_context(self, stack: ExitStack) -> None:
        """Enter what training needs: networks in training mode, threads and seeds of its own."""
        self._build_common_context(stack, "train")
        self.agents.train()

    def _build_test_context(self, stack: ExitStack) -> None:
        """Enter what testing needs: networks in evaluation mode, and no gradients."""
        self._build_common_context(stack, "test")
        stack.enter_context(torch.no_grad())
        stack.callback(self.agents.train, self.agents.training)
        self.agents.eval()

    def _build_common_context(self, stack: ExitStack, phase: str) -> None:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(self.settings.num_threads)
        # Dropout and noise can only draw from the global generator. It is seeded here, saved with
        # the checkpoints, and handed back as it was.
        devices = [self.device] if self.device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices=devices))
        torch.manual_seed(stable_seed(self.hyper_params.seed, phase))

    def _checkpoint_tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return all that training depends on, by file; extend it in a subclass."""
        generators = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            **agent_tensors(self.agents),
            "generators": generators,
            "normalizer": self.scenario_instance.normalizer.state_dict(),
        }

    def _load_checkpoint_tensors(self, files: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Load what ``_checkpoint_tensors`` returned."""
        load_agent_tensors(self.agents, files)
        self.scenario_instance.normalizer.load_state_dict(files["normalizer"])
        torch.set_rng_state(files["generators"]["cpu"])
        if self.device.type == "cuda" and "cuda" in files["generators"]:
            torch.cuda.set_rng_state(files["generators"]["cuda"], self.device)

    def _checkpoint_state(self) -> dict[str, Any]:
        """Return the rest of the state, as JSON can hold it."""
        return {}

    def _load_checkpoint_state(self, state: Mapping[str, Any]) -> None:
        """Load what ``_checkpoint_state`` returned."""

    def restore(self) -> int:
        """Continue an interrupted run; return the number of iterations already done."""
        checkpoint = None if self.run is None else self.run.load_latest_checkpoint()
        if self.run is None or checkpoint is None:
            if self.run is not None:
                self.run.truncate(-1)
            return 0
        self._load_checkpoint_tensors(checkpoint.tensors)
        self._load_checkpoint_state(checkpoint.state)
        self.run.truncate(checkpoint.iteration)
        return checkpoint.iteration

    def _run_iterations(
        self,
        iteration_context: IterationContext,
        first: int,
        run_one: Callable[[int], Mapping[str, float]],
    ) -> None:
        """Run the iterations that are not done yet, and log and save each.

        Parameters
        ----------
        iteration_context : IterationContext
            The progress bar, which knows how many there are.
        first : int
            Iterations that are done already.
        run_one : callable
            Takes the number of an iteration, counted from 0, and returns its metrics.
        """
        iteration_context.step(first)
        for iteration in range(first, iteration_context.total):
            self.context.iteration = iteration
            self.notify("on_iteration_start")
            metrics = run_one(iteration)
            self.log(iteration + 1, metrics)
            self.notify("on_iteration_end")
            iteration_context.set_metrics(shown_metrics(metrics))
            iteration_context.step()
            self.save_checkpoint_if_due(iteration + 1, iteration_context.total)

    def save_checkpoint(self, iterations_done: int) -> None:
        """Save everything that the rest of the run depends on."""
        if self.run is None:
            return
        started = time.monotonic()
        self.run.save_checkpoint(
            Checkpoint(iterations_done, self._checkpoint_tensors(), self._checkpoint_state())
        )
        self.run.prune_checkpoints()
        self._clock.record(started)
        self.notify("on_checkpoint")

    def save_checkpoint_if_due(self, iterations_done: int, total: int) -> None:
        """Save when the period says so, and always at the end."""
        if iterations_done == total or self._clock.is_due(iterations_done):
            self.save_checkpoint(iterations_done)


def mean_of(figures: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Average figures of several steps; one transfer to the host for all of them."""
    if not figures:
        return {}
    names = sorted({name for step in figures for name in step.keys()})
    means = torch.stack(
        [
            torch.stack([step[name] for step in figures if name in step.keys()]).mean()
            for name in names
        ]
    )
    return dict(zip(names, means.tolist(), strict=True))
