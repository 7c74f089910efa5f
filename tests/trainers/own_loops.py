"""Trainers with loops of their own, as the published guide allows."""

from contextlib import ExitStack

import torch

from nip.trainers.builtin.reinforce import ReinforceTrainer
from nip.trainers.trainer_base import TensorDictTrainer, attach_progress_bar


def num_iterations(trainer):
    return trainer.hyper_params.rl.num_iterations


class OwnRlLoop(ReinforceTrainer):
    """Overrides only the training loop; begins where an earlier process has ended."""

    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        iteration_context.set_description("Training")
        for iteration in range(self.context.iteration, num_iterations(self)):
            self.log(iteration + 1, self._run_iteration(iteration))
            iteration_context.step()


class IteratedRlLoop(ReinforceTrainer):
    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in iteration_context:
            self.log(iteration + 1, self._run_iteration(iteration))


class UncountedRlLoop(ReinforceTrainer):
    """Does not use the number of the iteration, except by the context."""

    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        for _ in range(num_iterations(self)):
            self.log(self.context.iteration + 1, self._run_iteration(self.context.iteration))
            iteration_context.step()


class NaiveRlLoop(ReinforceTrainer):
    """Counts from the first iteration, also in a resumed run."""

    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in range(num_iterations(self)):
            self.log(iteration + 1, self._run_iteration(iteration))
            iteration_context.step()


class OwnTrain(TensorDictTrainer):
    """Everything of its own, as the published guide shows it; moves the weights at random."""

    def train(self):
        with ExitStack() as stack:
            self._build_train_context(stack)
            self._run_train_loop()
        with ExitStack() as stack:
            self._build_test_context(stack)
            self._run_test_loop()

    def move(self):
        with torch.no_grad():
            for weight in self.agents.parameters():
                weight.add_(torch.randn_like(weight))

    def sum_of_weights(self):
        return float(sum(weight.detach().sum() for weight in self.agents.parameters()))

    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in range(num_iterations(self)):
            self.move()
            self.log(iteration + 1, {"sum": self.sum_of_weights()})
            iteration_context.step()

    @attach_progress_bar(lambda self: 1)
    def _run_test_loop(self, iteration_context):
        self.log(self.context.iteration, {"test_sum": self.sum_of_weights()})
        iteration_context.step()

    def _evaluate(self, split, on_batch):
        on_batch()
        return {"sum": self.sum_of_weights()}


class RestoringTrain(OwnTrain):
    """Restores an interrupted run."""

    def train(self):
        with ExitStack() as stack:
            self._build_train_context(stack)
            self.restore()
            self._run_train_loop()
        self._run_test_loop()

    @attach_progress_bar(num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in range(iteration_context.first, num_iterations(self)):
            self.move()
            self.log(iteration + 1, {"sum": self.sum_of_weights()})
            iteration_context.step()


class BareTrain(OwnTrain):
    """Has no loop with a progress bar: what it logs shows which iteration is over."""

    def train(self):
        torch.manual_seed(self.hyper_params.seed)
        for iteration in range(num_iterations(self)):
            self.move()
            self.log(iteration + 1, {"sum": self.sum_of_weights()})
        self.log(num_iterations(self), {"test_sum": self.sum_of_weights()})


class SilentTrain(OwnTrain):
    """Reports nothing."""

    def train(self):
        torch.manual_seed(self.hyper_params.seed)
        self.move()
