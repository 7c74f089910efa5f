"""The frames of all agents together have the numbers of each of them."""

import pytest
import torch
from tensordict import TensorDict

from nip.rl_objectives import Objective
from nip.rl_objectives.joint_frames import JointFrames
from nip.rl_objectives.objective import AgentFrames
from nip.rl_objectives.ppo import critic_loss
from tests.rl_objectives.tables import PROVER, VERIFIER, minibatch, table_agents


class NoLoss(Objective):
    """An objective of which only the frames are used."""

    def forward(self, tensordict):
        return TensorDict()


def both_turns(prover_turns: int) -> TensorDict:
    """Return frames in which first the prover has some turns, and then the verifier has two."""
    advantages = [1.0, 4.0, -2.0][:prover_turns]
    of_prover = minibatch(PROVER, [0, 1, 1][:prover_turns], extra_states=1, advantage=advantages)
    of_verifier = minibatch(VERIFIER, [1, 0], decisions=[2, 1], advantage=[3.0, 8.0])
    return torch.cat((of_prover, of_verifier))


def frames_of(batch: TensorDict, *, fixed_shapes: bool) -> list[AgentFrames]:
    agents = table_agents(prover=(0.25, 0.75), decision=(0.5, 0.2, 0.3), values=(1.5, -0.5))
    agents.fixed_shapes = fixed_shapes
    batch["agents", "value_target"] = torch.arange(2.0 * len(batch)).view(-1, 2)
    return list(NoLoss(agents).learning_frames(batch, with_critic=True))


@pytest.mark.parametrize("fixed_shapes", [False, True])
@pytest.mark.parametrize("prover_turns", [1, 3])
def test_they_give_what_the_frames_of_each_agent_give(prover_turns, fixed_shapes):
    of_agents = frames_of(both_turns(prover_turns), fixed_shapes=fixed_shapes)
    joint = JointFrames(of_agents)
    rows = [len(each.rows) for each in of_agents]
    assert rows == ([prover_turns + 3] * 2 if fixed_shapes else [prover_turns + 1, 2])

    def same(found, expected):
        torch.testing.assert_close(found, torch.stack([expected(each) for each in of_agents]))

    for found, *expected in zip(
        joint.log_prob_and_entropy(),
        *(each.log_prob_and_entropy() for each in of_agents),
        strict=True,
    ):
        torch.testing.assert_close(found, torch.cat(expected))
    torch.testing.assert_close(joint.log_prob(), joint.log_prob_and_entropy()[0])
    same(joint.policy_mean(joint.log_prob()), lambda each: each.policy_mean(each.log_prob()))
    same(critic_loss(joint, "smooth_l1"), lambda each: critic_loss(each, "smooth_l1"))
    same(joint.has_single_turn(), lambda each: each.has_single_turn())
    own = [each.normalized(each.take("advantage")) * each.takes_turn for each in of_agents]
    torch.testing.assert_close(joint.normalized(joint.take("advantage")), torch.cat(own))


def test_the_frames_of_agents_do_not_mix():
    joint = JointFrames(frames_of(both_turns(3), fixed_shapes=False))
    # The prover's rows are three turns and a state, those of the verifier two turns.
    value = torch.tensor([1.0, 2.0, 6.0, 100.0, 10.0, 20.0])
    torch.testing.assert_close(joint.policy_mean(value), torch.tensor([3.0, 15.0]))
    torch.testing.assert_close(joint.value_mean(value), torch.tensor([109 / 4, 15.0]))
    std = (14 / 3) ** 0.5
    expected = torch.tensor([-2 / std, -1 / std, 3 / std, 0.0, -1.0, 1.0])
    torch.testing.assert_close(joint.normalized(value), expected)


def test_an_infinite_value_of_one_agent_leaves_the_others_alone():
    joint = JointFrames(frames_of(both_turns(3), fixed_shapes=False))
    value = torch.tensor([torch.inf, 2.0, 6.0, 100.0, 10.0, 20.0], requires_grad=True)
    for mean in (joint.policy_mean, joint.value_mean):
        assert mean(value).tolist() == [torch.inf, 15.0]
    joint.policy_mean(value)[1].backward()
    assert value.grad.tolist() == [0.0, 0.0, 0.0, 0.0, 0.5, 0.5]


def test_metrics_get_the_names_of_the_agents():
    joint = JointFrames(frames_of(both_turns(3), fixed_shapes=False))
    found = joint.by_name({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0, 4.0])})
    assert {name: float(value) for name, value in found.items()} == {
        "prover.a": 1.0,
        "prover.b": 3.0,
        "verifier.a": 2.0,
        "verifier.b": 4.0,
    }
