r"""Loss term of agents whose rewards depend on their own probabilities, not on sampled actions.

A reward for imitation is a function of the probabilities of two agents. A policy gradient weights
the actions that an agent has sampled by the rewards that follow, and so finds only what these
actions have changed; it is 0 on average for a reward that does not depend on which action was
sampled. The rest of the gradient of the expected reward is the derivative of the reward itself:

.. math:: \nabla E[R(\pi)] = E[R \, \nabla \log \pi(a)] + E[\nabla R(\pi)]

This term is minus the reward, as a function of the present logits of one of the two agents; those
of the other are the ones with which the batch was collected.
"""

from collections.abc import Sequence

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.imitation import ImitationRewards, Policy
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.learning.loss_terms import LossTerm
from nip.utils.ranks import current_ranks

NAME = "imitation"
"""Name of the term; its metric is ``loss_imitation``."""


def imitation_terms(imitations: Sequence[ImitationRewards]) -> list[LossTerm]:
    """Return the term of the imitations of a protocol; empty if it has none."""
    return [LossTerm(NAME, 1.0, ImitationTerm(imitations))] if imitations else []


class ImitationTerm:
    """Minus the rewards for imitation, as a function of the present logits.

    Parameters
    ----------
    imitations : sequence of ImitationRewards
        The imitations of the protocol.
    """

    def __init__(self, imitations: Sequence[ImitationRewards]) -> None:
        self._imitations = imitations

    def __call__(self, batch: TensorDictBase, context: TrainingContext) -> Tensor:
        """Return the term of a minibatch of frames: a sum over agents of means over frames."""
        losses = [
            _loss(imitation, context.model, batch, learner, other)
            for imitation in self._imitations
            for learner, other in (
                (imitation.imitator, imitation.model),
                (imitation.model, imitation.imitator),
            )
            if imitation.weights[learner] != 0 and _learns(context.model, learner)
        ]
        return sum(losses, torch.zeros((), device=batch.device))


def _learns(agents: CombinedAgents, index: int) -> bool:
    agent = agents.agents[agents.names[index]]
    return any(parameter.requires_grad for parameter in agent.parameters())


def _loss(
    imitation: ImitationRewards,
    agents: CombinedAgents,
    batch: TensorDictBase,
    learner: int,
    other: int,
) -> Tensor:
    acts = batch["agents", "active"][:, imitation.model].any(-1)
    num_turns = current_ranks().mean_(acts.sum().float()).clamp_min(1e-6)
    rows = agents.select(acts)
    played = rows.take_each(dict(batch["agents"].items()))
    output, _, _ = agents.evaluate(learner, batch, rows, with_value=False)
    assert output.decision_logits is not None, "both agents have a head for decisions"
    present = imitation.policy_of(
        learner, output.decision_logits, output.message_logits, output.linear_message_logits
    )
    policies: dict[int, Policy] = {learner: present, other: imitation.policy_in(played, other)}
    alike = imitation.compare(policies, played["active"], played["decides"])
    counted = alike * rows.take(acts)
    return -imitation.weights[learner] * counted.sum() / num_turns
