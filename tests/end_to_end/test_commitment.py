"""A verifier that leads keeps from deciding now and then, so that the prover shows every fault."""

import json

import pytest
import torch

from tests.command_line_process import run_command_line
from tests.experiments import make_params, make_trainer

TEMPERATURE = 0.05
"""Weight of the entropy bonus, so that a best response is a softmax with this temperature."""

HIDDEN, SHOWN = [0.1, 0.8, 0.1], [0.9, 0.02, 0.08]
"""Probabilities of rejecting, accepting and not deciding, if nothing and if a fault is shown."""

PROVER = torch.tensor([0.0, 0.1, -5.0])
"""Reward of the prover for each decision."""


def advantage_of_showing(hidden: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    return (shown - hidden) @ PROVER / TEMPERATURE


def leaders_loss(bias: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the verifier's loss against the best response: two thirds of products are sound."""
    hidden, shown = bias.softmax(-1), (bias + weight).softmax(-1)
    shows = torch.sigmoid(advantage_of_showing(hidden, shown) - torch.tensor(3.0).log())
    faulty = shows * shown + (1 - shows) * hidden
    reward = (2 * hidden[1] - 1) * 2 / 3 + (2 * faulty[0] - 1) / 3
    # The bonus is no reason to make one situation more frequent.
    is_shown = shows.detach() / 3
    entropies = [-(policy @ policy.log()) for policy in (hidden, shown)]
    return -reward - TEMPERATURE * ((1 - is_shown) * entropies[0] + is_shown * entropies[1])


def test_the_sampled_direction_of_the_leader_is_that_of_the_closed_form():
    params = make_params(
        dataset="faults",
        trainer="spg",
        protocol="nip",
        protocol_common={
            "verifier_first": False,
            "prover_reward": 0.1,
            "prover_terminated_penalty": -5.0,
        },
        nip_protocol={"max_message_rounds": 2, "min_message_rounds": 2},
        ppo={"entropy_eps": TEMPERATURE, "normalize_advantage": False},
        spg={
            "variant": "spg",
            "follower_curvature": "fisher",
            "ihvp_variant": "conj_grad",
            "ihvp_num_iterations": 20,
            "ihvp_rho": 1e-6,
        },
        rl={
            "rollouts_per_iteration": 40_000,
            "minibatch_size": 80_000,
            "max_grad_norm": None,
            "gamma": 1.0,
            "lmbda": 1.0,
            "normalize_observations": False,
        },
    )
    trainer = make_trainer(params)
    trainer.setup()
    heads = {name: agent.policy_head for _, name, agent in trainer.agents}
    bias = torch.tensor(HIDDEN).log()
    weight = torch.tensor(SHOWN).log() - bias
    response = advantage_of_showing(torch.tensor(HIDDEN), torch.tensor(SHOWN))
    decision, message = heads["verifier"].decision, heads["prover"].message
    with torch.no_grad():
        decision.bias.copy_(bias)
        decision.weight.copy_(weight.unsqueeze(-1))
        message.bias.zero_()
        message.weight.zero_()
        message.weight[:, 4:] = response * torch.eye(4)
    trainer.train_step(next(trainer.minibatches(trainer.collect_batch())))
    found = torch.cat((decision.bias.grad, decision.weight.grad[:, 0]))
    trainer.close()

    parameters = bias.requires_grad_(), weight.requires_grad_()
    expected = torch.cat(torch.autograd.grad(leaders_loss(*parameters), parameters))
    assert float((found - expected).norm()) < 0.15 * float(expected.norm())


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["ppo", "spg"])
def test_only_a_verifier_that_leads_makes_the_prover_show_faults(trainer, tmp_path):
    arguments = [f"experiment=faults_{trainer}", "run_id=run", "settings.progress=false"]
    outcome = run_command_line(arguments, tmp_path, imports_matter=False)
    assert outcome.exit_code == 0, outcome.stderr
    metrics = json.loads((tmp_path / "runs/run/result.json").read_text())["metrics"]
    if trainer == "spg":
        # The best commitment: 0.947 of the decisions are right, and 0.981 of those about faults.
        assert metrics["test_mean_accuracy"] > 0.85
        assert metrics["test_soundness"] > 0.85
    else:
        assert metrics["test_mean_accuracy"] == pytest.approx(2 / 3, abs=0.06)
        assert metrics["test_soundness"] < 0.25
