"""The parts that an agent is made of, and what they need to know to build themselves."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from nip.parameters import HyperParameters
from nip.parameters.agents import AgentParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup

__all__ = [
    "ILLEGAL_LOGIT",
    "NUM_DECISIONS",
    "AgentBody",
    "AgentContext",
    "AgentPart",
    "PolicyHead",
    "PureTextSharedModelGroup",
    "SoloHead",
    "ValueHead",
]

ILLEGAL_LOGIT = -1e9
"""Logit of a symbol which may not be chosen: finite, so that no gradient becomes NaN."""

NUM_DECISIONS = 3
"""Reject, accept and continue."""


@dataclass(frozen=True)
class AgentContext:
    """Everything that the parts of one agent need to build themselves.

    Parameters
    ----------
    hyper_params : HyperParameters
        The whole experiment.
    params : AgentParameters
        The parameters of this agent.
    agent_name : str
        The agent's name in the protocol.
    protocol : ProtocolHandler
        Who speaks when, and who hears it.
    message_shape : tuple of int
        Shape ``S`` of the grid out of which one symbol is chosen, ``(2, N)`` for graph pairs.
    """

    hyper_params: HyperParameters
    params: AgentParameters
    agent_name: str
    protocol: ProtocolHandler
    message_shape: tuple[int, ...]

    @property
    def agent_index(self) -> int:
        """The agent's position in the protocol."""
        return self.protocol.agent_names.index(self.agent_name)

    @property
    def visible_channels(self) -> tuple[int, ...]:
        """Indices of the channels which the agent hears."""
        row = self.protocol.visibility[self.agent_index]
        return tuple(index for index, visible in enumerate(row) if visible)

    @property
    def num_visible_channels(self) -> int:
        """Number of channels which the agent hears, ``Cv``."""
        return len(self.visible_channels)

    @property
    def num_rounds(self) -> int:
        """Length ``T`` of the message history."""
        return self.protocol.max_message_rounds

    @property
    def message_size(self) -> int:
        """Symbols in one message, ``P``."""
        return self.hyper_params.message_size

    @property
    def num_symbols(self) -> int:
        """Number of symbols to choose from, ``prod(S)``."""
        return prod(self.message_shape)

    @property
    def linear_symbols(self) -> int | None:
        """Symbols ``L`` of the extra plain message, or None where there is none."""
        if not self.hyper_params.include_linear_message_space:
            return None
        return self.hyper_params.d_linear_message_space

    @property
    def d_representation(self) -> int:
        """Width ``D`` of the body's output."""
        return self.hyper_params.d_representation

    @property
    def is_decider(self) -> bool:
        """Whether the agent decides the question."""
        return self.agent_name in self.protocol.verifier_names

    @property
    def is_prover(self) -> bool:
        """Whether the agent is a prover."""
        return self.agent_name in self.protocol.prover_names


class AgentPart(nn.Module, ABC):
    """A part of one agent, built from its context.

    All parts read plain tensors with one leading batch dimension. Message keys hold the
    channels that the agent sees, and no others.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__()
        self.context = context


class AgentBody(AgentPart):
    """Turns an observation into a representation which the heads read.

    A body may set ``sub_parts``, a dictionary from names to modules: the learning rate of a
    module ``gnn`` is multiplied by the agent's ``gnn_lr_factor``.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.sub_parts: dict[str, nn.Module] = {}

    @abstractmethod
    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the representation of a batch of observations."""


class PolicyHead(AgentPart):
    """Gives the logits of the agent's messages and, for the verifier, of its decision."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits.

        Returns
        -------
        logits : dict of str to Tensor
            ``message`` (batch, channel, position, symbol); ``decision`` (batch, 3) of an
            agent which decides; ``linear_message`` (batch, channel, position, linear symbol)
            where there is such a message. What is illegal has the logit ``ILLEGAL_LOGIT``.
        """


class ValueHead(AgentPart):
    """Estimates the agent's return."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the value, of shape (batch,)."""


class SoloHead(AgentPart):
    """Decides the question alone, without any messages."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the logits of the two labels, of shape (batch, 2)."""
