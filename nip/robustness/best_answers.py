"""The best answers that attackers could give, found by trying all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nip.errors import NipError
from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import VERIFIER
from nip.robustness.episodes import evaluation_mode, is_legal, message_keys
from nip.robustness.threats import Threat
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.transition import State


class SearchTooLargeError(NipError, RuntimeError):
    """There are more sequences of answers than may be tried."""


@dataclass
class BestAnswers:
    r"""The probability of a right decision if the attackers give the best of all answers.

    In every state, with the probabilities :math:`p` of the verifier's decision about a datapoint
    with label :math:`y`,

    .. math:: V(s) = p(y \mid s) + p(\text{continue} \mid s)\, \min_a V(s'(s, a)),

    where the minimum is over all legal messages of the attackers whose turn it is; without a
    decision at the end, :math:`V = 0`. Messages of all other agents are sampled once, or are the
    most probable ones. An attacker that chooses by this rule knows them in advance, so sampled
    values are a lower bound of what the verifier keeps. With zero knowledge, attackers answer the
    verifier only: what is said to the adversarial verifier, in a copy of the channels, has no
    influence on it.

    Parameters
    ----------
    environment : TensorDictEnvironment
        Environment of the datapoints.
    agents : CombinedAgents
        All agents; those of the attackers only state which messages are legal.
    threat : Threat
        Who attacks.
    greedy : bool
        Whether the other agents take their most probable actions.
    seed : int
        Seed of sampled messages.
    max_states : int
        Most states of one round that are tried together.

    Raises
    ------
    SearchTooLargeError
        If a round has more states than ``max_states``, even for a single datapoint.
    """

    environment: TensorDictEnvironment
    agents: CombinedAgents
    threat: Threat
    greedy: bool
    seed: int
    max_states: int = 100_000
    _generator: torch.Generator = field(init=False)
    _attackers: list[int] = field(init=False)
    _verifier: int = field(init=False)
    _channels: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        names = self.environment.protocol.agent_names
        self._attackers = [names.index(name) for name in self.threat.attackers]
        self._verifier = names.index(VERIFIER)
        self._channels = channels_of_verifier(self.environment.protocol)
        self._generator = torch.Generator(self.environment.device).manual_seed(self.seed)

    @torch.no_grad()
    def right_probability(self, rows: Tensor, variant: int) -> Tensor:
        """Return the probability of a right decision about each datapoint, (row,)."""
        with evaluation_mode(self.agents):
            return self._right_probability(rows, variant)

    def _right_probability(self, rows: Tensor, variant: int) -> Tensor:
        found: list[Tensor] = []
        chunk = len(rows)
        position = 0
        while position < len(rows):
            part = rows[position : position + chunk]
            try:
                state = self.environment.state_of(part, torch.full_like(part, variant))
                found.append(self._value(state))
            except SearchTooLargeError:
                if len(part) == 1:
                    raise
                chunk = max(1, len(part) // 4)
                continue
            position += len(part)
        return torch.cat(found) if found else torch.zeros(0)

    def _value(self, state: State) -> Tensor:
        """Return ``V`` of each state, (state,)."""
        protocol = self.environment.tensor_protocol
        active = protocol.active_mask(state["round"], state["seed"])
        decides = protocol.counting_mask(state["round"], state["seed"])
        actions = self.agents.act(state, active, decides, None, self._generator, greedy=self.greedy)
        right, goes_on = self._decision(state["y"].squeeze(-1), actions, decides)
        # A decision would end the episode: what follows is what follows if it goes on.
        actions["decision"] = torch.full_like(actions["decision"], 2)
        parent, answered = self._all_answers(actions, active, goes_on > 0)
        expanded = {name: value[parent] for name, value in state.items()}
        transition = self.environment.advance(expanded, answered)
        rest = torch.zeros(len(parent), device=right.device)
        open_ = ~transition.done
        if bool(open_.any()):
            following = {name: value[open_] for name, value in transition.state.items()}
            rest[open_] = self._value(following)
        worst = torch.full_like(right, torch.inf).scatter_reduce(0, parent, rest, "amin")
        return right + goes_on * torch.where(worst.isinf(), 0.0, worst)

    def _decision(
        self, y: Tensor, actions: Mapping[str, Tensor], decides: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the probabilities of a right decision and of none, each (state,)."""
        logits = actions["decision_logits"][:, self._verifier]
        probabilities = logits.softmax(-1)
        if self.greedy:
            probabilities = torch.nn.functional.one_hot(logits.argmax(-1), 3).to(logits.dtype)
        decides_now = decides[:, self._verifier]
        right = probabilities.gather(-1, y.unsqueeze(-1)).squeeze(-1)
        return right * decides_now, torch.where(decides_now, probabilities[:, 2], 1.0)

    def _all_answers(
        self, actions: Mapping[str, Tensor], active: Tensor, wanted: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return every combination of legal answers, and the state that each belongs to.

        States that are not ``wanted`` are left out.
        """
        parent = wanted.nonzero().squeeze(-1)
        answered = {
            key: actions[key][parent] for key in self.environment.action_spec["agents"].keys()
        }
        for logits_key, key in message_keys(actions, self.environment.message_key):
            logits = actions[logits_key]
            for agent in self._attackers:
                written = active[:, agent].any(0).nonzero().squeeze(-1).tolist()
                for channel in sorted(self._channels.intersection(written)):
                    for position in range(logits.shape[3]):
                        place = (agent, channel, position)
                        writes = active[:, agent, channel]
                        legal = is_legal(logits[:, agent, channel, position])
                        parent, answered = self._expand(parent, answered, key, place, legal, writes)
        return parent, answered

    def _expand(
        self,
        parent: Tensor,
        answered: Mapping[str, Tensor],
        key: str,
        place: tuple[int, int, int],
        legal: Tensor,
        writes: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Replace each row by one for each legal symbol at a place, where its agent writes."""
        agent, channel, position = place
        chosen = answered[key][:, agent, channel, position]
        only_chosen = torch.nn.functional.one_hot(chosen, legal.shape[-1]).bool()
        tried = torch.where(writes[parent].unsqueeze(-1), legal[parent], only_chosen)
        if int(tried.sum()) > self.max_states:
            raise SearchTooLargeError(
                f"More than {self.max_states:,} states would have to be tried in one round. "
                "Attack with trained provers only, or raise the limit."
            )
        row, symbol = tried.nonzero(as_tuple=True)
        expanded = {name: value[row].clone() for name, value in answered.items()}
        expanded[key][:, agent, channel, position] = symbol
        return parent[row], expanded


def channels_of_verifier(protocol: ProtocolHandler) -> frozenset[int]:
    """Return the channels whose messages can reach the verifier: not those of other copies."""
    seen = set(protocol.visible_channels(VERIFIER))
    apart = {name for copy in protocol.rules.copies if seen.isdisjoint(copy) for name in copy}
    return frozenset(
        index for index, name in enumerate(protocol.channel_names) if name not in apart
    )
