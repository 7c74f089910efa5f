"""Who learns on an iteration, and what that means for networks."""

from collections.abc import Collection

from torch import nn

from nip.scenario_base.combined_agents import CombinedAgents


def choose_learners(
    agents: CombinedAgents, iteration: int, learning: Collection[nn.Parameter]
) -> None:
    """Freeze the agents whose update schedule pauses, and thaw the others.

    Parameters
    ----------
    agents : CombinedAgents
        The agents.
    iteration : int
        The iteration, counted from 0.
    learning : collection of Parameter
        What ever learns; the rest stays frozen.
    """
    for _, _, agent in agents:
        is_active = agent.context.params.update_schedule.is_active(iteration)
        for parameter in agent.parameters():
            parameter.requires_grad_(is_active and parameter in learning)
            parameter.grad = None


def train_learning_parts(agents: CombinedAgents) -> None:
    """Put what learns now into training mode, and leave the rest in evaluation mode.

    So a frozen part is frozen altogether: no dropout, no noise, no running statistics.
    """
    agents.eval()
    for _, _, agent in agents:
        for part in agent.children():
            part.train(any(parameter.requires_grad for parameter in part.parameters()))
