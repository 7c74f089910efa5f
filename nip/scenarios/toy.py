"""The toy scenario: games small enough to be solved by hand, and an example in one file.

In ``witness`` one of four positions is marked (label 1) or none (label 0). The prover sees the mark
and names a position; the verifier sees only whether that position is marked. Since a mark cannot be
forged, the verifier learns to decide correctly whatever the prover is rewarded for.

In ``cheap_talk`` the prover sees the label, and its message is all that the verifier sees. A prover
that is rewarded for acceptance sends the same message for both labels, so the verifier can only
guess.

``faults`` is ``witness`` with the labels exchanged, and with twice as many sound datapoints as
faulty ones: the mark is a fault (label 0), which a prover that is rewarded for acceptance hides.

``secret_talk`` is ``cheap_talk`` with a prover that sees one more bit, which is as likely for both
labels and of no use to the verifier.

In ``inspection``, whose protocol is ``nip``, a product is faulty (label 0) or not (label 1). The
verifier names one of four positions, and then the prover, which does not see it, hides the fault at
one. The verifier sees only whether it has named that position. Any pure strategy can be exploited,
as in matching pennies: in the equilibrium both draw a position at random.

The simulator of zero knowledge is told the label, because only what goes beyond it is a leak.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nip.parameters import ToyAgentParameters
from nip.scenario_base.agents import (
    NUM_DECISIONS,
    AgentBody,
    AgentContext,
    PolicyHead,
    SoloHead,
    ValueHead,
)
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.scenario import Scenario

NUM_POSITIONS = 4
"""Number of positions, and of symbols of a message."""

NUM_LABELS = 2
"""Number of labels."""

WITH_MARKS = ("faults", "inspection", "witness")
"""Datasets in which the verifier sees whether the marked position was named."""


def reads_words(context: AgentContext) -> bool:
    """Return whether an agent reads the symbols of messages, not only whether they hit the mark."""
    return context.is_prover or context.hyper_params.dataset not in WITH_MARKS


def num_inputs(context: AgentContext) -> int:
    """Return the number of input features of an agent."""
    num_words = context.num_visible_channels * context.message_size
    d_word = NUM_POSITIONS if reads_words(context) else 1
    if context.hyper_params.dataset == "inspection":
        num_words = int(not context.is_prover)
    num_told = NUM_POSITIONS * context.is_prover + NUM_LABELS * context.is_imitator
    return num_words * d_word + num_told


def hidden_width(context: AgentContext) -> int:
    """Return the width of the hidden layer, 0 without one."""
    assert isinstance(context.params, ToyAgentParameters)
    return context.params.d_hidden


def num_features(context: AgentContext) -> int:
    """Return the width of the representation."""
    return hidden_width(context) or num_inputs(context)


class ToyBody(AgentBody):
    """Input features of the agent, optionally followed by a hidden layer."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        width = hidden_width(context)
        layers = [nn.Linear(num_inputs(context), width), nn.Tanh()] if width else []
        self.hidden = nn.Sequential(*layers)

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``features``, (batch, width)."""
        message, secret = observation["message"], observation["secret"]
        if self.context.hyper_params.dataset == "inspection":
            features = [] if self.context.is_prover else [_is_found(observation)]
        elif reads_words(self.context):
            features = [message.flatten(1)]
        else:
            # A normalised empty message is not 0, which would reveal whether there is a mark.
            symbols = _last_symbols(observation)
            features = [(symbols * secret[:, None, None]).sum(-1).flatten(1)]
        if self.context.is_prover:
            features.append(secret)
        if self.context.is_imitator:
            features.append(_labels(self.context.hyper_params.dataset, secret))
        return {"features": self.hidden(torch.cat(features, dim=-1))}


def _labels(dataset: str, secret: Tensor) -> Tensor:
    """Return the label that a secret implies, one-hot, (batch, 2)."""
    if dataset in WITH_MARKS:
        is_marked = secret.sum(-1)
        label = is_marked if dataset == "witness" else 1 - is_marked
        return torch.stack((1 - label, label), dim=-1)
    if dataset == "cheap_talk":
        return secret[:, :NUM_LABELS]
    return secret.unflatten(-1, (NUM_LABELS, -1)).sum(-1)


def _last_symbols(observation: Mapping[str, Tensor]) -> Tensor:
    """Return the symbols of the last round, one-hot and not normalised; 0 without a message."""
    history, round_ = observation["message_history"], observation["round"]
    rows = torch.arange(len(round_), device=round_.device)
    last = history[rows, (round_ - 1).clamp_min(0)]
    return last * (round_ > 0)[:, None, None, None]


def _is_found(observation: Mapping[str, Tensor]) -> Tensor:
    """Return whether the first two messages name the same position of a faulty product, (batch, 1).

    Only the first channel and symbol count.
    """
    named = observation["message_history"][:, :2, 0, 0]
    has_both = named.shape[1] == 2
    is_same = named.prod(dim=1).sum(-1) if has_both else named.new_zeros(len(named))
    return (is_same * observation["secret"].sum(-1)).unsqueeze(-1)


class ToyPolicyHead(PolicyHead):
    """Linear policy head: for one-hot features, a table of logits."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        width = num_features(context)
        self._shape = (context.num_visible_channels, context.message_size, context.num_symbols)
        self.message = nn.Linear(width, torch.Size(self._shape).numel())
        self.decision = nn.Linear(width, NUM_DECISIONS) if context.is_decider else None
        linear_size = self._shape[0] * self._shape[1] * (context.linear_symbols or 0)
        self.linear_message = nn.Linear(width, linear_size) if linear_size else None
        params = context.params
        if isinstance(params, ToyAgentParameters) and params.initial_policy_scale != 1.0:
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.mul_(params.initial_policy_scale)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of message and decision."""
        features = representation["features"]
        logits = {"message": self.message(features).unflatten(-1, self._shape)}
        if self.decision is not None:
            logits["decision"] = self.decision(features)
        if self.linear_message is not None:
            shape = (*self._shape[:2], -1)
            logits["linear_message"] = self.linear_message(features).unflatten(-1, shape)
        return logits


class ToyValueHead(ValueHead):
    """Linear value head."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.value = nn.Linear(num_features(context), 1)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the value, (batch,)."""
        return self.value(representation["features"]).squeeze(-1)


