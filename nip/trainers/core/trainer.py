"""Base class of all trainers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from nip.errors import ParameterError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.types import DataType
from nip.run_store import Run
from nip.scenario_instance import ScenarioInstance
from nip.trainers.core.checkpoint_clock import CheckpointClock
from nip.trainers.core.observed_trainer import ObservedTrainer
from nip.trainers.core.own_loops import OwnLoops, complete_training
from nip.trainers.core.progress import total_iterations
from nip.trainers.core.unsavable_state import explaining_unsavable
from nip.trainers.core.unsaved_generators import UnsavedGenerators
from nip.utils import stop_signals
from nip.utils.ranks import current_ranks

SHOWN_METRICS = (
    "mean_accuracy",
    "completeness",
    "soundness",
    "mean_episode_length",
)
"""Metrics shown beside the progress bar, if they were logged."""

CHECKPOINT_KEY = "checkpoint"
"""Key of the state of a trainer without tensors in the stored state of a run."""


class Trainer(ObservedTrainer, ABC):
    """Trains the agents of one experiment.

    Parameters
    ----------
    hyper_params : HyperParameters
        Parameters of the experiment.
    scenario_instance : ScenarioInstance
        Built parts of the experiment.
    settings : ExperimentSettings
        Settings without influence on results.
    run : Run, optional
        Folder in which results are stored, and from which an interrupted run is resumed.
    """

    data: ClassVar[DataType] = "tensordict"
    """Kind of data that it learns from. Scenarios of another kind are refused."""

    trainer_type: ClassVar[str] = "rl"
    """Heads that the factory builds: ``rl`` or ``solo_agent``."""

    agents: Any
    """The agents: one module for networks, a dictionary by name for language models."""

    device: Any = None
    """Device of the networks; None for trainers of anything else."""

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: ScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        self.loops = OwnLoops(self)
        self._clock = CheckpointClock(settings.checkpoint_period, settings.permanent_every)
        self._num_saved: int | None = None
        self._calls_restore = self._has_warned = False
        self._unsaved_generators = UnsavedGenerators()
        super().__init__(hyper_params, scenario_instance, settings, run)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete ``train`` of a subclass by what every training must do at its end."""
        super().__init_subclass__(**kwargs)
        if "train" in vars(cls):
            cls.train = complete_training(cls.train)  # type: ignore[method-assign]

    @classmethod
    def for_data(cls, data: DataType) -> type[Trainer]:  # noqa: ARG003 - for subclasses
        """Return the class that trains on a kind of data, if the spec of the trainer has several.

        Parameters
        ----------
        data : str
            Kind of data of the scenario.
        """
        return cls

    @abstractmethod
    def train(self) -> None:
        """Set the seed, run the training loop and the test loop, log, and save the models."""

    @property
    def num_iterations(self) -> int:
        """Number of iterations of all loops together."""
        return total_iterations(self)

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of an iteration, counted from 1.

        In a ``train`` of a subclass without a loop that reports its iterations, this also ends the
        iteration.
        """
        self.loops.before_log(iteration)
        if iteration == self.context.iteration + 1:
            metrics = {**metrics, **self.measure(metrics)}
        super().log(iteration, metrics)
        self.loops.after_log(iteration)

    def check(self) -> None:
        """Refuse callbacks and options that cannot work here; called before anything is written."""
        if self.hyper_params.eval_every is not None and self.can_evaluate is False:
            self._evaluate("test", lambda: None)
        super().check()

    def begin(self) -> None:
        """Call ``on_train_start`` of the callbacks, unless it was called already."""
        if not self._has_started and not self.loops.has_restored:
            self._start_again()
        super().begin()

    # ---- evaluation

    @property
    def can_evaluate(self) -> bool | None:
        """Whether the trainer has an evaluation; None if it decides itself when to test."""
        has_own = type(self)._evaluate is not Trainer._evaluate
        return has_own or self.components.evaluate is not None

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Return the metrics of the agents on a split; called in the test context."""
        raise ParameterError(
            f"eval_every={self.hyper_params.eval_every} needs a trainer that can evaluate, which "
            f"{type(self).__name__} cannot. Set eval_every=null, or give it an _evaluate."
        )

    def _test_context(self) -> AbstractContextManager[Any]:
        """Return the context of evaluations."""
        return self.loops.testing()

    def evaluate(
        self, split: str = "test", on_batch: Callable[[], object] = lambda: None
    ) -> dict[str, float]:
        """Evaluate the agents, without an effect on training.

        Parameters
        ----------
        split : str
            ``train`` or ``test``.
        on_batch : callable
            Called after each batch.

        Returns
        -------
        metrics : dict of str to float
            Metrics, prefixed with the split.
        """
        if split not in ("train", "test"):
            raise ParameterError(
                f"split must be 'train' or 'test', got {split!r}. Name one of the splits."
            )
        self.notify("on_evaluation_start")
        with self._test_context():
            if self.components.evaluate is None:
                metrics = self._evaluate(split, on_batch)
            else:
                metrics = dict(self.components.evaluate(self, split))
        metrics = {f"{split}_{name}": value for name, value in metrics.items()}
        self.context.metrics = metrics
        self.notify("on_evaluation_end")
        return metrics

    def evaluation_is_due(self, iterations_done: int) -> bool:
        """Return whether to evaluate now, and take note of a request to do so."""
        period = self.hyper_params.eval_every
        is_due = period is not None and iterations_done % period == 0
        (is_wanted,) = current_ranks().any([self.context.wants_evaluation])
        self.context.wants_evaluation &= not (is_due or is_wanted)
        return is_due or is_wanted

    # ---- checkpoints

    def use_clock(self, clock: CheckpointClock) -> None:
        """Let another clock decide when checkpoints are due."""
        self._clock = clock

    def restore(self) -> int:
        """Restore an interrupted run, and return its number of completed iterations."""
        run, iteration = self.run, 0
        self.loops.has_restored = self._calls_restore = True
        stored = None if run is None else run.get_state(CHECKPOINT_KEY)
        if stored is not None:
            self._load_whole_state_dict(stored)
            iteration = self._num_saved = self.context.iteration
        if run is not None:
            run.truncate(-1 if stored is None else iteration)
        return iteration

    def save_checkpoint(self, iterations_done: int) -> None:
        """Save everything that the rest of the run depends on, as JSON in the run's database."""
        self.context.wants_checkpoint = False
        if self.run is None:
            return
        started = time.monotonic()
        state = self._whole_state_dict()
        if type(self).state_dict is ObservedTrainer.state_dict:
            self._warn_without_state()
        else:
            self._unsaved_generators.check(self, state)
        with explaining_unsavable(self):
            self.run.set_state(CHECKPOINT_KEY, state)
        self._clock.record(started)
        self.notify("on_checkpoint")

    def _warn_without_state(self) -> None:
        """Warn once of a trainer that restores interrupted runs, but saves no agents."""
        if self._calls_restore and not self._has_warned:
            self._has_warned = True
            warn_user(
                f"Checkpoints lack the agents, because {type(self).__name__} has no state_dict: "
                "a resumed run will go on with new ones. Return all that changes from state_dict, "
                "and load it in load_state_dict."
            )

    def save_checkpoint_if_due(self, iterations_done: int, total: int | None) -> None:
        """Save if a checkpoint is due or was requested, if training stops, and at the end.

        ``total`` is the number of iterations; None if it is not known. If a signal has asked one of
        the ranks to stop, all of them save and raise ``Interrupted``.
        """
        context, ranks = self.context, current_ranks()
        is_interrupted, stops, is_wanted, is_due = ranks.any(
            [
                stop_signals.is_stop_requested(),
                context.stop_reason is not None,
                context.wants_checkpoint,
                ranks.is_first and self._clock.is_due(iterations_done),
            ]
        )
        if stops:
            context.stop("another process has stopped")
        if iterations_done == total or is_interrupted or stops or is_wanted or is_due:
            self.save_checkpoint(iterations_done)
            self._num_saved = iterations_done
        if is_interrupted:
            raise stop_signals.interruption()

    def finish_training(self) -> None:
        """Save the end of a training whose last iteration was not saved.

        Raises
        ------
        ParameterError
            If something was asked for that happens in iterations, but none was reported.
        """
        iteration = self.context.iteration
        if not self.loops.has_restored:
            self._start_again()
        if self._num_saved != iteration:
            self.save_checkpoint(iteration)
            self._num_saved = iteration
        period = self.hyper_params.eval_every
        unused = [type(each).__name__ for each in self.callbacks if not each.is_observer]
        unused += [f"eval_every={period}"] if period is not None else []
        if unused and not self._has_begun:
            raise ParameterError(
                f"{type(self).__name__}.train has reported no iteration, so {', '.join(unused)} "
                "had no effect. Call iteration_context.step() at the end of each iteration of "
                "_run_train_loop, or self.log(), or leave them out. The result was saved."
            )

    def _start_again(self) -> None:
        """Begin a run anew if ``train`` of a subclass does not restore what was interrupted."""
        self.loops.has_restored = True
        if self.run is None:
            return
        if self.run.history.names():
            warn_user(
                f"{type(self).__name__}.train does not call restore(), so the interrupted run "
                f"{self.run.run_id!r} starts again from its first iteration. Call it before the "
                "loop, and begin at the iteration that it returns."
            )
        self.run.truncate(-1)


def shown_metrics(metrics: Mapping[str, float], prefix: str = "") -> dict[str, float]:
    """Select the metrics for a progress bar: ``SHOWN_METRICS``, or all if none of them is there."""
    names = (f"{prefix}{name}" for name in SHOWN_METRICS)
    return {name: metrics[name] for name in names if name in metrics} or dict(metrics)
