"""Base class of scenarios whose data are neither tensors nor dialogues of language models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.types import DataType

if TYPE_CHECKING:
    from nip.protocols import ProtocolHandler
    from nip.scenario_instance import ScenarioInstance


class CustomScenario(ABC):
    """A task with a kind of data of its own, for trainers that derive from ``Trainer``.

    Parameters
    ----------
    hyper_params : HyperParameters
        Parameters of the experiment.
    settings : ExperimentSettings
        Settings without influence on results.
    """

    data: ClassVar[DataType]
    """Name of the kind of data; trainers of the same kind can be chosen with the scenario."""

    name: ClassVar[str] = ""
    """Name under which the scenario is registered; set by ``register_scenario``."""

    def __init__(self, hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
        self.hyper_params = hyper_params
        self.settings = settings

    @abstractmethod
    def build_instance(self, protocol: ProtocolHandler) -> ScenarioInstance:
        """Build datasets and agents.

        Parameters
        ----------
        protocol : ProtocolHandler
            The compiled protocol, with the names of the agents and their rewards.

        Returns
        -------
        instance : ScenarioInstance
            What the trainer receives; of a subclass, if the trainer needs more.
        """
