"""The trainer spg builds the gradient rule that its parameters describe."""

import pytest
import torch

from nip.errors import ParameterError
from nip.protocols import build_protocol_handler
from nip.rl_objectives.spg import SpgObjective
from nip.trainers.builtin.spg import SpgGameTrainer, SpgTrainer, build_rule, stackelberg_groups
from nip.trainers.registry import trainer_registry
from tests.experiments import make_params, make_trainer


def groups_of(sequence, protocol="debate"):
    params = make_params(trainer="spg", protocol=protocol, spg={"stackelberg_sequence": sequence})
    return stackelberg_groups(params, build_protocol_handler(params))


def rule_of(**changes):
    params = make_params(trainer="spg", protocol="debate", **changes)
    return build_rule(params, build_protocol_handler(params))


def test_by_default_the_verifiers_lead_and_all_others_follow():
    assert groups_of(None) == (("verifier",), ("prover0", "prover1"))
    three = (("prover1",), ("verifier",), ("prover0",))
    assert groups_of(three) == three


@pytest.mark.parametrize(
    ("sequence", "problem"),
    [
        ((("verifier",), ("prover0",)), "got no 'prover1'"),
        ((("verifier", "prover0"), ("prover0", "prover1")), "got 'prover0' 2 times"),
        (
            (("verifier",), ("prover0", "prover1", "prover2")),
            r"got 'prover2', which is no agent of 'debate' \(Did you mean",
        ),
        ((("verifier",), (), ("prover0", "prover1")), "got an empty group"),
        ((), "got no 'prover0' and no 'prover1' and no 'verifier'"),
    ],
)
def test_a_sequence_names_every_agent_exactly_once(sequence, problem):
    example = r"spg\.stackelberg_sequence=\[\[verifier\], \[prover0, prover1\]\]"
    with pytest.raises(ParameterError, match=f"{problem}.*{example}"):
        groups_of(sequence)


def test_a_wrong_sequence_is_reported_before_anything_is_written():
    trainer = make_trainer(
        make_params(trainer="spg", spg={"stackelberg_sequence": (("verifier",),)})
    )
    with pytest.raises(ParameterError, match="no 'prover'"):
        trainer.check()


def test_the_fisher_information_needs_an_entropy_bonus():
    spg = {"variant": "spg", "follower_curvature": "fisher"}
    for ppo, variant in (({"entropy_eps": 0.1}, "spg"), ({"entropy_eps": 0}, "lola")):
        trainer = make_trainer(
            make_params(trainer="spg", protocol="nip", ppo=ppo, spg={"variant": variant})
        )
        trainer.check()
    trainer = make_trainer(
        make_params(trainer="spg", protocol="nip", ppo={"entropy_eps": 0}, spg=spg)
    )
    with pytest.raises(ParameterError, match=r"needs ppo\.entropy_eps above 0, got 0.*hessian"):
        trainer.check()


def test_steps_have_the_learning_rates_of_the_agents():
    agents = {
        "prover0": {"agent_lr_factor": {"actor": 0.5, "critic": 0.5}},
        "prover1": {"optimizer": {"lr": 0.7}},
    }
    rule, _ = rule_of(agents=agents, rl={"lr": 0.1})
    assert rule.step_sizes == pytest.approx({"prover0": 0.05, "prover1": 0.7, "verifier": 0.1})
    rule, _ = rule_of(agents=agents, spg={"lookahead_lr": 3.0})
    assert set(rule.step_sizes.values()) == {3.0}


def test_all_parameters_reach_the_rule():
    spg = {
        "variant": "lola",
        "anticipation": "mutual",
        "additional_lola_term": False,
        "sos_scaling_factor": 0.25,
        "sos_threshold_factor": 0.75,
        "ihvp_variant": "neumann",
        "ihvp_num_iterations": 3,
        "ihvp_rank": 2,
        "ihvp_rho": 0.5,
        "ihvp_num_updates_per_sketch": 7,
    }
    rule, inverse = rule_of(spg=spg)
    assert (rule.variant, rule.groups, rule.has_lookahead) == ("lola", None, False)
    assert (rule.stable.scaling_factor, rule.stable.threshold_factor) == (0.25, 0.75)
    assert (inverse.variant, inverse.num_iterations, inverse.rank) == ("neumann", 3, 2)
    assert (inverse.rho, inverse.num_updates_per_sketch) == (0.5, 7)


