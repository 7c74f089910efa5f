"""Batched steps of a protocol, computed from its tables on a device."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.protocols.rules import VERIFIER, Decision

if TYPE_CHECKING:
    import nip.protocols.handler

CONTINUE = int(Decision.CONTINUE)
"""The decision to continue; PyTorch's compiler cannot compare tensors with members of an enum."""

_NOTHING, _NO_GUESS, _TERMINATED, _DECIDED = range(4)
"""Rows of the table of rewards; from ``_DECIDED`` on one for each label and decision."""


class ProtocolStep(NamedTuple):
    """Result of one round in each environment."""

    done: Bool[Tensor, "*batch"]
    """Whether all agents that decide have done so, in this round or before; not set if the rounds
    ran out."""

    terminated: Bool[Tensor, "*batch"]
    """Whether this was the last round and not all of them have decided."""

    agent_done: Bool[Tensor, "*batch agent"]
    """Whether an agent that decides has done so; ``done`` for all other agents."""

    reward: Float[Tensor, "*batch agent"]
    """Reward of each agent in this round."""

    verdict: Int[Tensor, "*batch"]
    """The verifier's decision that counted, in this round or before: 0 (reject), 1 (accept), or 2
    where there was none."""

    decided: Int[Tensor, "*batch agent"]
    """The decision of each agent that counted, in this round or before, or 2."""


