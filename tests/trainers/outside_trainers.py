"""Trainers as a user of the published guide would write them, outside of the package."""

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from tensordict import TensorDict
from torchrl.objectives import ValueEstimators

from nip.parameters import register_parameter_class
from nip.parameters.parameters_base import SubParameters
from nip.rl_objectives import Objective
from nip.trainers.registry import register_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.trainer_base import IterationContext, TensorDictTrainer, attach_progress_bar


class ActorCriticObjective(Objective):
    """The score weighed by the advantage, and squared errors of the critic."""

    def __init__(self, agents, critic_weight):
        super().__init__(agents)
        self.critic_weight = critic_weight

    def forward(self, tensordict):
        actor = critic = torch.zeros(())
        for frames in self.learning_frames(tensordict, with_critic=True):
            actor = actor - frames.policy_mean(frames.log_prob() * frames.take("advantage"))
            error = frames.output.value - frames.take("value_target")
            critic = critic + frames.value_mean(error**2)
        return TensorDict({"loss_actor": actor, "loss_critic": self.critic_weight * critic})


@register_parameter_class
@dataclass
class OutsideRlParameters(SubParameters):
    """Parameters of a trainer from outside."""

    critic_weight: float = 1.0
    """Weight of the critic's loss."""


@register_trainer("outside_rl", parameters=OutsideRlParameters)
class OutsideRlTrainer(TensorDictRlTrainer):
    def _get_loss_module_and_gae(self):
        weight = self.hyper_params.outside_rl.critic_weight
        loss_module = ActorCriticObjective(self.agents, weight)
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=0.9, lmbda=0.95)
        gae = loss_module.value_estimator
        return loss_module, gae


@register_trainer("outside_loop")
class OutsideLoopTrainer(TensorDictTrainer):
    def train(self):
        with ExitStack() as stack:
            self._build_train_context(stack)
            self._run_train_loop()
        with ExitStack() as stack:
            self._build_test_context(stack)
            self._run_test_loop()

    @attach_progress_bar(lambda self: self.hyper_params.rl.num_iterations)
    def _run_train_loop(self, iteration_context: IterationContext):
        iteration_context.set_description("Training")
        for iteration in range(self.hyper_params.rl.num_iterations):
            self.log(iteration + 1, {"draw": torch.rand(()).item()})
            iteration_context.step()

    @attach_progress_bar(lambda self: self.hyper_params.rl.num_test_iterations)
    def _run_test_loop(self, iteration_context: IterationContext):
        iteration_context.set_description("Testing")
        self.log(self.hyper_params.rl.num_iterations, {"gradients": torch.is_grad_enabled()})
