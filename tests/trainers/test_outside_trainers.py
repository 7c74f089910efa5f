"""Trainers in a plugin file work like built-in ones."""

import sys
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters, parameter_groups, trainer_specs
from nip.parameters.parameters_base import parameter_classes
from nip.plugins import load_plugins
from nip.run import run_experiment
from nip.run_store import read_history
from nip.trainers.registry import trainer_registry
from tests.experiments import make_params, make_settings, make_trainer

FILE = Path(__file__).with_name("outside_trainers.py")


@pytest.fixture(autouse=True)
def outside_trainers():
    """Load the file as a plugin, and forget it afterwards."""
    load_plugins([str(FILE)])
    yield
    for name in ("outside_rl", "outside_loop"):
        for registry in (trainer_registry, trainer_specs, parameter_groups):
            registry.unregister(name)
    parameter_classes.unregister("OutsideRlParameters")
    del sys.modules[FILE.stem]


def test_another_loss_in_the_usual_loop_learns(tmp_path):
    """In the game with a witness, the verifier is soon right; see the toy games."""
    params = make_params(
        trainer="outside_rl",
        rl={
            "rollouts_per_iteration": 128,
            "minibatch_size": 128,
            "num_epochs": 1,
            "num_iterations": 60,
            "lr": 0.1,
        },
    )
    result = run_experiment(
        params, run_id="r", settings=make_settings(tmp_path, checkpoint_period=30)
    )
    assert result.metrics["test_mean_accuracy"] > 0.9
    assert len(read_history(result.folder).values("loss_actor")) == 60


def test_its_parameters_are_part_of_the_tree():
    params = make_params(trainer="outside_rl", outside_rl={"critic_weight": 0.5})
    assert params.outside_rl.critic_weight == 0.5
    again = HyperParameters.from_dict(params.to_dict())
    assert again.get("outside_rl.critic_weight") == 0.5
    with pytest.raises(ParameterError, match=r"outside_rl.*critic_wait.*critic_weight"):
        make_params(trainer="outside_rl", outside_rl={"critic_wait": 0.5})


def test_its_parameters_reach_the_loss():
    with_critic = make_trainer(make_params(trainer="outside_rl"))
    without = make_trainer(make_params(trainer="outside_rl", outside_rl={"critic_weight": 0.0}))
    losses = []
    for trainer in (with_critic, without):
        trainer.log = lambda _, metrics: losses.append(metrics.get("loss_critic"))
        trainer.train()
    assert losses[0] > 0
    assert losses[3] == 0


def test_a_loop_of_ones_own_runs_an_experiment(tmp_path):
    params = make_params(trainer="outside_loop", rl={"num_iterations": 5, "num_test_iterations": 2})
    settings = make_settings(tmp_path)
    results = [run_experiment(params, run_id=name, settings=settings) for name in ("a", "b")]
    draws = [read_history(result.folder).values("draw") for result in results]
    assert len(draws[0]) == 5
    assert draws[0] == draws[1]
    assert results[0].metrics["gradients"] == 0


def test_the_number_of_iterations_is_known_in_advance():
    params = make_params(trainer="outside_loop", rl={"num_iterations": 5, "num_test_iterations": 2})
    assert make_trainer(params).num_iterations == 7
