"""An agent of networks: its parts in one module, and its output for a batch of observations."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nip.scenario_base.agents import (
    ILLEGAL_LOGIT,
    NUM_DECISIONS,
    AgentBody,
    AgentContext,
    PolicyHead,
    SoloHead,
    ValueHead,
)

LegalityRule = Callable[[AgentContext, Tensor, Mapping[str, Tensor]], Tensor]
"""Replaces the logits of illegal symbols: (context, logits, observation) -> logits.

Logits are (batch, channel, position, symbol).
"""

CHANNEL_DIMS = {
    "x": 2,
    "message_history": 2,
    "linear_message_history": 2,
    "message": 1,
    "linear_message": 1,
}
"""Channel dimension of each observation key that has one."""


@dataclass(frozen=True)
class AgentOutput:
    """Logits and values of one agent for a batch of observations.

    Logits cover all channels; on a channel that the agent cannot read every symbol is illegal.
    """

    message_logits: Float[Tensor, "*batch channel position symbol"]
    """Logits of the symbols."""

    decision_logits: Float[Tensor, "*batch decision"] | None
    """Logits of reject, accept and continue; None for an agent that is not a verifier."""

    linear_message_logits: Float[Tensor, "*batch channel position linear_symbol"] | None
    """Logits of the linear symbols; None without a linear message space."""

    value: Float[Tensor, "*batch"]
    """Estimated return; zeros if it was not requested."""

    def map(self, function: Callable[[Tensor], Tensor]) -> "AgentOutput":
        """Return the results of a function of each tensor."""
        linear, decision = self.linear_message_logits, self.decision_logits
        return AgentOutput(
            message_logits=function(self.message_logits),
            decision_logits=None if decision is None else function(decision),
            linear_message_logits=None if linear is None else function(linear),
            value=function(self.value),
        )


@dataclass(frozen=True)
class Part:
    """A part of an agent with its own learning rate."""

    name: str
    """Name within the agent, ``body.gnn`` for instance."""

    parameters: tuple[nn.Parameter, ...]
    """Its parameters, disjoint from those of all other parts."""

    role: str
    """``actor`` or ``critic``: selects which of a pair of learning rate factors applies."""

    factors: tuple[str, ...]
    """Names of the agent parameters that multiply the base learning rate."""


class Agent(nn.Module):
    """Maps observations to the logits and the value of one agent.

    Parameters
    ----------
    body : AgentBody
        Body of all heads, or of the actor alone if there is a ``value_body``.
    value_body : AgentBody, optional
        Separate body of the critic.
    """

    _views: Tensor

    def __init__(
        self,
        context: AgentContext,
        *,
        body: AgentBody,
        policy_head: PolicyHead | None = None,
        value_head: ValueHead | None = None,
        solo_head: SoloHead | None = None,
        value_body: AgentBody | None = None,
        is_random: bool = False,
    ) -> None:
        super().__init__()
        self.context = context
        self.body = body
        self.policy_head = policy_head
        self.value_head = value_head
        self.solo_head = solo_head
        self.value_body = value_body
        self.is_random = is_random
        views = context.views
        self._sees_all = len(views) == 1 and len(views[0]) == context.protocol.num_channels
        self.register_buffer("_views", torch.tensor(views), persistent=False)

    def observe(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Restrict the message keys to the channels that the agent can read.

        An agent that plays several copies of an exchange gets the rows of the first copy, then
        those of the next: (copy * batch, ...).
        """
        if self._sees_all:
            return dict(observation)
        return {
            name: torch.cat([value.index_select(CHANNEL_DIMS[name], view) for view in self._views])
            if name in CHANNEL_DIMS
            else value.repeat(len(self._views), *[1] * (value.ndim - 1))
            for name, value in observation.items()
        }

    def forward(self, observation: Mapping[str, Tensor], *, with_value: bool = True) -> AgentOutput:
        """Return logits and value of observations with all channels and one batch dimension."""
        assert self.policy_head is not None, (
            "the factory builds a policy head for trainer_type='rl'"
        )
        seen = self.observe(observation)
        shared = self.body(seen)
        # Under autocast the networks return 16-bit floats, too coarse for losses.
        raw_logits = self.policy_head(shared, seen)
        logits = {name: _in_default_dtype(each) for name, each in raw_logits.items()}
        linear = logits.get("linear_message")
        value = (
            self._over_copies(_in_default_dtype(self._value(seen, shared)))
            if with_value
            else observation["message"].new_zeros(len(observation["message"]))
        )
        return AgentOutput(
            message_logits=self._on_all_channels(logits["message"]),
            decision_logits=logits.get("decision"),
            linear_message_logits=None if linear is None else self._on_all_channels(linear),
            value=value,
        )

    def value(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return only the value of a batch of observations, (batch,)."""
        seen = self.observe(observation)
        shared = self.body(seen) if self.value_body is None else {}
        return self._over_copies(_in_default_dtype(self._value(seen, shared)))

    def solo_logits(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of the two labels from the solo head, (batch, 2)."""
        if self.solo_head is None:
            raise RuntimeError(f"Agent {self.context.agent_name!r} was built without a solo head.")
        seen = self.observe(observation)
        # Without messages all copies are equal.
        return self.solo_head(self.body(seen), seen)[: len(observation["message"])]

    def parts(self) -> Iterator[Part]:
        """Yield the parts; each parameter of the agent is in exactly one of them."""
        yield from self._body_parts("body", self.body, "actor")
        if self.value_body is not None:
            yield from self._body_parts("value_body", self.value_body, "critic")
        roles = {"policy_head": "actor", "value_head": "critic", "solo_head": "actor"}
        for name, role in roles.items():
            head = getattr(self, name)
            if head is not None:
                yield Part(name, tuple(head.parameters()), role, ("agent_lr_factor",))

    def _body_parts(self, name: str, body: AgentBody, role: str) -> Iterator[Part]:
        factors = ("agent_lr_factor", "body_lr_factor")
        rest = dict.fromkeys(body.parameters())
        for sub_name, module in body.sub_parts.items():
            parameters = tuple(module.parameters())
            rest = {parameter: None for parameter in rest if parameter not in set(parameters)}
            yield Part(f"{name}.{sub_name}", parameters, role, (*factors, f"{sub_name}_lr_factor"))
        yield Part(name, tuple(rest), role, factors)

    def _value(self, seen: Mapping[str, Tensor], shared: Mapping[str, Tensor]) -> Tensor:
        assert self.value_head is not None, "the factory builds a value head for trainer_type='rl'"
        read = shared if self.value_body is None else self.value_body(seen)
        return self.value_head(read, seen)

    def _on_all_channels(self, logits: Tensor) -> Tensor:
        if self._sees_all:
            return logits
        of_copies = logits.unflatten(0, (len(self._views), -1))
        _, batch, _, positions, symbols = of_copies.shape
        shape = (batch, self.context.protocol.num_channels, positions, symbols)
        full = logits.new_full(shape, ILLEGAL_LOGIT)
        return full.index_copy(1, self._views.flatten(), of_copies.transpose(0, 1).flatten(1, 2))

    def _over_copies(self, values: Tensor) -> Tensor:
        """Sum the returns that the agent expects in the copies that it plays."""
        if len(self._views) == 1:
            return values
        return values.unflatten(0, (len(self._views), -1)).sum(0)


def _in_default_dtype(tensor: Tensor) -> Tensor:
    return tensor.to(torch.get_default_dtype())


class RandomAgentBody(AgentBody):
    """Body without parameters, for a random agent."""

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return an empty representation."""
        return {}


class RandomPolicyHead(PolicyHead):
    """Policy that is uniform over the legal symbols and, for a verifier, over the decisions."""

    def __init__(self, context: AgentContext, legality: LegalityRule | None = None) -> None:
        super().__init__(context)
        self._legality = legality

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return logits that are 0 for all legal actions."""
        message = observation["message"]
        shape = (len(message), self.context.num_visible_channels, self.context.message_size)
        uniform = message.new_zeros(*shape, self.context.num_symbols)
        if self._legality is not None:
            uniform = self._legality(self.context, uniform, observation)
        logits = {"message": uniform}
        if self.context.is_decider:
            logits["decision"] = message.new_zeros(len(message), NUM_DECISIONS)
        if self.context.linear_symbols is not None:
            logits["linear_message"] = message.new_zeros(*shape, self.context.linear_symbols)
        return logits


class ZeroValueHead(ValueHead):
    """Value head that always returns zeros."""

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> Tensor:
        """Return zeros, (batch,)."""
        message = observation["message"]
        return message.new_zeros(len(message))
