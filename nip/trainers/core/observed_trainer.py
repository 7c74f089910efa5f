"""What trainers do besides training: callbacks, events, logging, and the state that is saved."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from nip.errors import NipError, ParameterError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Run, RunHistory
from nip.scenario_instance import ScenarioInstance
from nip.trainers.core.callback import Callback, Event, check_callback
from nip.trainers.core.callback_registry import build_callback
from nip.trainers.core.components import COMPONENTS, TrainerComponents
from nip.trainers.core.context import TrainingContext
from nip.trainers.core.measured_metrics import MeasuredMetrics, check_measured_names
from nip.trainers.core.monitored_metrics import check_monitored
from nip.utils.ranks import current_ranks

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer


class ObservedTrainer:
    """Base class of ``Trainer``: calls callbacks, logs, and collects the state to be saved."""

    exchangeable: ClassVar[tuple[str, ...]] = COMPONENTS
    """Names of the components that can be exchanged."""

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: ScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        self.hyper_params = hyper_params
        self.scenario_instance = scenario_instance
        self.protocol_handler = scenario_instance.protocol_handler
        self.agents = scenario_instance.agents
        self.settings = settings
        self.run = run
        self.history = RunHistory() if run is None else run.history
        self.components = TrainerComponents()
        self.context = TrainingContext(trainer=cast("Trainer", self))
        self.callbacks: list[Callback] = []
        self._failed_callbacks: list[Callback] = []
        self._has_started = self._has_begun = False
        self._measured_iteration: int | None = None
        self._unclaimed_states: dict[str, Mapping[str, Any]] = {}
        for params in hyper_params.callbacks:
            self.add_callback(build_callback(params))

    def attach_run(self, run: Run) -> None:
        """Set the run in which results are stored; called once, before training.

        A trainer is built and checked before the folder of a new run is made.
        """
        self.run = run
        self.history = run.history

    def metric_names(self, logged: Collection[str] | None = None) -> frozenset[str] | None:
        """Return the names of all metrics that may be logged; None if they are not known.

        Parameters
        ----------
        logged : collection of str, optional
            Metrics logged so far, in place of those whose names are not known in advance.
        """
        return None

    def use(self, components: TrainerComponents) -> None:
        """Exchange components; call it before training.

        Raises
        ------
        ParameterError
            If this trainer does not have one of the components.
        """
        fixed = [name for name in components.given() if name not in self.exchangeable]
        if fixed:
            raise ParameterError(
                f"{type(self).__name__} has no {' or '.join(fixed)} to be exchanged, got "
                f"{components}. What it can exchange: {', '.join(self.exchangeable)}."
            )
        self.components = components
        for callback in components.callbacks:
            self.add_callback(callback)

    def add_callback(self, callback: Callback) -> None:
        """Append a callback.

        During training, its ``on_train_start`` is called here. When several processes train
        together, observers are added in the first one only.
        """
        check_callback(callback)
        if callback.is_observer and not self._keeps_observers:
            return
        self.callbacks.append(callback)
        if self._has_started:
            self.check()
            (key,) = (key for key, each in self._named_callbacks() if each is callback)
            if key in self._unclaimed_states:
                callback.load_state_dict(self._unclaimed_states.pop(key))
            self._call(callback, "on_train_start")

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of an iteration, counted from 1."""
        self.context.metrics, self.context.metrics_iteration = dict(metrics), iteration
        if self.run is not None:
            self.run.log(iteration, metrics)
        else:
            self.history.update(iteration, metrics)
        self.notify("on_log")

    def measure(self, taken: Collection[str] = ()) -> dict[str, float]:
        """Return the metrics that callbacks compute themselves; empty if this iteration has them.

        Called before the metrics of an iteration are logged.

        Parameters
        ----------
        taken : collection of str
            Names of the other metrics of this iteration.

        Raises
        ------
        ParameterError
            If a callback measures a metric under a name that is taken.
        """
        if self._measured_iteration == self.context.iteration:
            return {}
        self._measured_iteration = self.context.iteration
        measured = MeasuredMetrics(taken)
        for callback in self.callbacks:
            measured.add(callback, callback.measure(self.context))
        return measured.metrics

    def notify(self, event: Event) -> None:
        """Call the method of an event on all callbacks, in order."""
        for callback in self.callbacks:
            self._call(callback, event)

    def _call(self, callback: Callback, event: Event) -> None:
        """Call the method of an event; of a callback that may fail, warn of its first failure."""
        try:
            getattr(callback, event)(self.context)
        except Exception as error:
            # What the user can mend is said before hours of training without the logger.
            is_refusal = isinstance(error, NipError) and event == "on_train_start"
            if not callback.may_fail or is_refusal:
                raise
            if callback not in self._failed_callbacks:
                self._failed_callbacks.append(callback)
                warn_user(
                    f"{type(callback).__name__}.{event} has failed ({type(error).__name__}: "
                    f"{error}). Training goes on, and all metrics are stored in the run; what "
                    "this callback writes may be incomplete. Further failures are not reported."
                )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run a stage between its events ``on_stage_start`` and ``on_stage_end``."""
        self.context.stage = name
        self.notify("on_stage_start")
        yield
        self.notify("on_stage_end")
        self.context.stage = ""

    def check(self) -> None:
        """Refuse callbacks that cannot work here; called before anything is written."""
        for callback in self.callbacks:
            callback.check(cast("Trainer", self))
        known = self.metric_names()
        for callback in self.callbacks:
            names = callback.metric_names(cast("Trainer", self))
            check_measured_names(callback, names, known or ())
        self.check_monitored(known)

    def begin(self) -> None:
        """Call ``on_train_start`` of the callbacks, unless it was called already."""
        if not self._has_started:
            self.check()
            if self._unclaimed_states:
                names = ", ".join(sorted(self._unclaimed_states))
                warn_user(
                    f"The checkpoint has a state of {names}, but no such callback was given. Give "
                    "it again, or the run continues without it."
                )
            self._has_started = self._has_begun = True
            self.notify("on_train_start")

    def check_monitored(self, known: Collection[str] | None) -> None:
        """Refuse callbacks that monitor a metric which is not among the known ones."""
        has_own_evaluation = self.components.evaluate is not None
        if known is not None:
            known = {*known, *self._names_of_callbacks()}
        check_monitored(self.callbacks, known, has_own_evaluation=has_own_evaluation)

    def stored_metric_names(self) -> frozenset[str] | None:
        """Return the names of all metrics that a run may have; None if they are not known.

        Those of a callback that measures, but does not state the names, are not known.
        """
        for each in self.callbacks:
            states_names = type(each).metric_names is not Callback.metric_names
            if type(each).measure is not Callback.measure and not states_names:
                return None
        known = self.metric_names()
        return None if known is None else known | self._names_of_callbacks()

    def _names_of_callbacks(self) -> frozenset[str]:
        trainer = cast("Trainer", self)
        return frozenset(name for each in self.callbacks for name in each.metric_names(trainer))

    def check_logged(self) -> None:
        """Refuse monitored metrics that were not logged, if names were not known before."""
        if self.context.stop_reason is None and self.metric_names() is None:
            self.check_monitored(self.metric_names(self.history.names()))

    def close(self) -> None:
        """Call ``on_train_end`` of all callbacks, even if some of them fail."""
        if not self._has_started:
            return
        self._has_started = False
        errors = []
        for callback in self.callbacks:
            try:
                self._call(callback, "on_train_end")
            except Exception as error:
                errors.append(error)
        if errors:
            for later in errors[1:]:
                errors[0].add_note(f"Then: {type(later).__name__}: {later}")
            raise errors[0]

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close at the end, and store why the run was stopped early.

        An error of training propagates unchanged; errors of closing are added as notes.
        """
        try:
            yield
        except BaseException as error:
            try:
                self.close()
            except Exception as later:
                error.add_note(f"Then, at the end of training: {type(later).__name__}: {later}")
            raise
        if self.run is not None and self.context.stop_reason is not None:
            self.run.set_state("stop_reason", self.context.stop_reason)
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, nested by name.

        Leaves are values that JSON can hold or, for trainers of networks, tensors. A subclass
        extends it with ``super()``.
        """
        return self._base_state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._load_base_state_dict(state)

    def _base_state_dict(self) -> dict[str, Any]:
        """Return the entries that are saved even if ``state_dict`` leaves them out."""
        states = {key: dict(callback.state_dict()) for key, callback in self._named_callbacks()}
        states = {key: state for key, state in states.items() if state}
        return {
            "context": self.context.state_dict(),
            "callbacks": {**self._unclaimed_states, **states},
        }

    def _load_base_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the entries of ``_base_state_dict``; a callback without a state starts anew.

        States whose callbacks are missing are kept until those are added.
        """
        self._has_loaded_base = True
        self.context.load_state_dict(state["context"])
        self._unclaimed_states = dict(state["callbacks"])
        for key, callback in self._named_callbacks():
            if key in self._unclaimed_states:
                callback.load_state_dict(self._unclaimed_states.pop(key))

    def _whole_state_dict(self) -> dict[str, Any]:
        """Return ``state_dict`` with the base entries that a subclass without super() lacks."""
        state = self.state_dict()
        return state if "context" in state else {**self._base_state_dict(), **state}

    def _load_whole_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state dict, with the base entries if a subclass does not call super()."""
        self._has_loaded_base = False
        self.load_state_dict(state)
        if not self._has_loaded_base:
            self._load_base_state_dict(state)

    @property
    def _keeps_observers(self) -> bool:
        """Whether this process has the observers."""
        return current_ranks().is_first

    def _named_callbacks(self) -> Iterator[tuple[str, Callback]]:
        """Yield callbacks with the keys of their states: their classes, counted.

        Those that influence results come first, so that their keys are the same in a run that is
        resumed without the others.
        """
        counts: dict[str, int] = {}
        for callback in sorted(self.callbacks, key=lambda each: not each.influences_results):
            name = type(callback).__name__
            counts[name] = counts.get(name, 0) + 1
            yield f"{name}-{counts[name]}", callback