def losses_of(**changes) -> dict[str, float]:
    """Return the metrics of the first minibatch."""
    trainer = make_trainer(make_params(trainer="spg", protocol="nip", **changes))
    trainer.setup()
    batch = trainer.collect_batch()
    metrics = trainer.train_step(next(trainer.minibatches(batch)))
    trainer.close()
    return {name: value.item() for name, value in metrics.items()}


def test_the_weight_of_the_critic_is_that_of_the_parameters():
    # The published code did not pass it on.
    once, twice = (losses_of(ppo={"critic_coef": weight}) for weight in (1.0, 2.0))
    assert twice["loss_critic"] == pytest.approx(2 * once["loss_critic"])
    assert twice["verifier.loss_critic"] == pytest.approx(once["verifier.loss_critic"])


def test_a_leader_is_shaped_and_a_follower_is_not():
    metrics = losses_of(spg={"variant": "lola", "lookahead_lr": 1.0})
    assert metrics["verifier.shaping_norm"] > 0 and metrics["verifier.lookahead_norm"] > 0
    assert metrics["prover.shaping_norm"] == metrics["prover.lookahead_norm"] == 0
    mutual = losses_of(spg={"variant": "lola", "lookahead_lr": 1.0, "anticipation": "mutual"})
    assert mutual["prover.shaping_norm"] > 0


def gradients_of(trainer_name: str, **changes) -> dict[str, torch.Tensor]:
    """Return the gradients of all agents in the first minibatch, which is the whole batch."""
    rl = {"rollouts_per_iteration": 16, "minibatch_size": 64, "max_grad_norm": None}
    params = make_params(trainer=trainer_name, protocol="nip", rl=rl, **changes)
    trainer = make_trainer(params)
    trainer.setup()
    batch = trainer.collect_batch()
    trainer.train_step(next(trainer.minibatches(batch)))
    trainer.close()
    return {
        name: parameter.grad.clone()
        for name, parameter in trainer.agents.named_parameters()
        if parameter.grad is not None
    }


def test_without_anticipation_the_gradient_is_that_of_ppo():
    ppo = {"normalize_advantage": False}
    plain = gradients_of("vanilla_ppo", ppo=ppo)
    naive = gradients_of("spg", ppo=ppo, spg={"variant": "naive"})
    assert plain.keys() == naive.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(naive[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["nystrom", "conj_grad", "neumann"])
def test_every_method_shapes_the_leader_and_leaves_the_follower(method):
    ppo = {"normalize_advantage": False}
    naive = gradients_of("spg", ppo=ppo, spg={"variant": "naive"})
    found = gradients_of("spg", ppo=ppo, spg={"variant": "spg", "ihvp_variant": method})
    changed = {name for name in naive if not torch.allclose(naive[name], found[name], atol=1e-5)}
    assert changed and all("verifier" in name for name in changed)


def test_minibatches_of_single_frames_are_refused():
    trainer = make_trainer(make_params(trainer="spg", protocol="nip"))
    trainer.setup()
    batch = trainer.collect_batch()
    objective = trainer.loss_module
    assert isinstance(objective, SpgObjective)
    with pytest.raises(ParameterError, match="EpisodeMinibatches"):
        objective(batch.exclude("next").reshape(-1)[torch.tensor([3, 1, 2, 0])])
    trainer.close()


def test_games_have_a_trainer_of_their_own():
    assert trainer_registry["spg"].for_data("tensordict") is SpgTrainer
    assert trainer_registry["spg"].for_data("game") is SpgGameTrainer
    assert trainer_registry["reinforce"].for_data("game") is trainer_registry["reinforce"]
