"""The trainer of agents alone builds the loss and the steps that its parameters describe."""

from contextlib import closing

import pytest

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


@pytest.mark.parametrize("component", ["loss", "data"])
def test_what_it_does_not_have_cannot_be_exchanged(component):
    given = TrainerComponents(**{component: lambda trainer: None})
    with pytest.raises(ParameterError, match=f"^SoloAgentTrainer has no {component} to be excha"):
        trainer_of().use(given)
