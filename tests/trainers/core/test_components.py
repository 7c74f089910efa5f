"""Parts that users exchange are made and called as often as is needed, and no more."""

import torch

from nip.parameters import ContiguousPeriodicUpdateSchedule
from nip.trainers.core.components import TrainerComponents
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
