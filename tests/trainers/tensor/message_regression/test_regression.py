"""Message regression in evaluations: what it logs, of whom, and that it changes nothing."""

import pytest
import torch
from tensordict import TensorDict

from nip.errors import ParameterError
from nip.experiment.checks import check_experiment
from nip.scenario_base.data import TensorDataset
from nip.trainers.tensor.message_regression.regression import MessageRegression, classes_of
from tests.experiments import make_instance, make_params, make_settings, make_trainer, same_tensors

ON = {"enabled": True, "mlp_num_epochs": 40, "mlp_learning_rate": 0.02, "mlp_batch_size": 32}


def regression_of(dataset="cheap_talk", protocol="adp", **options):
    params = make_params(dataset=dataset, protocol=protocol, message_regression={**ON, **options})
    return MessageRegression(params, make_instance(params))


def frames_in_which_the_prover_says(word, instance, num_episodes=160):
    """Return the first round of episodes in which the prover says ``word(secret, label)``."""
    environment = instance.train_environment
    ids = torch.arange(num_episodes) % 8
    state = environment.state_of(ids)
    shape = (num_episodes, 2, 1, 1)
    said = word(state["secret"].argmax(-1), state["y"].squeeze(-1))
    actions = {
        "position_selected": said.view(-1, 1, 1, 1).expand(shape),
        "main_message_logits": torch.zeros(*shape, 4),
        "active": torch.tensor([[[True], [False]]]).expand(num_episodes, 2, 1),
    }
    return TensorDict({**state, "agents": actions}, batch_size=num_episodes)


def noise(secret, label):
    return torch.randint(4, secret.shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("word", "target", "least", "most"),
    [
        (lambda secret, y: y, "y", 1, 1),
        (lambda secret, y: secret, "y", 1, 1),
        (noise, "y", 0.2, 0.8),
        (lambda secret, y: 0 * y, "y", 0.2, 0.8),
        (lambda secret, y: secret, "secret", 1, 1),
        (lambda secret, y: y, "secret", 0.3, 0.7),
    ],
)
def test_accuracy_says_what_the_message_reveals(word, target, least, most) -> None:
    regression = regression_of("secret_talk", target=target)
    frames = frames_in_which_the_prover_says(word, regression._instance)
    metrics = regression.metrics(frames, "train")
    assert least <= metrics["prover.message_regression_accuracy"] <= most
    assert 0.05 <= metrics["prover.message_regression_baseline"] <= 0.75
    # The verifier has written nothing yet, so there is nothing to learn from.
    assert not any(name.startswith("verifier.") for name in metrics)


def test_it_is_the_same_each_time_and_leaves_the_generator_alone() -> None:
    regression = regression_of("secret_talk")
    frames = frames_in_which_the_prover_says(noise, regression._instance)
    before = torch.get_rng_state()
    first, second = (regression.metrics(frames, "train") for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    assert regression.state_dict() == {}


def test_networks_that_are_kept_go_on_from_their_weights() -> None:
    options = {"reset_on_fit": False, "target": "secret", "mlp_num_epochs": 1}
    regression, again = (
        regression_of("secret_talk", **options, mlp_learning_rate=0.001) for _ in range(2)
    )
    frames = frames_in_which_the_prover_says(lambda secret, _: secret, regression._instance)

    def accuracy(of):
        return of.metrics(frames, "train")["prover.message_regression_accuracy"]

    accuracies = [accuracy(regression) for _ in range(30)]
    assert accuracies[0] < 0.9
    assert accuracies[-1] == 1
    again.load_state_dict(regression.state_dict())
    assert accuracy(again) == accuracy(regression) == 1
    first, second = (each.state_dict()["prover"] for each in (regression, again))
    assert same_tensors(first, second)


def test_agents_can_be_chosen() -> None:
    assert regression_of(agents=["verifier"]).agent_names == ("verifier",)
    assert regression_of().agent_names == ("prover", "verifier")


def test_an_unknown_agent_is_refused(tmp_path) -> None:
    params = make_params(message_regression={"enabled": True, "agents": ["provr"]})
    with pytest.raises(ParameterError, match=r"message_regression.agents='provr'.*'prover'"):
        check_experiment(params, make_settings(tmp_path))


def test_an_unknown_target_is_refused_before_training() -> None:
    trainer = make_trainer(make_params(message_regression={"enabled": True, "target": "scret"}))
    with pytest.raises(ParameterError, match=r"target='scret'.*Did you mean 'secret'"):
        trainer.train()


def test_classes_of_one_hot_observations() -> None:
    values = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    dataset = TensorDataset({"mark": values, "size": values * 2}, torch.zeros(3), (2,))
    assert classes_of(dataset, "mark").tolist() == [1, 0, 2]
    with pytest.raises(ParameterError, match=r"must be 'y' or a one-hot observation.*'size'"):
        classes_of(dataset, "size")


def test_convolutions_read_the_pixels_that_messages_name(data_dir) -> None:
    params = make_params(
        "image_classification",
        rl={"rollouts_per_iteration": 16, "num_iterations": 1},
        message_regression={**ON, "regression_method": "cnn", "mlp_num_epochs": 1},
    )
    trainer = make_trainer(params, data_dir)
    trainer.train()
    logged = trainer.history.to_dict()
    assert 0 <= logged["test_prover.message_regression_accuracy"][-1][1] <= 1


@pytest.mark.parametrize("scenario", ["toy", "graph_isomorphism"])
def test_evaluations_log_it_and_training_does_not_depend_on_it(scenario, data_dir) -> None:
    def trained(**options):
        params = make_params(
            scenario,
            protocol="nip",
            eval_every=1,
            rl={"rollouts_per_iteration": 16},
            message_regression={"mlp_num_epochs": 2, "mlp_batch_size": 8, **options},
        )
        trainer = make_trainer(params, data_dir)
        trainer.train()
        return trainer

    with_it, without = trained(enabled=True), trained()
    assert same_tensors(with_it.agents.state_dict(), without.agents.state_dict())
    logged, plain = with_it.history.to_dict(), without.history.to_dict()
    extra = {
        f"test_{agent}.message_regression_{each}"
        for agent in ("prover", "verifier")
        for each in ("accuracy", "baseline")
    }
    assert logged.keys() - plain.keys() == extra
    assert all([i for i, _ in logged[name]] == [1, 2] for name in extra)
    assert {name: logged[name] for name in plain} == plain
    assert extra <= with_it.metric_names()
