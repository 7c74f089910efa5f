"""The derivative of rewards that depend on probabilities."""

from types import SimpleNamespace

import pytest
import torch

from nip.trainers.callbacks import TrainingContext
from nip.trainers.tensor.learning.imitation_term import imitation_terms
from tests.experiments import make_params, make_trainer

ZK = {"zero_knowledge": True}


class Context(TrainingContext):
    """A context of agents without a trainer."""

    def __init__(self, agents):
        self.trainer = SimpleNamespace(agents=agents, device=torch.device("cpu"))


def setting(**zk):
    """Return agents, a batch, and the only term."""
    params = make_params(protocol="nip", protocol_common=ZK, zk_protocol=zk)
    trainer = make_trainer(params)
    trainer.setup()
    batch = trainer.complete_frames(trainer.collect_batch().reshape(-1))
    (term,) = trainer.own_loss_terms
    trainer.close()
    return trainer.agents, batch, term.function


def names_with_gradient(agents):
    found = {n.split(".")[1] for n, p in agents.named_parameters() if p.grad is not None}
    return sorted(found)


def test_a_protocol_without_imitations_has_no_term() -> None:
    assert imitation_terms([]) == []
    assert make_trainer(make_params()).own_loss_terms == []


@pytest.mark.parametrize("distance", ["kl", "total_variation", "cosine"])
def test_the_term_is_minus_the_rewards_of_the_two_agents(distance, float64) -> None:
    agents, batch, term = setting(distance=distance, simulator_reward_coefficient=2.0)
    loss = term(batch, Context(agents))
    # The rewards are opposite, so their sum is 0; the gradients are not.
    assert loss.item() == pytest.approx(0, abs=1e-9)
    loss.backward()
    assert names_with_gradient(agents) == ["adversarial_verifier", "simulator"]


def test_a_step_of_the_simulator_raises_its_reward_as_the_gradient_says(float64) -> None:
    agents, batch, term = setting()
    agents.agents["adversarial_verifier"].requires_grad_(False)

    def loss():
        return term(batch, Context(agents))

    acts = batch["agents", "active"][:, 2].any(-1)
    reward = batch["next", "agents", "reward"][acts, 3].mean().item()
    assert loss().item() == pytest.approx(-reward, rel=1e-6)
    loss().backward()
    parameter = agents.agents["simulator"].policy_head.message.bias
    with torch.no_grad():
        before = loss().item()
        parameter[-1] += 1e-6
        difference = (loss().item() - before) / 1e-6
    assert difference == pytest.approx(parameter.grad[-1].item(), rel=1e-3, abs=1e-9)


def test_sampled_actions_alone_tell_the_simulator_nothing(float64) -> None:
    """Its reward does not depend on its action, so that no advantage belongs to any action."""
    _, batch, _ = setting()
    environment_reward = batch["next", "agents", "reward"][:, 3]
    symbol = batch["agents", "position_selected"][:, 3, 2, 0]
    logits = batch["agents", "main_message_logits"][:, 3, 2, 0]
    acts = batch["agents", "active"][:, 3].any(-1)
    # Frames of equal observations have equal rewards, whatever was drawn.
    first = acts & (batch["round"] == 0)
    key = torch.cat((logits, batch["agents", "main_message_logits"][:, 2, 1, 0]), -1)
    for row in key[first].unique(dim=0):
        same = first & (key == row).all(-1)
        assert environment_reward[same].unique().numel() == 1
    assert symbol[first].unique().numel() > 1


def test_a_rank_without_frames_has_a_term_of_zero() -> None:
    agents, batch, term = setting()
    loss = term(batch[:0], Context(agents))
    assert loss.item() == 0


def test_weights_of_zero_need_no_networks() -> None:
    agents, batch, term = setting(simulator_reward_coefficient=0.0)
    assert not term(batch, Context(agents)).requires_grad
