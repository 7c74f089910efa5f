"""What every trainer is, whatever its agents are made of."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.types import DataType
from nip.run_store import Run
from nip.scenario_instance import ScenarioInstance
from nip.trainers.callbacks import Callback, TrainingContext
from nip.trainers.progress import total_iterations

SHOWN_METRICS = (
    "mean_accuracy",
    "completeness",
    "soundness",
    "mean_episode_length",
)
"""What is shown beside the progress bar, where it is known."""


class Trainer(ABC):
    """Trains the agents of one experiment.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    scenario_instance : ScenarioInstance
        The built parts.
    settings : ExperimentSettings
        Where it is to be run.
    run : Run, optional
        Where results are kept, and from where an interrupted run goes on.
    """

    data: ClassVar[DataType] = "tensordict"
    """What it learns from; the parameters refuse scenarios that are made of something else."""

    trainer_type: ClassVar[str] = "rl"
    """Which heads the factory builds: ``rl`` or ``solo_agent``."""

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: ScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        self.hyper_params = hyper_params
        self.scenario_instance = scenario_instance
        self.settings = settings
        self.run = run
        self.callbacks: list[Callback] = []
        self.context = TrainingContext(trainer=self)

    @abstractmethod
    def train(self) -> None:
        """Set the seed, run the training loop and the test loop, log, and save the models."""

    @property
    def num_iterations(self) -> int:
        """Iterations of all loops together."""
        return total_iterations(self)

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Keep the metrics of an iteration."""
        self.context.metrics = dict(metrics)
        if self.run is not None:
            self.run.log(iteration, metrics)

    def notify(self, event: str) -> None:
        """Tell all callbacks of an event, in order."""
        for callback in self.callbacks:
            getattr(callback, event)(self.context)


def shown_metrics(metrics: Mapping[str, float], prefix: str = "") -> dict[str, float]:
    """Pick what a progress bar has room for; all metrics where none of the usual ones is there."""
    names = (f"{prefix}{name}" for name in SHOWN_METRICS)
    return {name: metrics[name] for name in names if name in metrics} or dict(metrics)
