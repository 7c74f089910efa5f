"""Parts that users exchange are made and called as often as is needed, and no more."""

import pytest
import torch

from nip.experiment.plan import make_plan
from nip.parameters import ContiguousPeriodicUpdateSchedule
from nip.trainers.core.components import TrainerComponents
from nip.trainers.tensor.learning.minibatches import Minibatches
from tests.experiments import make_params, make_trainer

PAUSES_FIRST = {"update_schedule": ContiguousPeriodicUpdateSchedule(period=2, start=1, stop=2)}


def test_a_loss_of_ones_own_is_not_made_anew_in_each_iteration():
    made = []

    def loss(trainer):
        made.append(trainer)
        torch.rand(1)
        return trainer._get_loss_module_and_gae()

    counts = []
    for num_iterations in (1, 4):
        made.clear()
        trainer = make_trainer(make_params(rl={"num_iterations": num_iterations}))
        trainer.use(TrainerComponents(loss=loss))
        trainer.train()
        counts.append(len(made))
    assert counts == [1, 1]


def test_an_optimizer_of_ones_own_takes_no_steps_but_those_of_learning():
    steps = []

    class Counting(torch.optim.SGD):
        def step(self, closure=None):
            steps.append([p.grad is not None for g in self.param_groups for p in g["params"]])
            return super().step(closure)

    def schedule(optimizer):
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    trainer = make_trainer(make_params(agents={"_default": PAUSES_FIRST}))
    trainer.use(TrainerComponents(optimizer=Counting, lr_scheduler=schedule))
    trainer.train()
    # In the first of two iterations nobody learns; the second has two minibatches in two epochs.
    assert len(steps) == 4 and all(map(any, steps))
    assert trainer.optimizer.param_groups[0]["lr"] == 0.003 / 4


class Thirds(Minibatches):
    """The batch in three parts, in order; so often that an iteration has six minibatches."""

    num_epochs = 2
    num_per_epoch = 3

    def __init__(self):
        self.num_passes = 0

    def of(self, batch):
        self.num_passes += 1
        yield from batch.reshape(-1).chunk(3)

    def state_dict(self):
        return {"num_passes": self.num_passes}

    def load_state_dict(self, state):
        self.num_passes = state["num_passes"]


@pytest.mark.parametrize("name", ["vanilla_ppo", "solo_agent"])
def test_minibatches_of_ones_own_are_counted_by_trainer_schedule_and_plan(name, tmp_path):
    params = make_params(
        trainer=name,
        lr_scheduler={"name": "linear", "interval": "step"},
        update_step={"num_accumulation_steps": 4},
    )
    trainer = make_trainer(params)
    trainer.use(TrainerComponents(minibatches=lambda _: Thirds()))
    assert trainer.num_minibatches == 6
    # Four minibatches make a step, and the other two one more; there are two iterations.
    assert trainer.num_steps_per_iteration == 2
    assert trainer.num_schedule_intervals == 4
    trainer.train()
    assert trainer.context.step == 4
    assert trainer.learner.learning_rate == 0
    assert trainer.state_dict()["minibatches"] == {"num_passes": 4}


def test_the_plan_of_an_iteration_has_the_steps_of_its_trainer():
    trainer = make_trainer(make_params(update_step={"num_accumulation_steps": 3}))
    plan = make_plan(trainer)
    # Two epochs of two minibatches, three of which make a step.
    assert plan.rollouts.num_updates == trainer.num_steps_per_iteration == 2
