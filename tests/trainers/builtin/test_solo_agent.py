"""The trainer of agents alone builds the loss and the steps that its parameters describe."""

from contextlib import closing

import pytest
from torch.nn.utils import parameters_to_vector

from nip.errors import ParameterError
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_trainer


def trainer_of(*, solo=None, **changes):
    own = {"num_epochs": 5, "batch_size": 2, "learning_rate": 0.25, **(solo or {})}
    return make_trainer(make_params(trainer="solo_agent", solo_agent=own, **changes))


def learning_rates(**changes):
    """Return the learning rates of all weights, after the set-up."""
    with closing(trainer_of(**changes)) as trainer:
        trainer.setup()
        return {group["lr"] for group in trainer.learner.optimizer.param_groups}


def distance_of_an_iteration(**changes):
    """Return how far all weights together move in one pass over the data."""
    with closing(trainer_of(**changes)) as trainer:
        trainer.setup()
        before = parameters_to_vector(trainer.agents.parameters()).detach()
        trainer.train_iteration()
        return (parameters_to_vector(trainer.agents.parameters()) - before).norm().item()


def test_iterations_are_passes_over_the_data_not_those_of_reinforcement_learning():
    assert trainer_of(rl={"num_iterations": 9}).num_train_iterations == 5


def test_each_agent_has_a_loss_of_its_own():
    objective = trainer_of()._make_objective()
    assert sorted(objective.metric_names()) == [
        "prover.accuracy",
        "prover.loss",
        "verifier.accuracy",
        "verifier.loss",
    ]


def test_the_learning_rate_is_its_own_not_that_of_reinforcement_learning():
    assert learning_rates(rl={"lr": 0.125}) == {0.25}


def test_gradients_are_clipped_by_its_own_norm_not_that_of_reinforcement_learning():
    options = {"optimizer": {"name": "sgd"}, "rl": {"max_grad_norm": 1e-6}}
    free = distance_of_an_iteration(**options)
    clipped = distance_of_an_iteration(solo={"max_grad_norm": 1e-4}, **options)
    # A step of stochastic gradient descent is as long as learning rate times clipped norm.
    num_steps = len(trainer_of()._make_dataset().minibatches())
    assert 0 < clipped <= 1.01 * num_steps * 0.25 * 1e-4 < free


@pytest.mark.parametrize("component", ["loss", "data"])
def test_what_it_does_not_have_cannot_be_exchanged(component):
    given = TrainerComponents(**{component: lambda trainer: None})
    with pytest.raises(ParameterError, match=f"^SoloAgentTrainer has no {component} to be excha"):
        trainer_of().use(given)
