"""The base of all loss modules."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.objectives import LossModule, ValueEstimators

from nip.rl_objectives.advantages import TurnBasedGAE
from nip.scenario_base.actions import ActionMask, Choice, log_prob
from nip.scenario_base.agent import AgentOutput
from nip.scenario_base.combined_agents import CombinedAgents, rows_where

MIN_ADVANTAGE_STD = 1e-6
"""Smallest divisor when advantages are normalised."""


@dataclass(frozen=True)
class AgentFrames:
    """The frames of a minibatch that matter to one agent, and what it makes of them now."""

    index: int
    """The agent's place in the protocol."""

    name: str
    """The agent's name."""

    output: AgentOutput
    """Logits and value now."""

    choice: Choice
    """What it chose then."""

    turn: ActionMask
    """What counted."""

    takes_turn: Tensor
    """Weight of each row in the policy's loss, 1 where it was the agent's turn, (row,)."""

    value_counts: Tensor
    """Weight of each row in the critic's loss, 1 where the value was known, (row,)."""

    take: Callable[[str], Tensor]
    """Returns the agent's entries of a key under ``agents``, (row,)."""

    def policy_mean(self, value: Tensor) -> Tensor:
        """Average over the agent's turns."""
        return (value * self.takes_turn).sum() / self.takes_turn.sum().clamp_min(1.0)

    def value_mean(self, value: Tensor) -> Tensor:
        """Average over the states in which the agent's value counts."""
        return (value * self.value_counts).sum() / self.value_counts.sum().clamp_min(1.0)

    def log_prob(self) -> Tensor:
        """Return the log-probability of the choice now, (row,)."""
        return log_prob(self.output, self.choice, self.turn)

    def normalized(self, value: Tensor) -> Tensor:
        """Scale to mean 0 and standard deviation 1 over the agent's turns, (row,)."""
        mean = self.policy_mean(value)
        variance = self.policy_mean((value - mean) ** 2)
        return (value - mean) / variance.sqrt().clamp_min(MIN_ADVANTAGE_STD)


class Objective(LossModule):
    """A loss over minibatches of frames.

    A subclass implements ``forward``: it returns a TensorDict whose entries beginning with
    ``loss_`` are summed and differentiated by ``backward``; all others are logged.

    Parameters
    ----------
    agents : CombinedAgents
        Who learns.
    """

    default_value_estimator = ValueEstimators.GAE

    def __init__(self, agents: CombinedAgents) -> None:
        super().__init__()
        self.agents = agents

    @abstractmethod
    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return losses and other figures of a minibatch, all scalars.

        Parameters
        ----------
        tensordict : TensorDictBase
            Frames with one batch dimension, with the advantages written in.
        """

    def backward(self, losses: TensorDictBase) -> None:
        """Compute the gradients of all parameters; override it for another gradient rule."""
        terms = [losses[name] for name in losses.keys() if name.startswith("loss_")]
        differentiable = [term for term in terms if term.requires_grad]
        if differentiable:
            torch.stack(differentiable).sum().backward()

    def make_value_estimator(
        self, value_type: ValueEstimators | None = None, **hyperparams: float
    ) -> "Objective":
        """Build the advantage estimator, found as ``value_estimator`` afterwards.

        Parameters
        ----------
        value_type : ValueEstimators, optional
            Only ``ValueEstimators.GAE`` is known.
        **hyperparams : float
            ``gamma`` and ``lmbda``.
        """
        if value_type not in (None, ValueEstimators.GAE):
            raise NotImplementedError(
                f"Value estimator {value_type} is not known here. Agents that take turns have "
                "generalised advantage estimation: use ValueEstimators.GAE."
            )
        self.value_type = ValueEstimators.GAE
        self._value_estimator = TurnBasedGAE(**hyperparams)
        return self

    def finish_iteration(self) -> None:
        """Adapt whatever changes from one iteration to the next; called after its last update."""

    def state_for_checkpoint(self) -> dict[str, Tensor]:
        """Return whatever the objective adapts while it learns, besides the agents."""
        return {}

    def load_state_from_checkpoint(self, state: dict[str, Tensor]) -> None:
        """Continue where ``state_for_checkpoint`` was taken."""

    def learning_frames(self, batch: TensorDictBase, *, with_critic: bool) -> Iterator[AgentFrames]:
        """Yield for each agent that learns now the frames of a minibatch that matter to it.

        Parameters
        ----------
        batch : TensorDictBase
            Frames with one batch dimension.
        with_critic : bool
            Whether states count in which only the agent's value was asked.
        """
        for index, name, agent in self.agents:
            if not any(parameter.requires_grad for parameter in agent.parameters()):
                continue
            turns = batch["agents", "active"][:, index].any(-1)
            known = batch["agents", "value_known"][:, index] if with_critic else turns
            rows = rows_where(known)
            if rows is not None and len(rows) == 0:
                continue
            output, choice, turn = self.agents.evaluate(index, batch, rows, with_value=with_critic)

            def take(key: str, rows: Tensor | None = rows, index: int = index) -> Tensor:
                values = batch["agents", key][:, index]
                return values if rows is None else values.index_select(0, rows)

            def rows_of(mask: Tensor, rows: Tensor | None = rows) -> Tensor:
                return (mask if rows is None else mask.index_select(0, rows)).float()

            yield AgentFrames(
                index, name, output, choice, turn, rows_of(turns), rows_of(known), take
            )