class ToySoloHead(SoloHead):
    """Linear solo head."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.label = nn.Linear(num_features(context), NUM_LABELS)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the logits of the labels, (batch, 2)."""
        return self.label(representation["features"])


@register_scenario("toy")
class ToyScenario(Scenario):
    """The games, chosen by ``dataset=witness``, ``cheap_talk`` and so on."""

    message_key = "position_selected"
    body = ToyBody
    policy_head = ToyPolicyHead
    value_head = ToyValueHead
    solo_head = ToySoloHead

    def load_dataset(self, split: str) -> TensorDataset:
        """Return all datapoints; both splits are equal."""
        y = torch.arange(2).repeat_interleave(NUM_POSITIONS)
        if self.hyper_params.dataset == "faults":
            y = torch.tensor([0, 1, 1]).repeat_interleave(NUM_POSITIONS)
            secret = torch.eye(NUM_POSITIONS).repeat(3, 1) * (1 - y).unsqueeze(-1)
        elif self.hyper_params.dataset == "witness":
            secret = torch.cat(
                (torch.zeros(NUM_POSITIONS, NUM_POSITIONS), torch.eye(NUM_POSITIONS))
            )
        elif self.hyper_params.dataset == "inspection":
            secret = torch.eye(NUM_POSITIONS)[torch.zeros_like(y)] * (1 - y).unsqueeze(-1)
        elif self.hyper_params.dataset == "cheap_talk":
            secret = torch.eye(NUM_POSITIONS)[y]
        else:
            bit = torch.arange(len(y)) // 2 % 2
            secret = torch.eye(NUM_POSITIONS)[NUM_LABELS * y + bit]
        return TensorDataset({"secret": secret}, y, message_shape=(NUM_POSITIONS,))
