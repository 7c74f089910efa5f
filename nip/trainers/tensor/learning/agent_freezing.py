"""Freezing of agents that do not learn in an iteration."""

from collections.abc import Collection

from torch import nn

from nip.scenario_base.combined_agents import CombinedAgents


def choose_learners(
    agents: CombinedAgents, iteration: int, learning: Collection[nn.Parameter]
) -> None:
    """Freeze the agents whose update schedule pauses, and unfreeze the others.

    Parameters outside ``learning`` always stay frozen. Iterations are given by their index, from 0.
    """
    for _, _, agent in agents:
        is_active = agent.context.params.update_schedule.is_active(iteration)
        for parameter in agent.parameters():
            parameter.requires_grad_(is_active and parameter in learning)
            parameter.grad = None


def train_learning_parts(agents: CombinedAgents) -> None:
    """Put parts that learn now into training mode, and all others into evaluation mode.

    A frozen part thus has no dropout and no noise, and keeps its running statistics.
    """
    agents.eval()
    for _, _, agent in agents:
        for part in agent.children():
            part.train(any(parameter.requires_grad for parameter in part.parameters()))
