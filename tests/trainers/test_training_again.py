"""Skipped steps, metrics of a diverged iteration, and training twice."""

import torch

from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_trainer, same_tensors


class Steps(Callback):
    """Writes down when steps begin and end."""

    def __init__(self):
        self.told = []

    def on_step_start(self, context):
        self.told.append("start")

    def on_step_end(self, context):
        self.told.append("end")


class OverflowsAtFirst:
    """A loss whose gradient is too large for the first scale of float16, and later is none."""

    def __init__(self):
        self.factor = 1e35

    def __call__(self, batch, context):
        parameter = next(context.model.parameters())
        loss = self.factor * (parameter - parameter.detach()).sum()
        self.factor = 0.0
        return loss


def test_a_step_that_float16_leaves_out_ends_as_well():
    trainer = make_trainer(make_params(update_step={"precision": "float16"}))
    steps = Steps()
    trainer.use(TrainerComponents(loss_terms=[(1.0, OverflowsAtFirst())], callbacks=[steps]))
    trainer.train()
    # Two iterations of two epochs with two minibatches.
    assert steps.told == ["start", "end"] * 8
    assert trainer.context.step == 7


def test_what_was_played_in_an_iteration_that_diverged_is_kept():
    trainer = make_trainer(make_params(update_step={"on_non_finite": "stop"}))
    trainer.use(TrainerComponents(loss_terms=[(1.0, lambda *_: torch.tensor(float("nan")))]))
    trainer.train()
    assert trainer.context.stop_reason.startswith("loss_term became nan in iteration 1")
    assert trainer.history.values("mean_accuracy")[0][0] == 1
    assert "loss_objective" not in trainer.history.names()


def test_a_trainer_that_trains_again_does_all_iterations_once_more():
    params = make_params(rl={"num_iterations": 3})
    trainer = make_trainer(params)
    trainer.train()
    first = {name: value.clone() for name, value in trainer.agents.state_dict().items()}
    trainer.train()
    assert trainer.context.iteration == 3
    assert trainer.context.step == 12
    assert not same_tensors(first, trainer.agents.state_dict())
