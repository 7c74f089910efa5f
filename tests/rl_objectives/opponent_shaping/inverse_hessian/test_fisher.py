"""The Fisher information as the curvature of a best response to others."""

import torch

from nip.rl_objectives.opponent_shaping.sampled_game import SampledActions, SampledGame

ENTROPY_EPS = 0.3
REWARDS = torch.tensor([0.2, -0.1, 0.5, 0.0], dtype=torch.float64)


def loss(logits: torch.Tensor) -> torch.Tensor:
    """Return minus the expected reward of a policy, less its entropy bonus."""
    policy = logits.softmax(-1)
    entropy = -(policy * policy.log()).sum()
    return -policy @ REWARDS - ENTROPY_EPS * entropy


def sampled(logits: torch.Tensor, num_actions: int) -> SampledGame:
    """Return a game of one player from actions that are as frequent as they are probable."""
    log_policy = logits.log_softmax(-1)
    counts = (num_actions * log_policy.exp()).round().long()
    actions = torch.arange(len(counts)).repeat_interleave(counts)
    log_prob = log_policy[actions].unsqueeze(-1)
    ratio = (log_prob - log_prob.detach()).exp()
    turns = torch.ones_like(ratio)
    player = SampledActions((logits,), ratio, turns, turns.sum(), turns.new_zeros(()))
    advantages = {"follower": torch.zeros_like(turns)}
    done = turns.bool()
    return SampledGame({"follower": player}, advantages, done, 1.0, fisher_weight=ENTROPY_EPS)


def test_at_the_best_response_it_is_the_hessian():
    best = REWARDS / ENTROPY_EPS
    hessian = torch.autograd.functional.hessian(loss, best)
    logits = best.clone().requires_grad_()
    curvature = sampled(logits, 100_000).curvature("follower")
    assert curvature.size == 4
    torch.testing.assert_close(curvature.rows(torch.arange(4)), hessian, rtol=0, atol=1e-5)
    vector = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    torch.testing.assert_close(curvature.product(vector), hessian @ vector, rtol=0, atol=1e-4)


def test_far_from_the_best_response_it_has_no_negative_eigenvalue():
    # Where the Hessian itself has one.
    logits = torch.tensor([0.0, 6.0, 0.0, 0.0], dtype=torch.float64)
    assert torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, logits))[0] < -1e-4
    matrix = sampled(logits.requires_grad_(), 100_000).curvature("follower").rows(torch.arange(4))
    assert torch.linalg.eigvalsh(matrix)[0] > -1e-9
