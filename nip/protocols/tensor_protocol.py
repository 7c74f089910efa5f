"""Batched steps of a protocol, computed from its tables on a device."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.protocols.rules import VERIFIER, Decision

if TYPE_CHECKING:
    import nip.protocols.handler

_NOTHING, _NO_GUESS, _TERMINATED, _DECIDED = range(4)
"""Rows of the table of rewards; from ``_DECIDED`` on one for each label and decision."""


class ProtocolStep(NamedTuple):
    """Result of one round in each environment."""

    done: Bool[Tensor, "*batch"]
    """Whether the verifier has decided, in this round or before; not set if the rounds ran out."""

    terminated: Bool[Tensor, "*batch"]
    """Whether this was the last round and the verifier has not decided."""

    agent_done: Bool[Tensor, "*batch agent"]
    """``done``, repeated for each agent."""

    reward: Float[Tensor, "*batch agent"]
    """Reward of each agent in this round."""

    verdict: Int[Tensor, "*batch"]
    """The decision that counted: 0 (reject), 1 (accept), or 2 where there was none."""


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
        self._verifier = handler.agent_names.index(VERIFIER)
        self._num_variants = handler.num_variants
        self._num_agents = handler.num_agents
        self._first_decisive_round = handler.min_message_rounds - 1
        self._last_round = handler.num_episode_rounds - 1
        self._is_forced = handler.force_guess is not None
        self._follows_label = handler.force_guess == "y"
        self._forced_guess: Tensor | None = None
        if handler.force_guess in ("zero", "one"):
            guess = Decision.ACCEPT if handler.force_guess == "one" else Decision.REJECT
            self._forced_guess = torch.tensor(int(guess), device=device)

    def active_mask(
        self, round: Int[Tensor, "*batch"], seed: Int[Tensor, "*batch"]
    ) -> Bool[Tensor, "*batch agent channel"]:
        """Return which agent writes on which channel.

        Parameters
        ----------
        round : Tensor
            Indices of the current rounds, from 0.
        seed : Tensor
            Episode seeds.
        """
        return self._active[seed % self._num_variants, round]

    def decision_mask(
        self, round: Int[Tensor, "*batch"], seed: Int[Tensor, "*batch"]
    ) -> Bool[Tensor, "*batch agent"]:
        """Return which agent may decide; the arguments are those of ``active_mask``."""
        return self._can_decide[seed % self._num_variants, round]

    def counting_mask(
        self, round: Int[Tensor, "*batch"], seed: Int[Tensor, "*batch"]
    ) -> Bool[Tensor, "*batch agent"]:
        """Return whose decision has an effect; the arguments are those of ``active_mask``.

        A decision has none before ``min_message_rounds``, nor if ``force_guess`` replaces it.
        """
        may_decide = self.decision_mask(round, seed)
        if self._is_forced:
            return torch.zeros_like(may_decide)
        return may_decide & (round >= self._first_decisive_round).unsqueeze(-1)

    def step(
        self,
        y: Int[Tensor, "*batch"],
        round: Int[Tensor, "*batch"],
        seed: Int[Tensor, "*batch"],
        decision: Int[Tensor, "*batch agent"],
        done: Bool[Tensor, "*batch"],
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
            Decision of each agent: 0 (reject), 1 (accept) or 2 (continue). Only the verifier's
            counts, and only where it may decide.
        done : Tensor
            Episodes that are already over; nothing changes in them and all rewards are 0.

        Returns
        -------
        step : ProtocolStep
            Which episodes are over now, and the rewards.
        """
        running = ~done
        may_decide = self.decision_mask(round, seed)[..., self._verifier] & running
        guess = self._guess(decision[..., self._verifier], y)
        decided = may_decide & (guess != Decision.CONTINUE) & (round >= self._first_decisive_round)
        terminated = running & ~decided & (round >= self._last_round)
        passed = may_decide & ~decided & ~terminated
        outcome = (
            passed * _NO_GUESS + terminated * _TERMINATED + decided * (_DECIDED + 2 * y + guess)
        )
        done = done | decided
        return ProtocolStep(
            done=done,
            terminated=terminated,
            agent_done=done.unsqueeze(-1).repeat_interleave(self._num_agents, dim=-1),
            reward=self._payments[outcome],
            verdict=torch.where(decided, guess, Decision.CONTINUE),
        )

    def _guess(
        self, decision: Int[Tensor, "*batch"], y: Int[Tensor, "*batch"]
    ) -> Int[Tensor, "*batch"]:
        """Replace the verifier's decision by the forced guess, if there is one."""
        if self._follows_label:
            return y
        if self._forced_guess is not None:
            return self._forced_guess.expand_as(decision)
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
