"""The base of reinforcement learning trainers for agents that are local networks."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.rl_objectives import Objective
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.normalizer_fitting import fit_normalizer
from nip.seeding import stable_seed
from nip.trainers.checkpointing import load_optimizer_tensors, optimizer_tensors
from nip.trainers.optimization import (
    UpdateStep,
    build_adam,
    check_finite,
    train_learning_parts,
)
from nip.trainers.pretraining import pretrain_agents
from nip.trainers.progress import IterationContext, attach_progress_bar
from nip.trainers.rollout_metrics import first_episodes, metric_frames, rollout_metrics
from nip.trainers.trainer_base import TensorDictTrainer, mean_of, shown_metrics

AdvantageEstimator = Callable[[TensorDictBase], TensorDictBase]


class TensorDictRlTrainer(TensorDictTrainer):
    """Collects rollouts and learns from them, again and again, and tests at the end.

    A subclass says what is learnt, in ``_get_loss_module_and_gae``. One iteration is always:
    collect a batch, estimate advantages, update over epochs of minibatches, step the learning
    rate, log, save. Everything random draws from generators which are saved with the checkpoints,
    so that an interrupted run goes on to the very numbers of one that was not.
    """

    @property
    def needs_values(self) -> bool:
        """Whether the critics' estimates are collected along with the rollouts."""
        return True

    @abstractmethod
    def _get_loss_module_and_gae(self) -> tuple[Objective, AdvantageEstimator | None]:
        """Return the loss module and, where advantages are needed, their estimator."""

    def train(self) -> None:
        """Train, test, and keep the results."""
        with ExitStack() as stack:
            self._build_train_context(stack)
            self._set_up()
            stack.callback(self._thaw)
            self.notify("on_train_start")
            stack.callback(self.notify, "on_train_end")
            self._run_train_loop()
        with ExitStack() as stack:
            self._build_test_context(stack)
            self._run_test_loop()

    def _set_up(self) -> None:
        """Build what the loops need, and continue an interrupted run."""
        rl, seed = self.hyper_params.rl, self.hyper_params.seed
        environment = self.scenario_instance.train_environment
        self.loss_module, self.gae = self._get_loss_module_and_gae()
        self.loss_module.to(self.device)
        self.optimizer = build_adam(self.agents, rl.lr)
        self._names = {parameter: name for name, parameter in self.agents.named_parameters()}
        self._learning = {p for p in self._names if p.requires_grad}
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: 1 - done / rl.num_iterations if rl.anneal_lr else 1.0
        )
        if rl.normalize_observations:
            fit_normalizer(
                environment, rl.num_normalization_steps, stable_seed(seed, "normalization")
            )
        self.update_step = UpdateStep(self.loss_module, self.optimizer, rl.max_grad_norm)
        self.collector = RolloutCollector(
            environment,
            self.agents,
            num_steps=self._num_steps,
            seed=stable_seed(seed, "actions", "train"),
            with_values=self.needs_values,
        )
        self._minibatch_generator = torch.Generator().manual_seed(stable_seed(seed, "minibatches"))
        self._first_iteration = self.restore()
        if self._first_iteration == 0 and self.hyper_params.pretrain_agents:
            self._run_pretraining_loop()

    @attach_progress_bar(
        lambda self: self.hyper_params.pretrain_agents * self.hyper_params.solo_agent.num_epochs
    )
    def _run_pretraining_loop(self, iteration_context: IterationContext) -> None:
        """Warm the bodies up, or load them if that was done before."""
        iteration_context.set_description("Pretraining")
        metrics = pretrain_agents(
            self.scenario_instance,
            self.hyper_params,
            self.settings,
            on_epoch=lambda _: iteration_context.step(),
        )
        self.log(0, metrics)

    @attach_progress_bar(lambda self: self.hyper_params.rl.num_iterations)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        """Run the iterations that are not done yet."""
        iteration_context.set_description("Training")
        self._run_iterations(iteration_context, self._first_iteration, self._run_iteration)

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Collect, learn and step the learning rate; return the metrics."""
        self._choose_learners(iteration)
        self.agents.eval()
        batch = self.collector.collect()
        if self.gae is not None:
            self.gae(batch)
        metrics = rollout_metrics(batch, self.scenario_instance.protocol_handler)
        metrics |= self._learn(batch, iteration)
        metrics["learning_rate"] = float(self.lr_scheduler.get_last_lr()[0])
        self.lr_scheduler.step()
        return metrics

    def _learn(self, batch: TensorDict, iteration: int) -> dict[str, float]:
        """Update over epochs of minibatches; return the mean figures, none if nobody learns."""
        if not any(parameter.requires_grad for parameter in self._learning):
            # Nothing moves, but the learning-rate schedule wants its optimizer to go first.
            self.optimizer.step()
            return {}
        train_learning_parts(self.agents)
        figures = mean_of([self.update_step(minibatch) for minibatch in self._minibatches(batch)])
        self.loss_module.finish_iteration()
        check_finite(figures, iteration)
        return figures

    def _thaw(self) -> None:
        """Let all agents learn again that a schedule had frozen."""
        for parameter in self._learning:
            parameter.requires_grad_(True)

    def _choose_learners(self, iteration: int) -> None:
        """Freeze the agents whose update schedule pauses, and thaw the others."""
        for _, _, agent in self.agents:
            schedule = agent.context.params.update_schedule
            is_active = schedule.is_active(iteration)
            for parameter in agent.parameters():
                parameter.requires_grad_(is_active and parameter in self._learning)
                parameter.grad = None

    def _minibatches(self, batch: TensorDict) -> Iterator[TensorDictBase]:
        """Yield minibatches of frames, without replacement in each epoch."""
        rl = self.hyper_params.rl
        frames = batch.exclude("next").reshape(-1)
        for _ in range(rl.num_epochs):
            order = torch.randperm(len(frames), generator=self._minibatch_generator)
            order = order.to(self.device)
            for start in range(0, len(frames) - rl.minibatch_size + 1, rl.minibatch_size):
                yield frames[order[start : start + rl.minibatch_size]]

    @attach_progress_bar(lambda self: self.hyper_params.rl.num_test_iterations)
    def _run_test_loop(self, iteration_context: IterationContext) -> None:
        """Play on the test split and log metrics whose names begin with ``test_``."""
        iteration_context.set_description("Testing")
        rl, seed = self.hyper_params.rl, self.hyper_params.seed
        environment = self.scenario_instance.test_environment
        collector = RolloutCollector(
            environment.fresh_copy(stable_seed(seed, "environment", "test")),
            self.agents,
            num_steps=self._num_steps,
            seed=stable_seed(seed, "actions", "test"),
            greedy=rl.greedy_test,
            with_values=False,
        )
        batches = []
        for _ in range(rl.num_test_iterations):
            batches.append(metric_frames(collector.collect()))
            iteration_context.step()
        protocol = self.scenario_instance.protocol_handler
        metrics = rollout_metrics(first_episodes(torch.cat(batches, dim=1), protocol), protocol)
        metrics = {f"test_{name}": value for name, value in metrics.items()}
        iteration_context.set_metrics(shown_metrics(metrics, prefix="test_"))
        self.log(rl.num_iterations, metrics)
        self.notify("on_evaluation_end")

    @property
    def _num_steps(self) -> int:
        return self.scenario_instance.batch_shape.num_steps

    def _checkpoint_tensors(self) -> dict[str, dict[str, Tensor]]:
        return {
            **super()._checkpoint_tensors(),
            "optimizer": optimizer_tensors(self.optimizer, self._names),
            "rollouts": self.collector.state_dict(),
            "minibatches": {"generator": self._minibatch_generator.get_state()},
            "objective": self.loss_module.state_for_checkpoint(),
        }

    def _load_checkpoint_tensors(self, files: Mapping[str, Mapping[str, Tensor]]) -> None:
        super()._load_checkpoint_tensors(files)
        load_optimizer_tensors(self.optimizer, self._names, files["optimizer"])
        self.collector.load_state_dict(files["rollouts"])
        self._minibatch_generator.set_state(files["minibatches"]["generator"])
        self.loss_module.load_state_from_checkpoint(dict(files.get("objective", {})))

    def _checkpoint_state(self) -> dict[str, Any]:
        scheduler = self.lr_scheduler.state_dict()
        return {
            "lr_scheduler": {k: v for k, v in scheduler.items() if k != "lr_lambdas"},
            "learning_rates": [group["lr"] for group in self.optimizer.param_groups],
        }

    def _load_checkpoint_state(self, state: Mapping[str, Any]) -> None:
        scheduler = self.lr_scheduler.state_dict()
        self.lr_scheduler.load_state_dict({**scheduler, **state["lr_scheduler"]})
        for group, rate in zip(self.optimizer.param_groups, state["learning_rates"], strict=True):
            group["lr"] = rate
