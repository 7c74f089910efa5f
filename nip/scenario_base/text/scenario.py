"""What a scenario of texts names: its data, its agents, and what they are told."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

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


class TextScenario(ABC):
    """A task whose questions and answers are texts."""

    data: ClassVar[DataType] = "text"
    """Questions are texts."""

    name: ClassVar[str] = ""
    """Name under which the scenario is registered; set by ``register_scenario``."""

    prompts: ClassVar[Path]
    """Folder with the built-in system prompts, ``<protocol>/<agent>.txt``."""

    rehearsal_rules: ClassVar[Path | None] = None
    """Rules by which the models answer in a rehearsal; None: general ones."""

    def __init__(self, hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
        self.hyper_params = hyper_params
        self.settings = settings

    def check_dataset(self) -> None:  # noqa: B027 - a scenario may make its data on the fly
        """Tell at once, without reading it, if the dataset is not there.

        Raises
        ------
        NipError
            If it cannot be loaded; the message says how to get it.
        """

    @abstractmethod
    def load_dataset(self, split: str) -> TextDataset:
        """Return the ``train`` or ``test`` split."""

    def dialogue_options(self) -> DialogueOptions:
        """Return what the parameters of the scenario choose about its dialogues, if anything."""
        return DialogueOptions()

    def build_agents(self, protocol: ProtocolHandler) -> dict[str, TextAgent]:
        """Return the agents by name, in the order of the protocol, with their first models.

        Raises
        ------
        ParameterError
            If the protocol cannot be played in words.
        """
        agents = {}
        for name, spec in make_agent_specs(self.name, protocol).items():
            params = self.hyper_params.agents[name]
            assert isinstance(params, TextAgentParameters), params
            agents[name] = TextAgent(name, params, spec, base_model_of(params))
        return agents

    def dialogue_rules(self, protocol: ProtocolHandler) -> DialogueRules:
        """Return how the agents converse.

        Raises
        ------
        ParameterError
            If the protocol cannot be played in words, or a prompt cannot be used.
        ProtocolError
            If the specs of the agents do not fit the protocol.
        """
        specs = make_agent_specs(self.name, protocol)
        options = self.dialogue_options()
        return make_dialogue_rules(self.hyper_params, protocol, specs, self.prompts, options)

    def prompts_digest(self, protocol: ProtocolHandler) -> str:
        """Return the SHA-256 of all that the agents are told apart from the datapoints."""
        return self.dialogue_rules(protocol).digest
