"""Base class of text scenarios: their data, agents and prompts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.text_agents import TextAgentParameters
from nip.parameters.types import DataType
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.text.agent import TextAgent, base_model_of
from nip.scenario_base.text.agent_spec_registry import make_agent_specs
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.dialogue_rules import (
    DialogueOptions,
    DialogueRules,
    make_dialogue_rules,
)
from nip.utils.nested_array_dict import NestedArrayDict

RolloutMetrics = Mapping[str, NDArray[np.float64]]
"""Values of metrics by rollout, shape (rollout,); NaN where a metric is undefined."""


class TextScenario(ABC):
    """Base class of a scenario whose questions and solutions are texts."""

    data: ClassVar[DataType] = "text"
    """Questions are texts."""

    name: ClassVar[str] = ""
    """Name under which the scenario is registered; set by ``register_scenario``."""

    prompts: ClassVar[Path | str | None] = None
    """Folder of the built-in system prompts, ``<protocol>/<agent>.txt``; None if the specs of all
    agents have prompts."""

    rehearsal_rules: ClassVar[Path | None] = None
    """File of the rules by which mock models answer in a rehearsal; None for general rules."""

    def __init__(self, hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
        self.hyper_params = hyper_params
        self.settings = settings

    def check_dataset(self) -> None:  # noqa: B027 - a scenario may generate its data
        """Check that the dataset exists, without reading it.

        Raises
        ------
        NipError
            If the dataset cannot be loaded; the message says how to get it.
        """

    @abstractmethod
    def load_dataset(self, split: str) -> TextDataset:
        """Return the ``train`` or ``test`` split."""

    def dialogue_options(self) -> DialogueOptions:
        """Return the options of the dialogues that the scenario's parameters set."""
        return DialogueOptions()

    def rollout_metrics(
        self,
        rollouts: NestedArrayDict,
        protocol: ProtocolHandler,
    ) -> RolloutMetrics:
        """Return metrics of the scenario, whose means are logged with the others.

        Parameters
        ----------
        rollouts : NestedArrayDict
            Finished rollouts of a stage, batch ``(rollout,)``.
        protocol : ProtocolHandler
            The protocol.
        """
        return {}

    def rollout_metric_names(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the names of all metrics that ``rollout_metrics`` may return."""
        return ()

    def build_agents(self, protocol: ProtocolHandler) -> dict[str, TextAgent]:
        """Build the agents by name, in the order of the protocol, with their base models.

        Raises
        ------
        ParameterError
            If the protocol has no agent specs in this scenario.
        """
        agents = {}
        for name, spec in make_agent_specs(self.name, protocol).items():
            params = self.hyper_params.agents[name]
            assert isinstance(params, TextAgentParameters), params
            agents[name] = TextAgent(name, params, spec, base_model_of(params))
        return agents

    def dialogue_rules(self, protocol: ProtocolHandler) -> DialogueRules:
        """Return the rules of the dialogues.

        Raises
        ------
        ParameterError
            If the protocol has no agent specs in this scenario, or a prompt is invalid.
        ProtocolError
            If the specs of the agents do not fit the protocol.
        """
        specs = make_agent_specs(self.name, protocol)
        options = self.dialogue_options()
        return make_dialogue_rules(self.hyper_params, protocol, specs, self.prompts, options)

    def prompts_digest(self, protocol: ProtocolHandler) -> str:
        """Return the SHA-256 of all prompts and specs of the agents."""
        return self.dialogue_rules(protocol).digest
