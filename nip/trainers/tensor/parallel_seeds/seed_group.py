"""The runs of several seeds that train together in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.experiment_settings import ExperimentSettings
from nip.scenario_base.stacking.collector import StackedCollector
from nip.trainers.core.checkpoint_clock import JointCheckpointClock
from nip.trainers.tensor.learning.loss_checks import estimate_advantages
from nip.trainers.tensor.learning.minibatches import ShuffledMinibatches
from nip.trainers.tensor.parallel_seeds.stacked_learner import StackedLearner
from nip.utils.batch_rows import take_rows
from nip.utils.lockstep import Lockstep

if TYPE_CHECKING:
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

SAMPLING, LEARNING = 0, 1
"""Order of the parts of an iteration in which the runs meet."""

NUM_KEPT = 2
"""Number of sets of runs whose stacked networks are kept."""


class SeedGroup:
    """Lets trainers that differ in their seeds only collect and learn together.

    Each trainer runs as if it were alone, in a task of its own: with its callbacks, evaluations,
    metrics and checkpoints. Twice in an iteration the trainers meet: all batches are collected
    together, and then all take their optimizer steps together. A trainer that is behind, because
    its run was resumed from an earlier checkpoint, first catches up by itself.

    Parameters
    ----------
    settings : ExperimentSettings
        The settings of all runs.
    """

    def __init__(self, settings: ExperimentSettings) -> None:
        # Each run has PyTorch's global generator for itself: its checkpoints hold the state.
        self._lockstep = Lockstep(torch.get_rng_state, torch.set_rng_state)
        self._clock = JointCheckpointClock(settings.checkpoint_period, settings.permanent_every)
        self._learners: dict[tuple[TensorDictRlTrainer, ...], StackedLearner] = {}
        self._collectors: dict[StackedLearner, StackedCollector] = {}

    def run(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run tasks that each train one trainer; return the result or the exception of each."""
        return self._lockstep.run(tasks)

    def join(self, trainer: TensorDictRlTrainer) -> None:
        """Let a trainer work with those that join too; called before its training."""
        trainer.seed_group = self
        trainer.use_clock(self._clock)

    # ---- called within the tasks

    def collect_batch(self, trainer: TensorDictRlTrainer) -> TensorDict:
        """Collect a batch of a trainer, (B, S), with advantages."""
        order = (trainer.context.iteration, SAMPLING)
        return self._lockstep.meet(self._collect, trainer, order)

    def take_steps(
        self, trainer: TensorDictRlTrainer, batch: TensorDict
    ) -> list[Mapping[str, Tensor]]:
        """Learn from all minibatches of a batch; return the metrics of each."""
        minibatches = trainer.own_minibatches
        assert isinstance(minibatches, ShuffledMinibatches), minibatches
        frames = trainer.complete_frames(batch.exclude("next").reshape(-1))
        epochs = [minibatches.draw(len(frames)) for _ in range(minibatches.num_epochs)]
        rows = [each.to(frames.device) for epoch in epochs for each in epoch]
        trainer.context.epoch = minibatches.num_epochs - 1
        steps: list[Mapping[str, Tensor]] = []
        if trainer.context.step == 0 and rows:
            # By itself: the learner checks losses and gradients of the first step, and the
            # optimizer makes its moments.
            steps.append(trainer.train_step(take_rows(frames, rows[0])))
        request = _Learning(trainer, frames, rows[len(steps) :])
        order = (trainer.context.iteration, LEARNING)
        steps += self._lockstep.meet(self._learn, request, order)
        return steps + [trainer.train_step(take_rows(frames, each)) for each in rows[len(steps) :]]

    # ---- called outside, for all trainers that have met

    def _collect(self, trainers: Sequence[TensorDictRlTrainer]) -> list[TensorDict]:
        if len(trainers) == 1:
            return [trainers[0].collect_alone()]
        learner = self._learner_of(trainers)
        if learner not in self._collectors:
            own = [trainer.collector for trainer in trainers]
            self._collectors[learner] = StackedCollector(own, learner.agents)
        learner.weights.load()
        learner.agents.eval()
        batch = self._collectors[learner].collect()
        gae = trainers[0].gae
        batch = batch if gae is None else estimate_advantages(gae, batch)
        return list(batch.split(len(batch) // len(trainers)))

    def _learn(self, requests: Sequence[_Learning]) -> list[list[Mapping[str, Tensor]]]:
        """Take the steps of all runs; those of a run that none is like are left to the run."""
        alike: list[list[int]] = []
        kinds: list[Any] = []
        for number, request in enumerate(requests):
            kind = request.kind()
            if kind not in kinds:
                kinds.append(kind)
                alike.append([])
            alike[kinds.index(kind)].append(number)
        results: list[list[Mapping[str, Tensor]]] = [[] for _ in requests]
        for numbers in alike:
            if len(numbers) == 1 or not requests[numbers[0]].rows:
                continue
            together = [requests[number] for number in numbers]
            learner = self._learner_of([each.trainer for each in together])
            steps = learner.learn([each.frames for each in together], [r.rows for r in together])
            for number, own in zip(numbers, steps, strict=True):
                results[number] = list(own)
        return results

    def _learner_of(self, trainers: Sequence[TensorDictRlTrainer]) -> StackedLearner:
        key = tuple(trainers)
        if key not in self._learners:
            # Sets of runs change when a run stops, so that old ones do not come back.
            while len(self._learners) >= NUM_KEPT:
                old = self._learners.pop(next(iter(self._learners)))
                self._collectors.pop(old, None)
            self._learners[key] = StackedLearner(trainers)
        return self._learners[key]


@dataclass(frozen=True, eq=False)
class _Learning:
    """What a run is to learn from in an iteration."""

    trainer: TensorDictRlTrainer
    frames: TensorDictBase
    rows: list[Tensor]

    def kind(self) -> Any:
        """Return what must be equal in runs that take steps together."""
        is_learning = [each.requires_grad for each in self.trainer.agents.parameters()]
        return len(self.rows), is_learning
