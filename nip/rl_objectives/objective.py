"""Base class of all objectives, the loss modules of reinforcement learning."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torchrl.objectives import LossModule, ValueEstimators

from nip.errors import ParameterError
from nip.rl_objectives.advantages import TurnBasedGAE
from nip.scenario_base.actions import ActionMask, Choice, log_prob, log_prob_and_entropy
from nip.scenario_base.agent import AgentOutput
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.row_selection import RowSelection
from nip.utils.ranks import current_ranks
from nip.utils.replaced_methods import refuse_replaced

MIN_ADVANTAGE_STD = 1e-6
"""Lower bound of the divisor when advantages are normalised."""

MIN_RELATIVE_STD = 1e-6
"""Advantages whose standard deviation is a smaller share of their mean are equal up to rounding."""

MIN_COUNT = 1e-6
"""Lower bound of the divisor of means, so that the mean of no terms is 0."""


_BUFFERS = (
    "Keep what the objective adapts in buffers (register_buffer), which checkpoints hold by "
    "themselves, and anything else in PyTorch's get_extra_state and set_extra_state."
)
_REPLACED = {
    "state_for_checkpoint": _BUFFERS,
    "load_state_from_checkpoint": _BUFFERS,
    "figure_names": "Call it metric_names.",
}


@dataclass(frozen=True)
class AgentFrames:
    """The frames of a minibatch that one agent learns from, with its present outputs.

    With ``fixed_shapes`` of ``CombinedAgents`` these are all frames of the minibatch. Those that
    the agent does not learn from count for none of the means below, and ``take`` returns zeros.

    When several ranks train together, each has a share of the frames of a minibatch, possibly none.
    The average of the means below over all ranks is the mean over the whole minibatch, and so is
    the averaged gradient.

    In a minibatch of several runs, (run, row), all shapes have a first dimension for the run, and
    frames in which the agent has no part are masked instead of left out.
    """

    index: int
    """Index of the agent in the protocol."""

    name: str
    """Name of the agent."""

    output: AgentOutput
    """Logits and value of the present parameters."""

    choice: Choice
    """Actions at the time of collection."""

    turn: ActionMask
    """Mask of the actions that counted."""

    takes_turn: Tensor
    """1 in each row in which it was the agent's turn, else 0, (row,)."""

    value_counts: Tensor
    """1 in each row in which the agent's value was known, else 0, (row,)."""

    num_turns: Tensor
    """Number of turns of the agent in the minibatch, (); an average over several ranks."""

    num_values: Tensor
    """Number of known values of the agent in the minibatch, (); an average over several ranks."""

    turn_weights: Tensor
    """Weight of each row in a mean over the agent's turns, (row,)."""

    value_weights: Tensor
    """Weight of each row in a mean over the agent's known values, (row,)."""

    take: Callable[[str], Tensor]
    """Returns the agent's entries of a key under ``agents``, (row,)."""

    rows: Tensor
    """Indices of these frames in the minibatch, (row,): ``minibatch["y"][frames.rows]`` is aligned
    with them."""

    @property
    def value(self) -> Tensor:
        """Values of the present parameters, (row,)."""
        return self.output.value

    def policy_mean(self, value: Tensor) -> Tensor:
        """Average over the agent's turns."""
        return (value * self.turn_weights).sum(-1)

    def value_mean(self, value: Tensor) -> Tensor:
        """Average over the states in which the agent's value was known."""
        return (value * self.value_weights).sum(-1)

    def log_prob(self) -> Tensor:
        """Return the present log-probability of the actions, (row,)."""
        return log_prob(self.output, self.choice, self.turn)

    def log_prob_and_entropy(self) -> tuple[Tensor, Tensor]:
        """Return ``log_prob`` and the entropy of the policy over what counted, each (row,)."""
        return log_prob_and_entropy(self.output, self.choice, self.turn)

    def has_single_turn(self) -> Tensor:
        """Return whether the agent has exactly one turn in the minibatch, on all ranks, ()."""
        return is_single_turn(self.num_turns)

    def normalized(self, value: Tensor) -> Tensor:
        """Normalise to mean 0 and standard deviation 1 over the turns on all ranks, (row,).

        The value of a single turn has no standard deviation and stays as it is: less its mean, it
        would be 0, and nothing would be learnt from it. Equal values become 0, whatever their
        rounding errors.
        """
        return normalized_by(value, self.turn_weights, self.has_single_turn())


def is_single_turn(num_turns: Tensor) -> Tensor:
    """Return whether a number of turns, an average over all ranks, is one turn on one of them."""
    return (num_turns * current_ranks().size).round() == 1


def normalized_by(value: Tensor, weights: Tensor, is_single: Tensor) -> Tensor:
    """Return values less their mean, divided by their standard deviation, on all ranks.

    Equal values become 0, whatever their rounding errors.

    Parameters
    ----------
    value : Tensor
        Values, (..., row).
    weights : Tensor
        Weights of the rows in means, (..., row).
    is_single : Tensor
        Whether there is a single value, which stays as it is, (...).
    """
    ranks = current_ranks()
    mean = ranks.mean_((value * weights).sum(-1)).unsqueeze(-1)
    centred = value - mean
    std = ranks.mean_((centred.square() * weights).sum(-1)).sqrt().unsqueeze(-1)
    is_spread = std > MIN_RELATIVE_STD * mean.abs()
    normalized = torch.where(is_spread, centred / std.clamp_min(MIN_ADVANTAGE_STD), 0.0)
    return torch.where(is_single.unsqueeze(-1), value, normalized)