class TensorProtocol:
    """The tables of a protocol on one device.

    Parameters
    ----------
    handler : ProtocolHandler
        The compiled protocol.
    device : torch.device or str
        Device of the tables and of all tensors that are passed to the methods.
    """

    def __init__(
        self, handler: "nip.protocols.handler.ProtocolHandler", device: torch.device | str = "cpu"
    ) -> None:
        self.handler = handler
        self.device = torch.device(device)
        self._active = torch.tensor(handler.active, device=device)
        self._can_decide = torch.tensor(handler.can_decide, device=device)
        self._payments = _payments(handler).to(device)
        self._closes = torch.tensor(handler.closes, device=device)
        self._has_effect = self._closes.any(-1)
        self._verifier = handler.agent_names.index(VERIFIER)
        self._is_verifier = torch.zeros_like(self._has_effect)
        self._is_verifier[self._verifier] = True
        self._num_variants = handler.num_variants
        self._first_decisive_round = handler.min_message_rounds - 1
        self._last_round = handler.num_episode_rounds - 1
        self._is_forced = handler.force_guess is not None
        self._follows_label = handler.force_guess == "y"
        self._forced_guess: Tensor | None = None
        if handler.force_guess in ("zero", "one"):
            guess = Decision.ACCEPT if handler.force_guess == "one" else Decision.REJECT
            self._forced_guess = torch.tensor(int(guess), device=device)

    def active_mask(
        self,
        round: Int[Tensor, "*batch"],
        seed: Int[Tensor, "*batch"],
        decided: Int[Tensor, "*batch agent"] | None = None,
    ) -> Bool[Tensor, "*batch agent channel"]:
        """Return which agent writes on which channel.

        Parameters
        ----------
        round : Tensor
            Indices of the current rounds, from 0.
        seed : Tensor
            Episode seeds.
        decided : Tensor, optional
            The decision of each agent that counted in an earlier round, or 2. It closes channels in
            protocols in which several agents decide. None: nobody has decided.
        """
        active = self._active[seed % self._num_variants, round]
        if decided is None:
            return active
        has_decided = (decided != CONTINUE).unsqueeze(-1)
        return active & ~(has_decided & self._closes).any(-2, keepdim=True)

    def decision_mask(
        self,
        round: Int[Tensor, "*batch"],
        seed: Int[Tensor, "*batch"],
        decided: Int[Tensor, "*batch agent"] | None = None,
    ) -> Bool[Tensor, "*batch agent"]:
        """Return which agent may decide; the arguments are those of ``active_mask``."""
        may_decide = self._can_decide[seed % self._num_variants, round]
        if decided is None:
            return may_decide
        return may_decide & self.active_mask(round, seed, decided).any(-1)

    def counting_mask(
        self,
        round: Int[Tensor, "*batch"],
        seed: Int[Tensor, "*batch"],
        decided: Int[Tensor, "*batch agent"] | None = None,
    ) -> Bool[Tensor, "*batch agent"]:
        """Return whose decision has an effect; the arguments are those of ``active_mask``.

        A decision has none before ``min_message_rounds``, nor that of the verifier if
        ``force_guess`` replaces it, nor ever that of an agent that only imitates.
        """
        is_late_enough = (round >= self._first_decisive_round).unsqueeze(-1)
        counts = self.decision_mask(round, seed, decided) & self._has_effect & is_late_enough
        return counts & ~self._is_verifier if self._is_forced else counts

    def step(
        self,
        y: Int[Tensor, "*batch"],
        round: Int[Tensor, "*batch"],
        seed: Int[Tensor, "*batch"],
        decision: Int[Tensor, "*batch agent"],
        done: Bool[Tensor, "*batch"],
        decided: Int[Tensor, "*batch agent"] | None = None,
    ) -> ProtocolStep:
        """Play one round.

        Parameters
        ----------
        y : Tensor
            Labels, 0 or 1.
        round : Tensor
            Indices of the current rounds, from 0.
        seed : Tensor
            Episode seeds.
        decision : Tensor
            Decision of each agent: 0 (reject), 1 (accept) or 2 (continue). Only those of agents
            that decide count, and only where they may decide.
        done : Tensor
            Episodes that are already over; nothing changes in them and all rewards are 0.
        decided : Tensor, optional
            The decision of each agent that counted in an earlier round, or 2; None: nobody's.

        Returns
        -------
        step : ProtocolStep
            Which episodes are over now, and the rewards.
        """
        if decided is None:
            decided = torch.full_like(decision, CONTINUE)
        running, is_last = ~done, round >= self._last_round
        may_decide = self.decision_mask(round, seed, decided) & self._has_effect
        may_decide = may_decide & running.unsqueeze(-1)
        guess = self._guesses(decision, y)
        is_late_enough = (round >= self._first_decisive_round).unsqueeze(-1)
        counts = may_decide & (guess != CONTINUE) & is_late_enough
        was_open = decided[..., self._verifier] == CONTINUE
        decided = torch.where(counts, guess, decided)
        has_decided = decided != CONTINUE
        all_decided = done | (has_decided | ~self._has_effect).all(-1)
        decides = counts[..., self._verifier]
        runs_out = running & was_open & ~decides & is_last
        passed = may_decide[..., self._verifier] & ~decides & ~runs_out
        guess = guess[..., self._verifier]
        outcome = passed * _NO_GUESS + runs_out * _TERMINATED + decides * (_DECIDED + 2 * y + guess)
        return ProtocolStep(
            done=all_decided,
            terminated=~all_decided & is_last,
            agent_done=torch.where(
                self._has_effect, has_decided | done.unsqueeze(-1), all_decided.unsqueeze(-1)
            ),
            reward=self._payments[outcome],
            verdict=decided[..., self._verifier],
            decided=decided,
        )

    def _guesses(
        self, decision: Int[Tensor, "*batch agent"], y: Int[Tensor, "*batch"]
    ) -> Int[Tensor, "*batch agent"]:
        """Replace the verifier's decision by the forced guess, if there is one."""
        if self._follows_label:
            return torch.where(self._is_verifier, y.unsqueeze(-1), decision)
        if self._forced_guess is not None:
            return torch.where(self._is_verifier, self._forced_guess, decision)
        return decision


def _payments(handler: "nip.protocols.handler.ProtocolHandler") -> Float[Tensor, "outcome agent"]:
    """Stack the rewards of each agent for each outcome of a round.

    The outcomes are in the order nothing, no guess, terminated, decided (label 0, decision 0),
    (0, 1), (1, 0), (1, 1).
    """
    decided = torch.tensor(handler.decided_reward).flatten(start_dim=1).T
    rows = [
        torch.zeros(handler.num_agents, dtype=decided.dtype),
        torch.tensor(handler.no_guess_reward),
        torch.tensor(handler.terminated_reward),
        *decided,
    ]
    return torch.stack(rows).to(torch.get_default_dtype())
