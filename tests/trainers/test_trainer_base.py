"""Evaluations, frozen parts and earlier trainers leave no trace in a training."""

from contextlib import ExitStack

import pytest
import torch

from nip.errors import DivergenceError, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.trainers.core.callback import Callback
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from tests.experiments import (
    make_instance,
    make_params,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
)


def test_a_test_after_each_epoch_changes_no_weight(data_dir):
    params = make_params(
        "graph_isomorphism",
        "solo_agent",
        "nip",
        agents={"_default": tiny_graph_agent(use_batch_norm=True, noise_sigma=0.3)},
        solo_agent={"num_epochs": 3, "batch_size": 4, "learning_rate": 0.01},
    )
    plain, watched = make_trainer(params, data_dir), make_trainer(params, data_dir)

    watched.log = lambda iteration, metrics: watched.evaluate()
    plain.train()
    watched.train()
    assert same_tensors(plain.agents.state_dict(), watched.agents.state_dict())


def test_a_second_test_finds_the_same():
    trainer = make_trainer(make_params())
    trainer.train()
    assert trainer.evaluate() == trainer.evaluate()


def test_a_frozen_part_is_in_evaluation_mode_while_the_others_learn(data_dir):
    params = make_params(
        "graph_isomorphism", agents={"_default": tiny_graph_agent(use_batch_norm=True)}
    )
    agents = make_instance(params, data_dir).agents
    prover = agents.agents["prover"]
    prover.body.requires_grad_(False)
    train_learning_parts(agents)
    assert not any(module.training for module in prover.body.modules())
    assert all(module.training for module in prover.policy_head.modules())
    assert all(module.training for module in agents.agents["verifier"].body.modules())


def test_a_second_trainer_measures_observations_anew_and_finds_nobody_frozen():
    schedule = {"AlternatingPeriodicUpdateSchedule": {"period": 2, "first_agent_num_rounds": 1}}
    schedule["_type"] = "AlternatingPeriodicUpdateSchedule"
    params = make_params(agents={"prover": {"update_schedule": schedule}}, rl={"num_iterations": 2})
    instance = make_instance(params)
    statistics = []
    for _ in range(2):
        build_trainer(params, instance, ExperimentSettings(progress=False)).train()
        statistics.append({k: v.clone() for k, v in instance.normalizer.state_dict().items()})
        assert all(parameter.requires_grad for parameter in instance.agents.parameters())
    assert same_tensors(*statistics)
    assert statistics[0]["x_std"] != 1


def test_a_weight_that_is_no_number_ends_the_run():
    trainer = make_trainer(make_params())
    with torch.no_grad():
        next(trainer.agents.agents["verifier"].parameters()).fill_(float("nan"))
    with pytest.raises(DivergenceError, match="became nan in iteration 1"):
        trainer.train()


def test_contexts_seed_the_global_generator_and_restore_it():
    trainer = make_trainer(make_params())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    draws = []
    for build in (trainer._build_train_context, trainer._build_test_context) * 2:
        with ExitStack() as stack:
            build(stack)
            draws.append(torch.rand(()).item())
    assert draws[:2] == draws[2:] and draws[0] != draws[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_modes_and_gradients_are_as_before_after_a_test():
    trainer = make_trainer(make_params())
    trainer.agents.agents["prover"].eval()
    before = [module.training for module in trainer.agents.modules()]
    with ExitStack() as stack:
        trainer._build_test_context(stack)
        assert not torch.is_grad_enabled()
        assert not any(module.training for module in trainer.agents.modules())
    assert torch.is_grad_enabled()
    assert [module.training for module in trainer.agents.modules()] == before


def test_an_evaluation_has_the_split_before_the_names_of_its_metrics():
    trainer = make_trainer(make_params())
    trainer.setup()
    metrics = trainer.evaluate("train")
    assert metrics and all(name.startswith("train_") for name in metrics)
    assert trainer.context.metrics == metrics
    with pytest.raises(ParameterError, match="split must be 'train' or 'test', got 'dev'"):
        trainer.evaluate("dev")
    trainer.close()


def test_metric_names_are_those_of_learner_terms_and_evaluation():
    names = make_trainer(make_params(loss_terms=[{"name": "l2", "weight": 0.5}])).metric_names()
    assert {"loss_objective", "prover.kl", "loss_l2", "grad_norm", "learning_rate"} <= names
    assert {"mean_accuracy", "test_mean_accuracy"} <= names
    assert "test_loss_objective" not in names


class KeepNorms(Callback):
    """Keeps the norm of the gradient at the end of each step."""

    def __init__(self):
        self.norms = []

    def on_step_end(self, context):
        self.norms.append(float(context.step_metrics["grad_norm"]))


@pytest.mark.parametrize(
    ("scenario", "trainer"),
    [("toy", "vanilla_ppo"), ("toy", "solo_agent"), ("matrix_games", "spg")],
)
def test_the_last_step_of_an_accumulation_has_a_gradient_norm_too(scenario, trainer):
    update_step = {"num_accumulation_steps": 1000}
    built = make_trainer(make_params(scenario, trainer, update_step=update_step))
    kept = KeepNorms()
    built.add_callback(kept)
    built.train()
    assert len(kept.norms) == 2
    assert [value for _, value in built.history.values("grad_norm")] == pytest.approx(kept.norms)