class Objective(LossModule):
    """Base class of losses over minibatches of frames.

    A subclass implements ``forward``: it returns a TensorDict whose entries beginning with
    ``loss_`` are summed and differentiated by ``backward``; all others are logged.

    Parameters
    ----------
    agents : CombinedAgents
        The agents.
    """

    default_value_estimator = ValueEstimators.GAE

    takes_several_runs: ClassVar[bool] = False
    """Whether ``forward`` also takes minibatches of several runs, (run, frame), and then returns
    each loss and metric as a vector, (run,). Its gradients must be those of ``backward`` here."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse the methods that PyTorch's ``state_dict`` has replaced."""
        super().__init_subclass__(**kwargs)
        refuse_replaced(cls, _REPLACED)

    def __init__(self, agents: CombinedAgents) -> None:
        super().__init__()
        self.agents = agents

    def __repr__(self) -> str:
        """Return the tree of modules. TorchRL's representation needs keys that are not set here."""
        return nn.Module.__repr__(self)

    @abstractmethod
    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return the losses and other metrics of a minibatch, all scalars.

        Parameters
        ----------
        tensordict : TensorDictBase
            Frames with one batch dimension, including the advantages.
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
        """Build the advantage estimator, which becomes the attribute ``value_estimator``.

        Parameters
        ----------
        value_type : ValueEstimators, optional
            Only ``ValueEstimators.GAE`` is supported.
        **hyperparams : float
            ``gamma`` and ``lmbda``.
        """
        if value_type not in (None, ValueEstimators.GAE):
            raise NotImplementedError(
                f"Value estimator {value_type} is not supported. Use ValueEstimators.GAE, which is "
                "adapted to agents that take turns."
            )
        if missing := [name for name in ("gamma", "lmbda") if name not in hyperparams]:
            raise ParameterError(
                f"make_value_estimator needs gamma and lmbda, got no {' and no '.join(missing)}. "
                "Pass those of the experiment: gamma=rl.gamma, lmbda=rl.lmbda."
            )
        self.value_type = ValueEstimators.GAE
        self._value_estimator = TurnBasedGAE(**hyperparams)
        return self

    def _default_value_estimator(self) -> None:
        """Refuse to read ``value_estimator`` before it was made."""
        raise ParameterError(
            f"{type(self).__name__} has no value_estimator yet, because its discount is not known. "
            "Call make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda) first."
        )

    def metric_names(self) -> Collection[str] | None:
        """Return the names of all metrics of ``forward``; None if they are not known."""
        return None

    def finish_iteration(self) -> None:
        """Adapt what changes from one iteration to the next; called after its last update.

        Checkpoints hold the objective's ``state_dict`` without the agents, so what is adapted
        should be a buffer.
        """

    def learning_frames(self, batch: TensorDictBase, *, with_critic: bool) -> Iterator[AgentFrames]:
        """Yield the frames that each agent learns from, for all agents that are not frozen.

        Parameters
        ----------
        batch : TensorDictBase
            Frames with one batch dimension; of several runs, (run, frame).
        with_critic : bool
            Whether to include states in which only the agent's value was computed.
        """
        nested = batch["agents"]
        all_turns = nested["active"].any(-1)
        all_known = nested["value_known"] if with_critic else all_turns
        is_counted = torch.stack((all_turns, all_known), dim=-1).to(torch.get_default_dtype())
        counts = current_ranks().mean_(is_counted.sum(-3))
        num_turns, num_values = counts.unbind(-1)
        weights = is_counted / counts.clamp_min(MIN_COUNT).unsqueeze(-3)
        # All that is taken from the rows of each agent, in one tensor.
        of_rows = torch.cat((is_counted, weights), dim=-1)
        # An agent is included on all ranks or on none: a rank without rows of it must still take
        # part in the collective means.
        # With fixed shapes nothing is asked of the device, and all agents are included.
        is_fixed = self.agents.fixed_shapes
        num_agents = num_values.shape[-1]
        of_runs = num_values.reshape(-1, num_agents)
        is_absent = [False] * num_agents if is_fixed else (of_runs == 0).all(0).tolist()
        for index, name, agent in self.agents:
            is_learning = any(parameter.requires_grad for parameter in agent.parameters())
            if not is_learning or is_absent[index]:
                continue
            known = all_known[..., index]
            rows = self.agents.select_for_learning(known)
            output, choice, turn = self.agents.evaluate(index, batch, rows, with_value=with_critic)

            def take(key: str, rows: RowSelection = rows, index: int = index) -> Tensor:
                return rows.take_counting(nested[key].select(batch.batch_dims, index))

            indices = rows.indices
            takes_turn, value_counts, *weights_of = rows.take(of_rows.select(-2, index)).unbind(-1)
            yield AgentFrames(
                index=index,
                name=name,
                output=output,
                choice=choice,
                turn=turn,
                takes_turn=takes_turn,
                value_counts=value_counts,
                num_turns=num_turns[..., index],
                num_values=num_values[..., index],
                turn_weights=weights_of[0],
                value_weights=weights_of[1],
                take=take,
                rows=torch.arange(known.shape[-1], device=known.device)
                if indices is None
                else indices,
            )
