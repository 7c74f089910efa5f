"""Updates of several runs at once, on their stacked weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torch.optim import Optimizer

from nip.rl_objectives import Objective
from nip.scenario_base.stacking.agents import StackedAgents
from nip.scenario_base.stacking.networks import StackedWeights, stack_modules
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from nip.utils.batch_rows import take_rows

if TYPE_CHECKING:
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

Metrics = dict[str, Tensor]


class StackedLearner:
    """Takes the optimizer steps of several runs together.

    Each step computes the losses of all runs in one pass. The weights of the runs are independent,
    so that the gradient of the sum of their losses holds the gradients of all of them. They are
    clipped for each run, and one optimizer updates the weights of all runs, with the options and
    the state of the optimizer of each.

    Parameters
    ----------
    trainers : sequence of TensorDictRlTrainer
        The trainers of the runs, which have been set up.
    """

    def __init__(self, trainers: Sequence[TensorDictRlTrainer]) -> None:
        self._trainers = list(trainers)
        first = trainers[0]
        self.agents = StackedAgents([each.agents for each in trainers])
        known: dict[nn.Module, nn.Module] = {first.agents: self.agents}
        objective = stack_modules([each.loss_module for each in trainers], known)
        assert isinstance(objective, Objective), objective
        self._objective = objective
        # The agents are a part of the objective.
        self.weights = StackedWeights(objective, [each.loss_module for each in trainers])
        self._agent_of = {
            parameter: index for index, _, agent in self.agents for parameter in agent.parameters()
        }
        self._optimizer = _joint_optimizer([each.learner.optimizer for each in trainers])

    def learn(
        self, frames: Sequence[TensorDictBase], rows: Sequence[Sequence[Tensor]]
    ) -> list[list[Metrics]]:
        """Learn from the minibatches of one iteration.

        Ends before a minibatch whose losses or gradients are not finite in some run, because the
        runs then differ in what they do.

        Parameters
        ----------
        frames : sequence of TensorDictBase
            The frames of each run, (frame,).
        rows : sequence of sequence of Tensor
            For each run the rows, (row,), of all its minibatches.

        Returns
        -------
        metrics : list of list of dict of str to Tensor
            For each run the metrics of its minibatches, as far as it has come.
        """
        _share_state(self._optimizer, [each.learner.optimizer for each in self._trainers])
        self.weights.load()
        train_learning_parts(self.agents)
        changing = [each for each in self._objective.buffers() if each.is_floating_point()]
        joint: TensorDictBase = TensorDict.cat(list(frames))
        index = torch.stack([torch.stack(list(each), dim=0) for each in rows], dim=1)
        starts = torch.arange(len(frames)) * len(frames[0])
        index = index.to(joint.device) + starts.to(joint.device).unsqueeze(-1)
        has_rows = self._has_rows(joint, index)
        steps: list[list[Metrics]] = [[] for _ in frames]
        # All at once: taking rows of each entry costs more calls than time.
        flat = index.flatten()
        taken = take_rows(joint, flat)
        minibatches = taken.unflatten(0, index.shape)
        for minibatch, present in zip(minibatches.unbind(0), has_rows, strict=True):
            before = [each.clone() for each in changing]
            metrics = self._step(minibatch, present)
            if metrics is None:
                # Losses may count what they have seen.
                for buffer, value in zip(changing, before, strict=True):
                    buffer.copy_(value)
                break
            for run, own in enumerate(self._of_runs(metrics, present)):
                steps[run].append(own)
            for trainer in self._trainers:
                trainer.learner.record_step()
        self.weights.store_buffers()
        return steps

    def _step(self, minibatch: TensorDictBase, present: list[list[bool]]) -> Metrics | None:
        """Take one step, and return the metrics of all runs, (run,).

        Parameters
        ----------
        minibatch : TensorDictBase
            The minibatches of all runs, (run, row).
        present : list of list of bool
            For each run and each agent whether it learns from any row.

        Returns
        -------
        metrics : dict of str to Tensor or None
            None if something is not finite. No weights have changed then.
        """
        parameters = self.weights.parameters
        for stacked in parameters:
            stacked.grad = None
        losses = self._objective(minibatch)
        self._objective.backward(losses)
        step = self._trainers[0].learner.update_step
        gradients = [each.grad for each in parameters if each.grad is not None]
        metrics = dict(losses.detach().items())
        metrics["grad_norm"] = scale_to_norm_per_run(gradients, step.max_grad_norm)
        if step.max_grad_value is not None:
            for gradient in gradients:
                gradient.clamp_(-step.max_grad_value, step.max_grad_value)
        checked = [v for n, v in metrics.items() if n.startswith("loss_") or n == "grad_norm"]
        if not all(map(isfinite, torch.cat(checked).tolist())):
            return None
        for stacked, own in parameters.items():
            agent = self._agent_of.get(stacked)
            parts = [None] * len(own) if stacked.grad is None else stacked.grad.unbind()
            for run, (parameter, part) in enumerate(zip(own, parts, strict=True)):
                # An agent without rows has no gradient, which is not the same as one of zeros.
                parameter.grad = part if agent is None or present[run][agent] else None
        self._optimizer.step()
        self.weights.load_parameters()
        return metrics

    def _of_runs(self, metrics: Metrics, present: list[list[bool]]) -> Iterable[Metrics]:
        """Yield the metrics of each run, without those of agents that have no rows in it."""
        of_runs = [dict(zip(metrics, values, strict=True)) for values in _unbound(metrics)]
        for own, has_rows in zip(of_runs, present, strict=True):
            for name, is_present in zip(self.agents.names, has_rows, strict=True):
                if not is_present:
                    own = {key: v for key, v in own.items() if not key.startswith(f"{name}.")}
            yield own

    def _has_rows(self, joint: TensorDictBase, index: Tensor) -> list[list[list[bool]]]:
        """Return for each minibatch, run and agent whether the agent learns from any row."""
        counts = joint["agents", "active"].any(-1)
        if self._trainers[0].needs_values:
            counts = joint["agents", "value_known"]
        return counts[index].any(-2).tolist()


def _unbound(metrics: Metrics) -> Iterable[tuple[Tensor, ...]]:
    return zip(*(values.unbind() for values in metrics.values()), strict=True)


def _joint_optimizer(of_runs: Sequence[Optimizer]) -> Optimizer:
    """Return an optimizer of the parameters of all runs.

    It shares the groups of their optimizers, and thereby learning rates that change.
    """
    kind: Callable[[list[dict[str, Any]]], Optimizer] = type(of_runs[0])
    return kind([group for optimizer in of_runs for group in optimizer.param_groups])


def _share_state(joint: Optimizer, of_runs: Sequence[Optimizer]) -> None:
    """Let an optimizer of all runs work on the states of their own optimizers."""
    for optimizer in of_runs:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                joint.state[parameter] = optimizer.state[parameter]


def scale_to_norm_per_run(gradients: Sequence[Tensor], max_norm: float | None) -> Tensor:
    """Scale the gradients, (run, ...), of each run down to a joint norm.

    Returns
    -------
    norm : Tensor
        The joint norm of each run before, (run,).
    """
    norm = torch.linalg.vector_norm(torch.cat([each.flatten(1) for each in gradients], 1), dim=1)
    if max_norm is not None:
        factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for each in gradients:
            each.mul_(factor.view(-1, *[1] * (each.ndim - 1)))
    return norm
