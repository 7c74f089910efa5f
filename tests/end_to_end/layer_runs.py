"""Small experiments with exchanged components, and callbacks that record every step."""

from typing import Any

import torch
from torch import Tensor

from nip.parameters import HyperParameters
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_trainer

TRAINERS = ("vanilla_ppo", "reinforce", "solo_agent")
"""Every trainer of networks."""


def params_for(trainer: str, **changes: Any) -> HyperParameters:
    """Return two iterations of one epoch for any trainer, with minibatches of four.

    ``num_iterations``, ``lr`` and ``max_grad_norm`` are those of the trainer, wherever it has them.
    """
    num_iterations = changes.pop("num_iterations", 2)
    rl = {"num_iterations": num_iterations, "num_epochs": 1, **changes.pop("rl", {})}
    solo = {"num_epochs": num_iterations, "batch_size": 4, **changes.pop("solo_agent", {})}
    for name, name_in_solo in (("lr", "learning_rate"), ("max_grad_norm", "max_grad_norm")):
        if name in changes:
            rl[name] = solo[name_in_solo] = changes.pop(name)
    return make_params(trainer=trainer, rl=rl, solo_agent=solo, **changes)


def train(hyper_params: HyperParameters, *callbacks: Callback, **components: Any) -> Any:
    """Train with exchanged components without storing a run; return the trainer."""
    trainer = make_trainer(hyper_params)
    trainer.use(TrainerComponents(callbacks=callbacks, **components))
    trainer.train()
    return trainer


def weights(trainer: Any) -> dict[str, Tensor]:
    """Copy all parameters and buffers."""
    return {name: value.clone() for name, value in trainer.agents.state_dict().items()}


class Steps(Callback):
    """Records gradient norms and learning rates before each optimizer step."""

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.rates: list[list[float]] = []
        self.iterations: list[int] = []

    def on_train_start(self, context: Any) -> None:
        """Register a hook that runs before each optimizer step."""
        self._context = context
        context.optimizer.register_step_pre_hook(self._note)

    def _note(self, optimizer: Any, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if all(p.grad is None for p in parameters):
            return
        squares = [p.grad.double().square().sum() for p in parameters if p.grad is not None]
        self.norms.append(float(torch.stack(squares).sum().sqrt()))
        self.rates.append([group["lr"] for group in optimizer.param_groups])
        self.iterations.append(self._context.iteration)


class ScriptedMetric:
    """An evaluation that returns given values in turn."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self, trainer: Any, split: str) -> dict[str, float]:
        """Return the next value; at the end, repeat the last one."""
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        return {"mean_accuracy": value}
