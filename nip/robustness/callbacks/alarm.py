"""Base class of alarms: callbacks that watch for collapses of training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nip.errors import CollapseError, ParameterError, warn_user
from nip.parameters.callbacks import callback_specs
from nip.parameters.robustness import AlarmParameters
from nip.trainers.core.callback import Callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer


class Alarm(Callback):
    """Base class of callbacks that report once if a figure passes a threshold.

    After ``warmup`` iterations, the mean of the last ``window`` values of each figure is compared.
    All figures are logged as metrics. Agents and their training are not influenced, except by
    ``action``.
    """

    def __init__(self, params: AlarmParameters) -> None:
        self.params = params
        self._values: dict[str, list[float]] = {}
        self._given: list[str] = []
        self._pending: list[str] = []

    @property
    def influences_results(self) -> bool:
        """Whether an alarm ends the training."""
        return not callback_specs[self.params.name].only_observes(self.params.options)

    def check(self, trainer: Trainer) -> None:
        """Refuse trainers that do not have what the alarm watches."""
        if problems := list(self.params.problems_in(trainer.hyper_params, "callbacks")):
            raise ParameterError(*problems)

    @abstractmethod
    def figures(self, context: TrainingContext) -> Mapping[str, float]:
        """Return the figures of this iteration by the name of their metric, as far as known."""

    def counts(self) -> bool:
        """Return whether the figures of this iteration are of enough data to count."""
        return True

    @abstractmethod
    def problems(self, means: Mapping[str, float]) -> Mapping[str, str]:
        """Return what is wrong, given the means of figures; one message for each key."""

    def measure(self, context: TrainingContext) -> Mapping[str, float]:
        """Return the figures, and give the alarm if their means have passed a threshold."""
        figures = self.figures(context)
        if context.iteration >= self.params.warmup and figures and self.counts():
            for name, value in figures.items():
                self._values[name] = [*self._values.get(name, []), value][-self.params.window :]
            for key, message in self.problems(self._means()).items():
                if key not in self._given:
                    self._given.append(key)
                    self._pending.append(message)
        return figures

    def on_log(self, context: TrainingContext) -> None:
        """Act on a new alarm, once its figure was logged."""
        if not self._pending or context.metrics_iteration != context.iteration + 1:
            return
        told = f"Alarm {self.params.name}, iteration {context.metrics_iteration}: "
        told += " ".join(self._pending)
        self._pending = []
        if self.params.action == "raise":
            raise CollapseError(told)
        if self.params.action == "stop":
            context.stop(told)
        else:
            warn_user(told)

    def state_dict(self) -> Mapping[str, Any]:
        """Return the last values, and the alarms that were given."""
        return {"values": self._values, "given": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._values = {name: list(values) for name, values in state["values"].items()}
        self._given = list(state["given"])

    def _means(self) -> dict[str, float]:
        """Return the mean of each figure that has as many values as the window."""
        window = self.params.window
        return {
            name: sum(values) / window
            for name, values in self._values.items()
            if len(values) == window
        }
