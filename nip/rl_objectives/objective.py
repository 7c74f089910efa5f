"""The base of all loss modules."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.objectives import LossModule, ValueEstimators

from nip.rl_objectives.advantages import TurnBasedGAE
from nip.scenario_base.actions import ActionMask, Choice, log_prob
from nip.scenario_base.agent import AgentOutput
from nip.scenario_base.combined_agents import CombinedAgents, rows_where
from nip.utils.ranks import current_ranks
from nip.utils.replaced_methods import refuse_replaced

MIN_ADVANTAGE_STD = 1e-6
"""Smallest divisor when advantages are normalised."""

MIN_COUNT = 1e-6
"""Divisor of a sum that has no terms, so that its mean is 0."""


_BUFFERS = (
    "Keep what the objective adapts in buffers (register_buffer), which checkpoints hold by "
    "themselves, and anything else in PyTorch's get_extra_state and set_extra_state."
)
_REPLACED = {"state_for_checkpoint": _BUFFERS, "load_state_from_checkpoint": _BUFFERS}


@dataclass(frozen=True)
class AgentFrames:
    """The frames of a minibatch that matter to one agent, and what it makes of them now.

    Where several ranks train together, a minibatch is spread over them, and each has its share of
    the frames, possibly none. Means are such that their average over ranks, and so the averaged
    gradient, is that of the whole minibatch.
    """

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

    num_turns: Tensor
    """Turns of the agent in the minibatch, () or, of several ranks, their average."""

    num_values: Tensor
    """Values of the agent that count in the minibatch, () or, of several ranks, their average."""

    take: Callable[[str], Tensor]
    """Returns the agent's entries of a key under ``agents``, (row,)."""

    def policy_mean(self, value: Tensor) -> Tensor:
        """Average over the agent's turns."""
        return (value * self.takes_turn).sum() / self.num_turns.clamp_min(MIN_COUNT)

    def value_mean(self, value: Tensor) -> Tensor:
        """Average over the states in which the agent's value counts."""
        return (value * self.value_counts).sum() / self.num_values.clamp_min(MIN_COUNT)

    def log_prob(self) -> Tensor:
        """Return the log-probability of the choice now, (row,)."""
        return log_prob(self.output, self.choice, self.turn)

    def normalized(self, value: Tensor) -> Tensor:
        """Scale to mean 0 and standard deviation 1 over the agent's turns on all ranks, (row,)."""
        ranks = current_ranks()
        mean = ranks.mean_(self.policy_mean(value))
        variance = ranks.mean_(self.policy_mean((value - mean) ** 2))
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse the methods that PyTorch's ``state_dict`` has replaced."""
        super().__init_subclass__(**kwargs)
        refuse_replaced(cls, _REPLACED)

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

    def figure_names(self) -> Collection[str] | None:
        """Return the names of all figures that ``forward`` may give; None if that is not known."""
        return None

    def finish_iteration(self) -> None:
        """Adapt what changes from one iteration to the next; called after its last update.

        Checkpoints hold the objective's ``state_dict`` without the agents, so what is adapted
        should be a buffer.
        """

    def learning_frames(self, batch: TensorDictBase, *, with_critic: bool) -> Iterator[AgentFrames]:
        """Yield for each agent that learns now the frames of a minibatch that matter to it.

        Parameters
        ----------
        batch : TensorDictBase
            Frames with one batch dimension.
        with_critic : bool
            Whether states count in which only the agent's value was asked.
        """
        all_turns = batch["agents", "active"].any(-1)
        all_known = batch["agents", "value_known"] if with_critic else all_turns
        counts = torch.stack((all_turns.sum(0), all_known.sum(0))).float()
        num_turns, num_values = current_ranks().mean_(counts)
        # An agent counts on all ranks or on none: where it has no rows, the others still wait for
        # the means that all share.
        counts_somewhere = (num_values > 0).tolist()
        for index, name, agent in self.agents:
            is_learning = any(parameter.requires_grad for parameter in agent.parameters())
            if not is_learning or not counts_somewhere[index]:
                continue
            turns, known = all_turns[:, index], all_known[:, index]
            rows = rows_where(known)
            output, choice, turn = self.agents.evaluate(index, batch, rows, with_value=with_critic)

            def take(key: str, rows: Tensor | None = rows, index: int = index) -> Tensor:
                values = batch["agents", key][:, index]
                return values if rows is None else values.index_select(0, rows)

            def rows_of(mask: Tensor, rows: Tensor | None = rows) -> Tensor:
                return (mask if rows is None else mask.index_select(0, rows)).float()

            yield AgentFrames(
                index=index,
                name=name,
                output=output,
                choice=choice,
                turn=turn,
                takes_turn=rows_of(turns),
                value_counts=rows_of(known),
                num_turns=num_turns[index],
                num_values=num_values[index],
                take=take,
            )
