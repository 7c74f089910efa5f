"""Behaviour that every registered trainer shares, in every scenario."""

from functools import cache

import pytest
import torch

from nip.protocols.registry import protocol_registry
from nip.trainers.callbacks import Callback
from nip.trainers.registry import trainer_registry
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.trainer_base import TensorDictTrainer
from tests.experiments import (
    TENSOR_SCENARIOS,
    make_params,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
    trainer_variants,
)

RL_VARIANTS = {
    name: (trainer, changes)
    for name, (trainer, changes) in trainer_variants().items()
    if issubclass(trainer_registry[trainer], TensorDictRlTrainer)
}


def train(params, data_dir) -> tuple[TensorDictTrainer, list[tuple[int, dict[str, float]]]]:
    """Train; return the trainer and all that it logged."""
    trainer = make_trainer(params, data_dir)
    logged = []
    trainer.log = lambda iteration, metrics: logged.append((iteration, dict(metrics)))
    trainer.train()
    return trainer, logged


def weights(trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.agents.state_dict().items()}


def random_graph_params(name, **changes):
    """Return an experiment in which everything random is on: dropout, noise, sampling."""
    trainer, variant = trainer_variants()[name]
    agent = tiny_graph_agent(transformer_dropout=0.2, noise_sigma=0.1)
    return make_params(
        "graph_isomorphism",
        trainer,
        "nip",
        agents={"_default": agent},
        **{**variant, **changes},
    )


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
@pytest.mark.parametrize("variant", trainer_variants())
def test_it_trains_and_tests(variant, scenario, data_dir):
    trainer_name, changes = trainer_variants()[variant]
    protocol = "nip" if scenario == "graph_isomorphism" else "adp"
    params = make_params(scenario, trainer_name, protocol, **changes)
    before = weights(make_trainer(params, data_dir))
    trainer, logged = train(params, data_dir)
    assert not same_tensors(before, weights(trainer))
    iterations = [iteration for iteration, _ in logged]
    assert iterations == [1, 2, 2]
    assert all(value == value for _, metrics in logged for value in metrics.values())
    assert any("test_" in name for name in logged[-1][1])


@pytest.mark.parametrize("zero_knowledge", [False, True], ids=["", "zero_knowledge"])
@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_every_protocol_can_be_learnt(scenario, protocol, zero_knowledge, data_dir):
    params = make_params(
        scenario,
        "vanilla_ppo",
        protocol,
        message_size=2,
        include_linear_message_space=True,
        rl={"num_iterations": 1, "use_shared_body": False},
        protocol_common={"zero_knowledge": zero_knowledge},
    )
    _, logged = train(params, data_dir)
    assert all(value == value for _, metrics in logged for value in metrics.values())


@cache
def trained_once(variant, data_dir):
    """Train with everything random; return the weights and all that was logged."""
    trainer, logged = train(random_graph_params(variant), data_dir)
    return weights(trainer), logged


@pytest.mark.parametrize("variant", trainer_variants())
def test_the_same_seed_gives_the_same_numbers(variant, data_dir):
    torch.manual_seed(2)
    torch.rand(7)
    second, second_log = train(random_graph_params(variant), data_dir)
    first, first_log = trained_once(variant, data_dir)
    assert same_tensors(first, weights(second))
    assert first_log == second_log
    other, other_log = train(random_graph_params(variant, seed=4), data_dir)
    assert not same_tensors(first, weights(other))
    assert first_log != other_log


@pytest.mark.parametrize("variant", trainer_variants())
def test_training_leaves_the_callers_randomness_threads_and_gradients_alone(variant, data_dir):
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    trainer = make_trainer(random_graph_params(variant), data_dir)
    seen = []

    class Look(Callback):
        def on_evaluation_end(self, context):
            seen.append((torch.is_grad_enabled(), trainer.agents.training))

    trainer.callbacks.append(Look())
    trainer.train()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    # Gradients are off and networks in evaluation mode during the test.
    assert seen == [(False, False)]


class TestInBetween(Callback):
    """Runs the test loop after every iteration."""

    __test__ = False

    def on_iteration_end(self, context):
        from contextlib import ExitStack

        trainer = context.trainer
        with ExitStack() as stack:
            trainer._build_test_context(stack)
            trainer._run_test_loop()


@pytest.mark.parametrize("variant", RL_VARIANTS)
def test_testing_more_changes_no_number_of_the_training(variant, data_dir):
    plain, plain_log = trained_once(variant, data_dir)
    trainer = make_trainer(random_graph_params(variant), data_dir)
    trainer.callbacks.append(TestInBetween())
    logged = []
    trainer.log = lambda iteration, metrics: logged.append((iteration, dict(metrics)))
    trainer.train()
    assert same_tensors(plain, weights(trainer))
    training = [entry for entry in logged if not any("test_" in name for name in entry[1])]
    assert len(logged) == len(plain_log) + 2
    assert training == plain_log[:2]


@pytest.mark.parametrize("variant", RL_VARIANTS)
def test_a_longer_test_changes_no_number_of_the_training(variant, data_dir):
    short, short_log = trained_once(variant, data_dir)
    longer = random_graph_params(variant, rl={"num_test_iterations": 3, "greedy_test": True})
    long, long_log = train(longer, data_dir)
    assert same_tensors(short, weights(long))
    assert short_log[:2] == long_log[:2]
    assert short_log[2] != long_log[2]


def test_the_number_of_iterations_is_known_in_advance(data_dir):
    totals = {
        name: make_trainer(random_graph_params(name), data_dir).num_iterations
        for name in trainer_variants()
    }
    # Two iterations of training and one of testing; two epochs and one test.
    assert set(totals.values()) == {3}
