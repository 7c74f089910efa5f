"""A trainer whose objective owns parameters, and losses that cannot be learnt from."""

import torch
from tensordict import TensorDict
from torch import nn
from torch.nn import functional as F
from torchrl.objectives import ValueEstimators

from nip.rl_objectives import Objective
from nip.trainers.registry import trainer_registry
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer


class ProbingObjective(Objective):
    """The score weighed by the advantage, and a probe that predicts the label from decisions."""

    def __init__(self, agents):
        super().__init__(agents)
        self.probe = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, tensordict):
        losses = {"loss_objective": torch.zeros(()), "loss_probe": torch.zeros(())}
        for frames in self.learning_frames(tensordict, with_critic=True):
            score = frames.log_prob() * frames.take("advantage")
            losses["loss_objective"] = losses["loss_objective"] - frames.policy_mean(score)
            logits = frames.output.decision_logits
            if logits is not None and len(logits) > 1:
                y = tensordict["y"].squeeze(-1)[frames.rows]
                guess = self.probe(self.scale * logits)
                loss = F.cross_entropy(guess, y, reduction="none")
                losses["loss_probe"] = losses["loss_probe"] + frames.value_mean(loss)
        return TensorDict(losses)


class ProbingTrainer(TensorDictRlTrainer):
    def _get_loss_module_and_gae(self):
        loss_module = ProbingObjective(self.agents)
        rl = self.hyper_params.rl
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda)
        return loss_module, loss_module.value_estimator


def trainer_with(forward, *, estimator="made", base=TensorDictRlTrainer):
    """Return a trainer whose loss is a function of the frames, one agent at a time."""

    class GivenObjective(Objective):
        def forward(self, tensordict):
            return forward(self, tensordict)

    class GivenTrainer(base):
        def _get_loss_module_and_gae(self):
            loss_module = GivenObjective(self.agents)
            if estimator == "made":
                loss_module.make_value_estimator(ValueEstimators.GAE, gamma=0.9, lmbda=0.9)
            return loss_module, None if estimator == "none" else loss_module.value_estimator

    return GivenTrainer


def register(name, trainer):
    """Register a trainer for a test; call the result to forget it."""
    from nip.parameters import trainer_specs
    from nip.trainers.registry import register_trainer

    register_trainer(name)(trainer)

    def forget():
        trainer_registry.unregister(name)
        trainer_specs.unregister(name)

    return forget
