"""A scenario about composite numbers: a prover names a divisor, which the verifier can check."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nip.parameters import AgentParameters, register_parameter_class
from nip.parameters.types import Count
from nip.scenario_base.agents import NUM_DECISIONS, AgentBody, AgentContext, PolicyHead, ValueHead
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.networks import build_mlp, initialise_orthogonally
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.scenario import Scenario
from nip.seeding import stable_seed

LIMITS = {"below_100": 100, "below_1000": 1000}
"""Upper bound on the numbers of each dataset."""


@register_parameter_class
@dataclass
class CompositeAgentParameters(AgentParameters):
    """Parameters of an agent with an MLP body and linear heads."""

    d_hidden: Count = 32
    """Width of the hidden layer."""

    num_layers: Count = 2
    """Number of linear layers of the body; fewer than 2 count as 2."""


class CompositeBody(AgentBody):
    """A prover sees all divisors; a verifier only whether the last message names one."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        params = context.params
        assert isinstance(params, CompositeAgentParameters)
        num_read = context.num_visible_channels * context.message_size
        self.mlp = build_mlp(
            context.num_symbols if context.is_prover else num_read,
            params.d_hidden,
            context.d_representation,
            num_layers=params.num_layers,
            activation="tanh",
        )
        if params.use_orthogonal_initialisation:
            initialise_orthogonally(self, params.orthogonal_initialisation_gain)

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``features``, (batch, d_representation)."""
        divides = observation["divides"]
        if self.context.is_prover:
            return {"features": self.mlp(divides)}
        named = (observation["message"] * divides[:, None, None]).sum(-1)
        return {"features": self.mlp(named.flatten(1))}


class CompositePolicyHead(PolicyHead):
    """Linear logits of the named number and, for the verifier, of the decision."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        width = context.d_representation
        self.shape = (context.num_visible_channels, context.message_size, context.num_symbols)
        self.message = nn.Linear(width, torch.Size(self.shape).numel())
        self.decision = nn.Linear(width, NUM_DECISIONS) if context.is_decider else None

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the logits of the agent's actions."""
        features = representation["features"]
        logits = {"message": self.message(features).unflatten(-1, self.shape)}
        if self.decision is not None:
            logits["decision"] = self.decision(features)
        return logits


class CompositeValueHead(ValueHead):
    """Linear value head."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.value = nn.Linear(context.d_representation, 1)

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the value, (batch,)."""
        return self.value(representation["features"]).squeeze(-1)


@register_scenario(
    "composite", agent_parameters=CompositeAgentParameters, builtin_datasets=tuple(LIMITS)
)
class CompositeScenario(Scenario):
    """Decide whether a number is composite; a message names a possible divisor."""

    message_key = "divisor_selected"
    body = CompositeBody
    policy_head = CompositePolicyHead
    value_head = CompositeValueHead

    def load_dataset(self, split: str) -> TensorDataset:
        """Return as many composite numbers as primes, four fifths of them for training."""
        limit = LIMITS[self.hyper_params.dataset]
        numbers, divisors = torch.arange(2, limit), torch.arange(2, int(limit**0.5) + 1)
        divides = (numbers[:, None] % divisors == 0) & (divisors < numbers[:, None])
        is_composite = divides.any(-1)
        generator = torch.Generator().manual_seed(stable_seed(self.hyper_params.seed, "numbers"))
        order = torch.randperm(len(numbers), generator=generator)
        primes, composites = order[~is_composite[order]], order[is_composite[order]]
        num_train = len(primes) * 4 // 5
        part = slice(num_train) if split == "train" else slice(num_train, len(primes))
        rows = torch.cat((primes[part], composites[part]))
        return TensorDataset(
            {"divides": divides[rows].float()}, is_composite[rows].long(), (len(divisors),)
        )
