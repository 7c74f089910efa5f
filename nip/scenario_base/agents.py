"""Base classes of the parts of an agent, and the context that they are built from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from torch import Tensor, nn

from nip.parameters import HyperParameters
from nip.parameters.agents import AgentParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup

__all__ = [
    "AVOIDED_LOGIT",
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
"""Logit of a symbol that must not be chosen. It is finite, so that gradients are never NaN."""

AVOIDED_LOGIT = -1e4
"""Logit of an action that a fixed policy never takes although it may: its probability is 0, but it
counts among the legal ones, for example when random or best messages take the place of its own."""

NUM_DECISIONS = 3
"""Number of decisions: reject, accept and continue."""


@dataclass(frozen=True)
class AgentContext:
    """Context that the parts of one agent are built from.

    Parameters
    ----------
    hyper_params : HyperParameters
        The whole experiment.
    params : AgentParameters
        The parameters of this agent.
    agent_name : str
        The agent's name in the protocol.
    protocol : ProtocolHandler
        The protocol: turns, visibility and rewards.
    message_shape : tuple of int
        Shape ``S`` of the grid from which one symbol is chosen, ``(2, N)`` for graph pairs.
    observation_shapes : mapping of str to tuple of int
        Shape of each observation of a datapoint, ``(channel, height, width)`` for an image.
    """

    hyper_params: HyperParameters
    params: AgentParameters
    agent_name: str
    protocol: ProtocolHandler
    message_shape: tuple[int, ...]
    observation_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def agent_index(self) -> int:
        """The agent's position in the protocol."""
        return self.protocol.agent_names.index(self.agent_name)

    @property
    def views(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the channels that the agent reads at once.

        There are several groups of them if the agent plays copies of an exchange: it reads each by
        itself, with the same networks.
        """
        return self.protocol.views(self.agent_name)

    @property
    def visible_channels(self) -> tuple[int, ...]:
        """Indices of the channels that the agent can read, of the first view."""
        return self.views[0]

    @property
    def num_visible_channels(self) -> int:
        """Number of channels that the agent reads at once, ``Cv``."""
        return len(self.visible_channels)

    @property
    def num_rounds(self) -> int:
        """Length ``T`` of the message history."""
        return self.protocol.max_message_rounds

    @property
    def message_size(self) -> int:
        """Number of symbols in one message, ``P``."""
        return self.hyper_params.message_size

    @property
    def num_symbols(self) -> int:
        """Number of symbols to choose from, ``prod(S)``."""
        return prod(self.message_shape)

    @property
    def linear_symbols(self) -> int | None:
        """Number of linear symbols, ``L``; None without a linear message space."""
        if not self.hyper_params.include_linear_message_space:
            return None
        return self.hyper_params.d_linear_message_space

    @property
    def d_representation(self) -> int:
        """Width ``D`` of the body's output."""
        return self.hyper_params.d_representation

    @property
    def is_decider(self) -> bool:
        """Whether the agent puts out a decision: a verifier, or an agent that imitates one."""
        return self.agent_name in self.protocol.rules.agents_with_decision

    @property
    def is_imitator(self) -> bool:
        """Whether the agent is paid for acting like another one, as a simulator is."""
        imitations = self.protocol.rules.imitations
        return any(imitation.imitator == self.agent_name for imitation in imitations)

    @property
    def is_prover(self) -> bool:
        """Whether the agent is a prover."""
        return self.agent_name in self.protocol.prover_names


class AgentPart(nn.Module, ABC):
    """Base class of the parts of an agent.

    All parts read plain tensors with one leading batch dimension. Message keys hold only the
    channels that the agent can read.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__()
        self.context = context


class AgentBody(AgentPart):
    """Maps an observation to the representation that the heads read.

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
    """Computes the logits of the agent's messages and, for a verifier, of its decision."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits.

        Returns
        -------
        logits : dict of str to Tensor
            ``message`` (batch, channel, position, symbol); for a verifier ``decision``
            (batch, 3); with a linear message space ``linear_message`` (batch, channel, position,
            linear symbol). Illegal symbols have the logit ``ILLEGAL_LOGIT``.
        """


class ValueHead(AgentPart):
    """Estimates the agent's return."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the value, of shape (batch,)."""


class SoloHead(AgentPart):
    """Predicts the label of a datapoint without any messages, for solo training."""

    @abstractmethod
    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the logits of the two labels, of shape (batch, 2)."""
