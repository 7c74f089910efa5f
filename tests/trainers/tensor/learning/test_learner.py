"""One learner on a loss whose steps can be worked out by hand."""

import pytest
import torch
from tensordict import TensorDict
from torch.optim.lr_scheduler import ExponentialLR

from nip.rl_objectives import Objective
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.learning.loss_terms import LossTerm
from nip.trainers.tensor.learning.update_step import UpdateStep
from tests.rl_objectives.tables import table_agents


class Square(Objective):
    """(v - x)^2 / 2 for the prover's value v, whose gradient is v - x."""

    def __init__(self, agents):
        super().__init__(agents)
        self.register_buffer("num_iterations", torch.zeros(()))
        self.scale = torch.nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, tensordict):
        value = self.agents.agents["prover"].value_head.value
        error = value - tensordict["x"].mean()
        return TensorDict({"loss_square": error**2 / 2, "error": error.detach()})

    def finish_iteration(self):
        self.num_iterations += 1


def batch(x: float) -> TensorDict:
    return TensorDict({"x": torch.full((3,), x)}, batch_size=[3])


def make_learner(*, value=1.0, lr=0.5, gamma=None, **options):
    agents = table_agents(values=(value, 0.0))
    optimizer = torch.optim.SGD([{"params": list(agents.parameters())}], lr=lr, momentum=0.0)
    scheduler = None if gamma is None else ExponentialLR(optimizer, gamma)
    context, events = TrainingContext(trainer=None), []
    learner = Learner(
        agents,
        Square(agents),
        optimizer,
        scheduler,
        options.pop("update_step", None),
        context=context,
        notify=events.append,
        **options,
    )
    return learner, context, events


def value_of(learner) -> float:
    return learner.objective.agents.agents["prover"].value_head.value.item()


def test_a_step_moves_the_value_by_the_rate_times_the_gradient():
    learner, context, events = make_learner(value=1.0, lr=0.5)
    minibatch = batch(3.0)
    metrics = learner.step(minibatch)
    assert value_of(learner) == 2.0
    assert {name: value.item() for name, value in metrics.items()} == {
        "loss_square": 2.0,
        "error": -2.0,
        "grad_norm": 2.0,
    }
    assert not any(value.requires_grad for value in metrics.values())
    assert context.batch is minibatch
    assert context.step_metrics is metrics
    assert (learner.num_steps, context.step) == (1, 1)
    assert events == ["on_step_start", "on_step_end"]


def test_accumulated_minibatches_are_one_step_and_the_rest_of_an_iteration_another():
    update_step = UpdateStep(num_accumulation_steps=2)
    learner, context, events = make_learner(lr=1.0, update_step=update_step)
    metrics = [learner.step(batch(0.0))]
    assert (value_of(learner), events) == (1.0, ["on_step_start"])
    # The mean of the gradients 1 and -3 is -1.
    metrics.append(learner.step(batch(4.0)))
    assert (value_of(learner), learner.num_steps) == (2.0, 1)
    metrics.append(learner.step(batch(-1.0)))
    assert learner.num_steps == 1
    learner.finish_iteration()
    assert (value_of(learner), learner.num_steps) == (-1.0, 2)
    assert events == ["on_step_start", "on_step_end"] * 2
    assert [each.get("grad_norm", None) for each in metrics] == [None, 1.0, 3.0]
    assert context.step_metrics is metrics[-1]


@pytest.mark.parametrize(("steps_schedule", "expected"), [(True, 0.125), (False, 0.25)])
def test_the_schedule_counts_steps_or_iterations(steps_schedule, expected):
    learner, *_ = make_learner(lr=0.5, gamma=0.5, steps_schedule=steps_schedule)
    for _ in range(2):
        learner.step(batch(0.0))
    learner.finish_iteration()
    assert learner.learning_rate == expected


def test_loss_terms_are_added_to_the_loss():
    def pull(minibatch, context):
        return context.step + learner.objective.agents.agents["prover"].value_head.value

    learner, *_ = make_learner(loss_terms=[LossTerm("pull", 2.0, pull)])
    metrics = learner.step(batch(1.0))
    # The square has no gradient at 1, and the term has 2.
    assert (metrics["loss_pull"].item(), value_of(learner)) == (2.0, 0.0)


def test_the_objective_is_told_of_the_end_of_an_iteration():
    learner, _, events = make_learner()
    learner.finish_iteration()
    assert learner.objective.num_iterations.item() == 1
    assert events == []


def test_the_state_dict_has_the_objectives_own_tensors_and_no_agents():
    learner, *_ = make_learner(gamma=0.5)
    learner.objective.scale.data.fill_(7.0)
    learner.step(batch(0.0))
    learner.finish_iteration()
    state = learner.state_dict()
    assert {name: value.item() for name, value in state["objective"].items()} == {
        "num_iterations": 1.0,
        "scale": 7.0,
    }
    other, context, _ = make_learner(gamma=0.5, value=5.0)
    other.load_state_dict(state)
    assert (other.num_steps, context.step, other.learning_rate) == (1, 1, 0.25)
    assert other.objective.scale.item() == 7.0
    assert other.lr_scheduler.last_epoch == 1
    assert value_of(other) == 5.0


def test_moments_continue_after_loading():
    def momentum(value):
        learner, *_ = make_learner(value=value, lr=1.0)
        for group in learner.optimizer.param_groups:
            group["momentum"] = 0.5
        return learner

    first = momentum(1.0)
    first.step(batch(0.0))
    second = momentum(0.0)
    second.load_state_dict(first.state_dict())
    for learner in (first, second):
        assert value_of(learner) == 0.0
        # There is no gradient at 0, so that half of the last step of -1 is taken again.
        learner.step(batch(0.0))
        assert value_of(learner) == -0.5
