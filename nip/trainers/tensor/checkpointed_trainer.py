"""The base of trainers whose agents are networks: what a checkpoint holds of them."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Checkpoint, Run
from nip.scenario_instance import TensorDictScenarioInstance
from nip.trainers.core.trainer import Trainer
from nip.trainers.tensor.learning.data_parallel import gather_files, share_checkpoint, share_history
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.weights.checkpointing import (
    CheckpointClock,
    agent_tensors,
    join_tensors,
    load_agent_tensors,
    split_tensors,
)
from nip.utils.ranks import current_ranks


class CheckpointedTrainer(Trainer):
    """Saves all that training depends on, and goes on from there.

    What the learner, the callbacks and the context need is saved whatever a subclass says in
    ``_checkpoint_tensors`` and ``_checkpoint_state``.
    """

    scenario_instance: TensorDictScenarioInstance

    learner: Learner
    """What updates the agents, where there is one."""

    files_of_ranks: ClassVar[tuple[str, ...]] = ("generators", "rollouts")
    """Of ``_checkpoint_tensors``, what each of several ranks has for itself."""

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
        self._clock = CheckpointClock(settings.checkpoint_period, settings.permanent_every)

    @property
    def _has_learner(self) -> bool:
        return hasattr(self, "learner")

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
        """Return the rest of the state, as JSON can hold it; extend it in a subclass."""
        return {}

    def _load_checkpoint_state(self, state: Mapping[str, Any]) -> None:
        """Load what ``_checkpoint_state`` returned."""

    def restore(self) -> int:
        """Continue an interrupted run; return the number of iterations already done."""
        run, ranks = self.run, current_ranks()
        loaded = ranks.only_first(lambda: None if run is None else run.load_latest_checkpoint())
        checkpoint = share_checkpoint(loaded, ranks)
        if checkpoint is not None:
            self._load_checkpoint_tensors(checkpoint.tensors)
            self._load_checkpoint_state(checkpoint.state)
            self._load_layer(checkpoint)
        if run is not None:
            run.truncate(-1 if checkpoint is None else checkpoint.iteration)
        share_history(self.history, ranks)
        return 0 if checkpoint is None else checkpoint.iteration

    def save_checkpoint(self, iterations_done: int) -> None:
        """Save everything that the rest of the run depends on."""
        run, ranks = self.run, current_ranks()
        self.context.wants_checkpoint = False
        if run is None and ranks.size == 1:
            return
        started = time.monotonic()
        files = gather_files(self._checkpoint_tensors(), self.files_of_ranks, ranks)
        if run is not None:
            self._write_checkpoint(run, iterations_done, files)
        self._clock.record(started)
        self.notify("on_checkpoint")

    def _write_checkpoint(
        self, run: Run, iterations_done: int, files: Mapping[str, Mapping[str, Tensor]]
    ) -> None:
        """Write the given files, and all that the subclass need not name."""
        layer, tensors = split_tensors(self.layer_state())
        if self._has_learner:
            tensors |= self.learner.tensors()
            layer["learner"] = self.learner.state_dict()
        state = {**self._checkpoint_state(), "layer": layer}
        run.save_checkpoint(Checkpoint(iterations_done, {**files, **tensors}, state))
        self.keep_checkpoints()

    def _load_layer(self, checkpoint: Checkpoint) -> None:
        """Load what ``save_checkpoint`` adds to what the subclass names."""
        layer = join_tensors(checkpoint.state["layer"], checkpoint.tensors)
        if self._has_learner:
            self.learner.load_tensors(checkpoint.tensors)
            self.learner.load_state_dict(layer["learner"])
        self.context.iteration = checkpoint.iteration
        self.load_layer_state(layer)
        if self.run is not None:
            self.keep_checkpoints()

    def keep_checkpoints(self) -> None:
        """Mark the best checkpoint, and delete those that need not be kept."""
        assert self.run is not None
        best = self.context.best
        if best is not None:
            self.run.mark_best(*best)
        self.run.prune_checkpoints(protected=[] if best is None else [best[0]])

    def save_checkpoint_if_due(self, iterations_done: int, total: int) -> None:
        """Save when the period says so, when asked, and always at the end."""
        context, ranks = self.context, current_ranks()
        stops, is_wanted, is_due = ranks.any(
            [
                context.stop_reason is not None,
                context.wants_checkpoint,
                ranks.is_first and self._clock.is_due(iterations_done),
            ]
        )
        if stops:
            context.stop("another process has stopped")
        if iterations_done == total or stops or is_wanted or is_due:
            self.save_checkpoint(iterations_done)
