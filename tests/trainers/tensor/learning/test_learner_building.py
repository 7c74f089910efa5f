"""What of the hyper-parameters reaches the learner of a trainer."""

import pytest
import torch

from nip.parameters import RandomAgentParameters
from nip.trainers.callbacks import Callback
from tests.experiments import make_params, make_trainer, tiny_graph_agent


@pytest.fixture
def set_up(request, data_dir):
    """Return what builds a trainer and sets it up; it is closed after the test."""

    def build(params):
        trainer = make_trainer(params, data_dir)
        trainer.setup()
        request.addfinalizer(trainer.close)
        return trainer

    return build


def test_every_learning_parameter_is_in_one_group(set_up):
    params = make_params("graph_isomorphism", protocol="debate", rl={"use_shared_body": False})
    trainer = set_up(params)
    groups = trainer.learner.optimizer.param_groups
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(trainer.agents.parameters()) == trainer.learner.learning


@pytest.mark.parametrize(
    ("trainer", "expected"), [("vanilla_ppo", 1e-5), ("reinforce", 1e-5), ("solo_agent", 1e-8)]
)
def test_policy_optimisation_has_an_epsilon_of_its_own(set_up, trainer, expected):
    groups = set_up(make_params(trainer=trainer)).learner.optimizer.param_groups
    assert {group["eps"] for group in groups} == {expected}


def test_a_factor_of_zero_freezes_a_part_and_nothing_else(data_dir):
    prover = tiny_graph_agent(body_lr_factor={"actor": 0.0, "critic": 0.0})
    agents = {"prover": prover, "_default": tiny_graph_agent()}
    params = make_params("graph_isomorphism", protocol="nip", agents=agents)
    trainer = make_trainer(params, data_dir)
    before = {name: p.detach().clone() for name, p in trainer.agents.named_parameters()}
    trainer.train()
    for name, parameter in trainer.agents.named_parameters():
        is_frozen = name.startswith("agents.prover.body")
        assert parameter.requires_grad != is_frozen
        if is_frozen:
            assert torch.equal(parameter, before[name])
            assert parameter not in trainer.optimizer.state
    heads = [n for n in before if n.startswith("agents.prover.policy_head")]
    now = dict(trainer.agents.named_parameters())
    assert any(not torch.equal(now[name], before[name]) for name in heads)


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "reinforce"])
def test_an_experiment_in_which_nobody_learns_runs(trainer):
    params = make_params(trainer=trainer, agents={"_default": RandomAgentParameters()})
    make_trainer(params).train()


@pytest.mark.parametrize(
    "changes", [{"rl": {"anneal_lr": True}}, {"lr_scheduler": {"name": "linear"}}]
)
def test_the_learning_rate_is_annealed_to_zero_after_the_last_iteration(changes):
    rl = {"num_iterations": 4, "lr": 0.5, **changes.get("rl", {})}
    trainer = make_trainer(make_params(**{**changes, "rl": rl}))
    rates = []
    trainer.log = lambda iteration, metrics: rates.append(metrics.get("learning_rate"))
    trainer.train()
    assert rates[:4] == pytest.approx([0.5, 0.375, 0.25, 0.125])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_a_schedule_may_count_steps():
    """Two iterations of two epochs of two minibatches are eight steps."""
    schedule = {"name": "linear", "interval": "step"}
    trainer = make_trainer(make_params(lr_scheduler=schedule, rl={"lr": 0.8}))
    rates = []

    class Look(Callback):
        def on_step_start(self, context):
            rates.append(context.optimizer.param_groups[0]["lr"])

    trainer.add_callback(Look())
    trainer.train()
    steps = trainer.context.step
    assert rates == pytest.approx([0.8 * (1 - done / steps) for done in range(steps)])


def test_without_annealing_the_learning_rate_stays():
    trainer = make_trainer(make_params(rl={"num_iterations": 3, "lr": 0.5}))
    trainer.train()
    assert {group["lr"] for group in trainer.optimizer.param_groups} == {0.5}
