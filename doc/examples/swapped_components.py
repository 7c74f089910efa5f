"""Replace parts of a trainer without a subclass."""

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from nip import HyperParameters, run_experiment
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.core.context import TrainingContext
from nip.trainers.trainer_base import TensorDictTrainer


def make_optimizer(groups: list[dict[str, Any]]) -> Optimizer:
    """Build an optimizer that has no name here; each group has its learning rate."""
    return torch.optim.Adamax(groups, betas=(0.9, 0.99))


def make_schedule(optimizer: Optimizer) -> CosineAnnealingWarmRestarts:
    """Decay the learning rate, with a restart every ten iterations."""
    return CosineAnnealingWarmRestarts(optimizer, T_0=10)


def decision_weights(_: TensorDictBase, context: TrainingContext) -> Tensor:
    """Return the sum of squares of the weights of the verifier's decision."""
    weights = dict(context.model.named_parameters())
    return weights["agents.verifier.policy_head.decision.weight"].square().sum()


def evaluate(trainer: TensorDictTrainer, split: str) -> Mapping[str, float]:
    """Sample 400 episodes, and return how often the prover names the mark, if there is one."""
    first = trainer.sample_rollouts(400, seed=1, split=split)[:, 0]
    has_mark = first["y"].squeeze(-1) == 1
    named = first["agents", "position_selected"][:, 0, 0, 0]
    is_named = named == first["secret"].argmax(-1)
    return {"named_marks": float(is_named[has_mark].float().mean())}


class Announcer(Callback):
    """Print the results of evaluations."""

    is_observer = True

    def on_log(self, context: TrainingContext) -> None:
        """Print the result of an evaluation."""
        if "test_named_marks" in context.metrics:
            share = context.metrics["test_named_marks"]
            print(f"iteration {context.metrics_iteration}: names {share:.0%} of the marks")


components = TrainerComponents(
    optimizer=make_optimizer,
    lr_scheduler=make_schedule,
    loss_terms=[(1e-4, decision_weights)],
    evaluate=evaluate,
    callbacks=[Announcer()],
)

if __name__ == "__main__":
    hyper_params = HyperParameters(
        scenario="toy",
        dataset="witness",
        trainer="vanilla_ppo",
        interaction_protocol="adp",
        eval_every=10,
        rl={
            "num_iterations": 40,
            "frames_per_batch": 512,
            "minibatch_size": 256,
            "lr": 0.05,
            "normalize_observations": False,
        },
    )
    run_experiment(hyper_params, run_id="swapped", components=components)
