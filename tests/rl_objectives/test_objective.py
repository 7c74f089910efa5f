"""What all loss modules share."""

import pytest
import torch
from tensordict import TensorDict
from torchrl.objectives import ValueEstimators

from nip.rl_objectives import Objective
from nip.rl_objectives.advantages import TurnBasedGAE
from tests.experiments import make_params, make_trainer
from tests.rl_objectives.tables import table_agents


class SumOfSquares(Objective):
    """A loss that a user might write."""

    def forward(self, tensordict):
        square = sum((parameter**2).sum() for parameter in self.agents.parameters())
        return TensorDict({"loss_a": square, "loss_b": 2 * square, "metric": 5 * square})


def test_what_is_called_a_loss_is_summed_and_differentiated():
    agents = table_agents(values=(1.5, -0.5))
    objective = SumOfSquares(agents)
    objective.backward(objective(TensorDict()))
    assert float(agents.agents["prover"].value_head.value.grad) == pytest.approx(6 * 1.5)
    assert float(agents.agents["verifier"].value_head.value.grad) == pytest.approx(6 * -0.5)


def test_losses_without_anything_to_learn_are_left_alone():
    agents = table_agents().requires_grad_(False)
    objective = SumOfSquares(agents)
    objective.backward(objective(TensorDict()))
    assert all(parameter.grad is None for parameter in agents.parameters())


def test_the_value_estimator_is_made_as_in_torchrl():
    objective = SumOfSquares(table_agents())
    objective.make_value_estimator(ValueEstimators.GAE, gamma=0.5, lmbda=0.25)
    assert objective.value_estimator == TurnBasedGAE(gamma=0.5, lmbda=0.25)


def test_other_value_estimators_are_refused_with_the_one_to_use():
    with pytest.raises(NotImplementedError, match=r"Use ValueEstimators\.GAE"):
        SumOfSquares(table_agents()).make_value_estimator(ValueEstimators.TD0, gamma=0.5)


def test_an_objective_learns_the_parameters_of_the_agents_themselves():
    agents = table_agents()
    own = {id(parameter) for parameter in SumOfSquares(agents).parameters()}
    assert own == {id(parameter) for parameter in agents.parameters()}
    assert all(isinstance(parameter, torch.nn.Parameter) for parameter in agents.parameters())


def test_it_can_be_printed():
    trainer = make_trainer(make_params())
    trainer.setup()
    text = repr(trainer.loss_module)
    trainer.close()
    assert text.startswith("PpoObjective(") and "(verifier):" in text
