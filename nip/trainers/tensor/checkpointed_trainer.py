"""Base class of trainers whose agents are networks: saving and restoring checkpoints."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Run
from nip.scenario_instance import TensorDictScenarioInstance
from nip.trainers.core.trainer import Trainer
from nip.trainers.core.unsavable_state import explaining_unsavable
from nip.trainers.tensor.learning.data_parallel import gather_state, share_history, share_state
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.weights.checkpointing import (
    agents_state_dict,
    checkpoint_state,
    load_agents_state_dict,
    make_checkpoint,
)
from nip.trainers.tensor.weights.pretrained_agents import save_pretrained
from nip.trainers.tensor.weights.saved_models import load_model, save_model
from nip.trainers.tensor.weights.unsaved_state import UnsavedState
from nip.utils.ranks import current_ranks
from nip.utils.replaced_methods import refuse_replaced

_STATE_DICT = "Return its entries from state_dict, and load them in load_state_dict."
_REPLACED = {
    "_checkpoint_tensors": _STATE_DICT,
    "_load_checkpoint_tensors": _STATE_DICT,
    "_checkpoint_state": _STATE_DICT,
    "_load_checkpoint_state": _STATE_DICT,
    "files_of_ranks": "Name the entries of state_dict in rank_entries.",
}


class CheckpointedTrainer(Trainer):
    """Saves everything that training depends on, and restores an interrupted run.

    A subclass with a state of its own extends ``state_dict`` and ``load_state_dict`` with
    ``super()``. Agents, learner, callbacks, context and the other entries of this class are saved
    and restored even if it does not call ``super()``.
    """

    scenario_instance: TensorDictScenarioInstance

    learner: Learner
    """Updates the agents, for trainers that have one."""

    rank_entries: ClassVar[tuple[str, ...]] = ("generators", "collector")
    """Entries of the state dict that differ between ranks, so that each rank has its own."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse the methods that ``state_dict`` and ``load_state_dict`` have replaced."""
        super().__init_subclass__(**kwargs)
        refuse_replaced(cls, _REPLACED)

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: TensorDictScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        super().__init__(hyper_params, scenario_instance, settings, run)
        self.device = torch.device(settings.device)
        self._unsaved_state = UnsavedState()

    @property
    def _has_learner(self) -> bool:
        return hasattr(self, "learner")

    def _base_state_dict(self) -> dict[str, Any]:
        learner = {"learner": self.learner.state_dict()} if self._has_learner else {}
        return {
            **super()._base_state_dict(),
            **learner,
            "agents": agents_state_dict(self.agents),
            "normalizer": self.scenario_instance.normalizer.state_dict(),
            "generators": self._generator_states(),
        }

    def _load_base_state_dict(self, state: Mapping[str, Any]) -> None:
        load_agents_state_dict(self.agents, state["agents"])
        self.scenario_instance.normalizer.load_state_dict(state["normalizer"])
        torch.set_rng_state(state["generators"]["cpu"])
        if self.device.type == "cuda" and "cuda" in state["generators"]:
            torch.cuda.set_rng_state(state["generators"]["cuda"], self.device)
        if self._has_learner:
            self.learner.load_state_dict(state["learner"])
        super()._load_base_state_dict(state)

    def _generator_states(self) -> dict[str, Tensor]:
        """Return the states of PyTorch's global generators, by device."""
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def restore(self) -> int:
        """Restore an interrupted run, and return its number of completed iterations."""
        run, ranks = self.run, current_ranks()
        self.loops.has_restored = True

        def load() -> dict[str, Any] | None:
            checkpoint = None if run is None else run.load_latest_checkpoint()
            if checkpoint is None:
                return None
            return {"iteration": checkpoint.iteration, "state": checkpoint_state(checkpoint)}

        loaded = share_state(ranks.only_first(load), ranks)
        if loaded is not None:
            state = loaded["state"]
            self._load_whole_state_dict({**state, **state.get(f"rank_{ranks.rank}", {})})
            self.context.iteration = self._num_saved = loaded["iteration"]
            if run is not None:
                self.keep_checkpoints()
        if run is not None:
            run.truncate(-1 if loaded is None else loaded["iteration"])
        share_history(self.history, ranks)
        return 0 if loaded is None else loaded["iteration"]

    def save_checkpoint(self, iterations_done: int) -> None:
        """Save everything that the rest of the run depends on."""
        run, ranks = self.run, current_ranks()
        self.context.wants_checkpoint = False
        if run is None and ranks.size == 1:
            return
        started = time.monotonic()
        own = self._whole_state_dict()
        if ranks.is_first:
            self._unsaved_state.check(self, own)
            self._unsaved_generators.check(self, own)
        with explaining_unsavable(self):
            state = gather_state(own, self.rank_entries, ranks)
            if run is not None:
                run.save_checkpoint(make_checkpoint(iterations_done, state))
        if run is not None:
            self.keep_checkpoints()
        self._clock.record(started)
        self.notify("on_checkpoint")

    def keep_checkpoints(self) -> None:
        """Mark the best checkpoint, and delete those that need not be kept."""
        assert self.run is not None
        best = self.context.best
        if best is not None:
            self.run.mark_best(*best)
        self.run.prune_checkpoints(protected=[] if best is None else [best[0]])

    def save_model(self, folder: Path | str) -> None:
        """Save weights, the scaling of observations and the history into a folder."""
        parts = self.agents, self.scenario_instance.normalizer
        iteration = self.context.iteration
        current_ranks().only_first(lambda: save_model(folder, *parts, self.history, iteration))

    def load_model(self, folder: Path | str, which: int | str | None = None) -> None:
        """Load weights, scaling and history from a saved model or from a run.

        Parameters
        ----------
        folder : Path or str
            A saved model, a checkpoint of a run, or the folder of a run.
        which : int or str, optional
            Checkpoint of a run: ``latest``, ``best`` or an iteration. Default: the best if one was
            marked, else the latest.

        Raises
        ------
        CheckpointError
            If there are no such weights, or the files are damaged.
        """
        history = load_model(folder, self.agents, self.scenario_instance.normalizer, which)
        self.history.replace(history)

    def save_pretrained(self, folder: Path | str) -> None:
        """Save each agent in a folder of its own, in the layout of the Hugging Face Hub.

        ``nip.pretrained.load_pretrained`` loads an agent from its folder.
        """
        parts = self.agents, self.scenario_instance.normalizer, self.hyper_params
        current_ranks().only_first(lambda: save_pretrained(folder, *parts))
