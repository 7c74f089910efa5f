"""Rewards for imitation: how alike two agents choose, by the probabilities of their actions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from nip.parameters.protocols import PolicyDistance
from nip.protocols.handler import ProtocolHandler
from nip.protocols.imitation import Imitation
from nip.scenario_base.agents import ILLEGAL_LOGIT

MIN_LOG_PROBABILITY = -20.0
"""Lower bound of the imitator's log-probabilities, so that the KL divergence is finite where it
never chooses what the model may choose."""

LOGITS_OF = {"decision": "decision_logits", "linear_message_selected": "linear_message_logits"}
"""Key of the logits of an action; those of the symbols of a message have another one."""


@dataclass(frozen=True)
class Policy:
    """Log-probabilities of the actions of one agent, on the channels on which it is compared.

    The probability of an illegal symbol is 0, so that only legal ones are compared.
    """

    messages: tuple[Float[Tensor, "batch channel position _"], ...]
    """Of the symbols of messages; of linear symbols as well, if there are any."""

    decision: Float[Tensor, "batch decision"]
    """Of reject, accept and continue."""


def similarity(
    model: Policy,
    imitator: Policy,
    written: Bool[Tensor, "batch channel"],
    decides: Bool[Tensor, " batch"],
    distance: PolicyDistance,
) -> Float[Tensor, " batch"]:
    r"""Return how alike two agents choose, which is largest for equal policies.

    With the probabilities :math:`p` of the model and :math:`q` of the imitator, this is a sum of
    two parts, one for the messages and one for the decision:

    - ``kl``: :math:`-\sum_s p_s \log(p_s / q_s)`, summed over channels and positions, which is
      minus the divergence of all symbols together, because they are drawn independently. At most 0.
    - ``total_variation``: :math:`1 - \frac{1}{2} \sum_s |p_s - q_s|`, averaged over channels and
      positions. Each part is in [0, 1].
    - ``cosine``: the cosine of the angle between the vectors of all probabilities. Each part is in
      [0, 1].

    Parameters
    ----------
    model, imitator : Policy
        The two agents.
    written : Tensor
        Channels on which symbols are compared. Without any, the part of the messages is 0.
    decides : Tensor
        Where the decision is compared; elsewhere its part is 0.
    distance : str
        ``kl``, ``total_variation`` or ``cosine``.

    Returns
    -------
    similarity : Tensor
        Of each row.
    """
    pairs = list(zip(model.messages, imitator.messages, strict=True))
    decisions = [(model.decision[:, None, None], imitator.decision[:, None, None])]
    measure = _MEASURES[distance]
    return measure(pairs, written) + measure(decisions, decides.unsqueeze(-1))


Pairs = Sequence[tuple[Tensor, Tensor]]
"""Log-probabilities of model and imitator, each (batch, channel, position, symbol)."""


def _negative_kl(pairs: Pairs, written: Tensor) -> Tensor:
    divergences = [
        (p.exp() * (p - q.clamp_min(MIN_LOG_PROBABILITY))).sum(-1).sum(-1) for p, q in pairs
    ]
    return -torch.where(written, torch.stack(divergences).sum(0), 0.0).sum(-1)


def _overlap(pairs: Pairs, written: Tensor) -> Tensor:
    overlaps = [1 - (p.exp() - q.exp()).abs().sum(-1).mean(-1) / 2 for p, q in pairs]
    total = torch.where(written, torch.stack(overlaps).mean(0), 0.0).sum(-1)
    return total / written.sum(-1).clamp_min(1)


def _cosine(pairs: Pairs, written: Tensor) -> Tensor:
    def flat(parts: Iterable[Tensor]) -> Tensor:
        mask = written[..., None, None]
        return torch.cat([torch.where(mask, each.exp(), 0.0).flatten(1) for each in parts], -1)

    return F.cosine_similarity(flat(p for p, _ in pairs), flat(q for _, q in pairs), dim=-1)


_MEASURES = {"kl": _negative_kl, "total_variation": _overlap, "cosine": _cosine}


class ImitationRewards:
    """The rewards of one imitation of a protocol, on one device.

    Parameters
    ----------
    protocol : ProtocolHandler
        The protocol.
    imitation : Imitation
        One of its imitations.
    num_values : mapping of str to int
        Number of values of each action: ``decision``, the message key and, with a linear message
        space, ``linear_message_selected``.
    device : torch.device or str
        Device of all tensors.
    """

    def __init__(
        self,
        protocol: ProtocolHandler,
        imitation: Imitation,
        num_values: Mapping[str, int],
        device: torch.device | str = "cpu",
    ) -> None:
        agents, channels = protocol.agent_names, protocol.channel_names
        self.distance = imitation.distance
        self.model = agents.index(imitation.model)
        self.imitator = agents.index(imitation.imitator)
        self.weights = [imitation.rewards.get(name, 0.0) for name in agents]
        self._num_values = num_values
        self._weights = torch.tensor(self.weights, device=device)
        own = [channels.index(name) for name in imitation.channels.values()]
        others = [channels.index(name) for name in imitation.channels]
        self._channels = {
            self.model: torch.tensor(others, device=device),
            self.imitator: torch.tensor(own, device=device),
        }

    def rewards(
        self, actions: Mapping[str, Tensor], active: Tensor, counts: Tensor
    ) -> Float[Tensor, "batch agent"]:
        """Return the rewards of all agents in one round.

        Parameters
        ----------
        actions : mapping of str to Tensor
            Actions of all agents, (batch, agent, ...), with their logits. Without logits, the
            chosen actions count as certain.
        active : Tensor
            On which channels each agent writes, (batch, agent, channel).
        counts : Tensor
            Whether the decision of each agent takes effect, (batch, agent).
        """
        policies = {index: self.policy_in(actions, index) for index in self._channels}
        alike = self.compare(policies, active, counts)
        return alike.unsqueeze(-1) * self._weights

    def compare(
        self, policies: Mapping[int, Policy], active: Tensor, counts: Tensor
    ) -> Float[Tensor, " batch"]:
        """Return the similarity of model and imitator, given their policies by agent index."""
        written = active[:, self.model].index_select(1, self._channels[self.model])
        return similarity(
            policies[self.model],
            policies[self.imitator],
            written,
            counts[:, self.model],
            self.distance,
        )

    def policy_of(
        self, index: int, decision_logits: Tensor, *message_logits: Tensor | None
    ) -> Policy:
        """Return the policy of one of the two agents.

        Parameters
        ----------
        index : int
            The agent.
        decision_logits : Tensor
            Its logits of the decision, (batch, 3).
        *message_logits : Tensor or None
            Its logits of symbols, and of linear symbols if there are any, on all channels.
        """
        compared = [
            logits.index_select(1, self._channels[index])
            for logits in message_logits
            if logits is not None
        ]
        return Policy(
            tuple(logits.log_softmax(-1) for logits in compared), decision_logits.log_softmax(-1)
        )

    def policy_in(self, actions: Mapping[str, Tensor], index: int) -> Policy:
        """Return the policy of one of the two agents with which actions were chosen."""
        logits = {
            key: self._logits(actions, key, index) for key in self._num_values if key in actions
        }
        return self.policy_of(index, logits.pop("decision"), *logits.values())

    def _logits(self, actions: Mapping[str, Tensor], key: str, index: int) -> Tensor:
        """Return the logits of an action; of a certain one if there are none."""
        logits = actions.get(LOGITS_OF.get(key, "main_message_logits"))
        if logits is not None:
            return logits[:, index]
        # Entries of agents whose turn it is not may be anything, such as -1.
        chosen = F.one_hot(actions[key][:, index].clamp_min(0), self._num_values[key])
        return torch.where(chosen.bool(), 0.0, ILLEGAL_LOGIT)


def imitation_rewards(
    protocol: ProtocolHandler, num_values: Mapping[str, int], device: torch.device | str = "cpu"
) -> list[ImitationRewards]:
    """Return the rewards of all imitations of a protocol; most protocols have none."""
    return [
        ImitationRewards(protocol, imitation, num_values, device)
        for imitation in protocol.rules.imitations
    ]
