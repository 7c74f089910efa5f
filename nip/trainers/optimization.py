"""The optimizer of all agents, and one update step."""

from collections.abc import Iterable, Mapping
from math import isfinite

import torch
from tensordict import TensorDictBase
from torch import nn

from nip.errors import DivergenceError
from nip.parameters.agents import AgentParameters
from nip.rl_objectives import Objective
from nip.scenario_base.agent import Part
from nip.scenario_base.combined_agents import CombinedAgents

ADAM_EPS = 1e-5
"""Adam's epsilon, as is usual in policy optimisation."""


def part_learning_rate(base: float, params: AgentParameters, part: Part) -> float:
    """Multiply a base learning rate by the factors of an agent's part."""
    rate = base
    for factor in part.factors:
        rate *= getattr(getattr(params, factor), part.role)
    return rate


def build_adam(agents: CombinedAgents, learning_rate: float) -> torch.optim.Adam:
    """Build one optimizer for all agents, with a group for each part of each agent.

    A part whose factors multiply to 0 is frozen for good, and has no group.

    Parameters
    ----------
    agents : CombinedAgents
        Who learns.
    learning_rate : float
        The base which the factors multiply.
    """
    groups = []
    for _, name, agent in agents:
        for part in agent.parts():
            rate = 0.0
            if not agent.is_random:
                rate = part_learning_rate(learning_rate, agent.context.params, part)
            if rate == 0.0:
                for parameter in part.parameters:
                    parameter.requires_grad_(False)
            elif part.parameters:
                groups.append(
                    {"params": list(part.parameters), "lr": rate, "name": f"{name}.{part.name}"}
                )
    return torch.optim.Adam(groups or [_nothing()], eps=ADAM_EPS, fused=True)


def _nothing() -> dict[str, object]:
    """Return a group for an experiment in which nobody learns: torch refuses an empty list."""
    return {"params": [nn.Parameter(torch.zeros(()))], "lr": 0.0, "name": "nothing"}


class UpdateStep:
    """One step of the optimizer on one minibatch.

    Parameters
    ----------
    objective : Objective
        Gives the losses and their gradients.
    optimizer : torch.optim.Optimizer
        Moves the parameters.
    max_grad_norm : float
        The joint gradient of all agents is scaled down to this norm.
    """

    def __init__(
        self, objective: Objective, optimizer: torch.optim.Optimizer, max_grad_norm: float
    ) -> None:
        self._objective = objective
        self._optimizer = optimizer
        self._max_grad_norm = max_grad_norm

    def __call__(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Update the agents and return the figures of the step, all detached."""
        self._optimizer.zero_grad(set_to_none=True)
        losses = self._objective(minibatch)
        self._objective.backward(losses)
        figures = losses.detach()
        learning = [parameter for parameter in self._parameters() if parameter.grad is not None]
        if learning:
            norm = nn.utils.clip_grad_norm_(learning, self._max_grad_norm)
            self._optimizer.step()
            figures = figures.set("grad_norm", norm)
        return figures

    def _parameters(self) -> Iterable[nn.Parameter]:
        return (
            parameter for group in self._optimizer.param_groups for parameter in group["params"]
        )


def train_learning_parts(agents: CombinedAgents) -> None:
    """Put what learns now into training mode, and leave the rest in evaluation mode.

    So a frozen part is frozen altogether: no dropout, no noise, no running statistics.
    """
    agents.eval()
    for _, _, agent in agents:
        for part in agent.children():
            part.train(any(parameter.requires_grad for parameter in part.parameters()))


def check_finite(figures: Mapping[str, float], iteration: int) -> None:
    """Stop a training that has come to nothing, naming the figure and the iteration.

    Raises
    ------
    DivergenceError
        If a figure is infinite or not a number.
    """
    for name, value in figures.items():
        if not isfinite(value):
            raise DivergenceError(
                f"{name} became {value} in iteration {iteration + 1}: training has diverged. "
                "Lower rl.lr or rl.max_grad_norm, in a new run; the metrics and checkpoints up to "
                "here are kept."
            )
