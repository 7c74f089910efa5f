"""Base class of reinforcement learning trainers for agents that are networks."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nip.errors import ParameterError
from nip.parameters import LrSchedulerParameters
from nip.rl_objectives import Objective
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.combined_agents import NESTED_KEYS
from nip.scenario_base.compilation import Compilation
from nip.scenario_base.normalization import fit_normalizer
from nip.seeding import stable_seed
from nip.trainers.core.progress import IterationContext, attach_progress_bar
from nip.trainers.tensor.learning.agent_freezing import choose_learners, train_learning_parts
from nip.trainers.tensor.learning.data_parallel import joint_batch
from nip.trainers.tensor.learning.imitation_term import imitation_terms
from nip.trainers.tensor.learning.learner_building import (
    build_learner,
    build_update_step,
    check_compilation,
)
from nip.trainers.tensor.learning.loss_checks import check_loss_pair, estimate_advantages
from nip.trainers.tensor.learning.loss_terms import LossTerm
from nip.trainers.tensor.learning.metric_means import mean_over_steps
from nip.trainers.tensor.learning.minibatches import Minibatches, ShuffledMinibatches
from nip.trainers.tensor.learning.update_step import NonFiniteLoss
from nip.trainers.tensor.message_regression.regression import (
    METRICS,
    MessageRegression,
    agents_to_read,
)
from nip.trainers.tensor.opponents.collector import PooledCollector
from nip.trainers.tensor.opponents.metrics import POOL_METRICS, pool_metrics, without_opponents
from nip.trainers.tensor.opponents.pool import OpponentPool
from nip.trainers.tensor.pretraining import pretrain_agents
from nip.trainers.tensor.rollout_collection import (
    num_evaluation_batches,
    play_for_evaluation,
    training_collector,
)
from nip.trainers.tensor.rollout_metrics import (
    first_episodes,
    metric_frames,
    rollout_metric_names,
    rollout_metrics,
)
from nip.trainers.trainer_base import TensorDictTrainer
from nip.utils.ranks import current_ranks

if TYPE_CHECKING:
    from nip.trainers.tensor.parallel_seeds.seed_group import SeedGroup

AdvantageEstimator = Callable[[TensorDictBase], TensorDictBase]

ADAM_EPS = 1e-5
"""Adam's epsilon, as is usual in policy optimisation."""


class TensorDictRlTrainer(TensorDictTrainer):
    """Collects rollouts and learns from them in each iteration, and tests at the end.

    A subclass defines the loss in ``_get_loss_module_and_gae``. Each iteration collects a batch,
    estimates advantages, updates over epochs of minibatches, steps the learning-rate schedule,
    evaluates if it is due, logs and saves. All random numbers come from generators that are saved
    with the checkpoints, so that a resumed run gives the same numbers as an uninterrupted one.
    """

    is_compilable = True

    why_seeds_train_alone: ClassVar[str | None] = None
    """Why ``num_parallel_seeds`` cannot train several seeds together; None if it can."""

    seed_group: "SeedGroup | None" = None
    """Runs with other seeds that train together with this one; None if it trains alone."""

    @property
    def needs_values(self) -> bool:
        """Whether the values of the critics are collected with the rollouts."""
        return True

    @abstractmethod
    def _get_loss_module_and_gae(self) -> tuple[Objective, AdvantageEstimator | None]:
        """Return the loss module and, if advantages are needed, their estimator."""

    @property
    def num_train_iterations(self) -> int:
        """Number of iterations of the training loop."""
        return self.hyper_params.rl.num_iterations

    def _default_minibatches(self) -> Minibatches:
        rl = self.hyper_params.rl
        return ShuffledMinibatches(
            rl.minibatch_size,
            stable_seed(self.hyper_params.seed, "minibatches"),
            num_frames=self.scenario_instance.batch_shape.num_frames,
            num_epochs=rl.num_epochs,
        )

    @property
    def lr_schedule(self) -> LrSchedulerParameters:
        """Parameters of the learning-rate schedule; ``rl.anneal_lr`` stands for a linear one."""
        anneals = self.hyper_params.rl.anneal_lr
        return LrSchedulerParameters(name="linear") if anneals else super().lr_schedule

    @property
    def num_test_batches(self) -> int:
        """Number of batches of an evaluation."""
        return num_evaluation_batches(self.scenario_instance, self.hyper_params)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer of all agents."""
        return self.learner.optimizer

    @property
    def lr_scheduler(self) -> LRScheduler | None:
        """The learning-rate scheduler."""
        return self.learner.lr_scheduler

    def _set_up(self) -> None:
        """Build loss, learner and collector."""
        rl, seed = self.hyper_params.rl, self.hyper_params.seed
        environment = self.scenario_instance.train_environment
        self.loss_module, self.gae = self._make_loss()
        self.loss_module.to(self.device)
        self.learner = build_learner(
            self,
            self.loss_module,
            learning_rate=rl.lr,
            max_grad_norm=rl.max_grad_norm,
            eps=ADAM_EPS,
            compilation=Compilation.of(self.settings.compile),
        )
        self._stack.callback(self._unfreeze)
        if rl.normalize_observations:
            fit_normalizer(
                environment, rl.num_normalization_steps, stable_seed(seed, "normalization")
            )
        self.collector = (self.components.data or self._make_collector)(self)

    @staticmethod
    def _make_collector(trainer: "TensorDictRlTrainer") -> RolloutCollector:
        return training_collector(
            trainer.scenario_instance,
            trainer.hyper_params,
            with_values=trainer.needs_values,
            pool=trainer.opponent_pool,
            compilation=Compilation.of(trainer.settings.compile),
        )

    @cached_property
    def opponent_pool(self) -> OpponentPool | None:
        """Past versions of agents that play some of the episodes; None if there are none."""
        params = self.hyper_params.opponent_pool
        return OpponentPool(self.agents, params) if params.agents else None

    @cached_property
    def message_regression(self) -> MessageRegression | None:
        """The networks that measure what messages reveal; None if there are none."""
        if not self.hyper_params.message_regression.enabled:
            return None
        return MessageRegression(self.hyper_params, self.scenario_instance)

    def check(self) -> None:
        """Refuse what cannot work here; called before anything is written."""
        super().check()
        _ = self.message_regression
        params, compilation = self.hyper_params, Compilation.of(self.settings.compile)
        if compilation is not None:
            step = self.components.update_step or build_update_step(params, params.rl.max_grad_norm)
            check_compilation(compilation, step)
        if params.opponent_pool.agents and self.components.data is not None:
            raise ParameterError(
                "opponent_pool.agents needs the built-in collector of batches, but the component "
                "data replaces it. Leave out one of them."
            )

    @property
    def own_loss_terms(self) -> list[LossTerm]:
        """The term of rewards that depend on probabilities, if the protocol has such rewards."""
        return imitation_terms(self.scenario_instance.train_environment.imitations)

    def _make_loss(self) -> tuple[Objective, AdvantageEstimator | None]:
        make = self.components.loss
        if make is None:
            source = f"{type(self).__name__}._get_loss_module_and_gae"
            return check_loss_pair(self._get_loss_module_and_gae(), source)
        return check_loss_pair(make(self), "The component loss")

    def _make_objective(self) -> Objective:
        # Building it again would draw random numbers, if the loss has weights of its own.
        return self.loss_module if self._has_learner else self._make_loss()[0]

    def _start_fresh(self) -> None:
        if self.hyper_params.pretrain_agents:
            self._run_pretraining_loop()

    @attach_progress_bar(
        lambda self: self.hyper_params.pretrain_agents * self.hyper_params.solo_agent.num_epochs
    )
    def _run_pretraining_loop(self, iteration_context: IterationContext) -> None:
        """Pretrain the bodies, or load them from the cache."""
        iteration_context.set_description("Pretraining")
        metrics = pretrain_agents(
            self.scenario_instance,
            self.hyper_params,
            self.settings,
            on_epoch=lambda _: iteration_context.step(),
        )
        self.log(0, metrics)

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Collect a batch and learn from it; return the metrics."""
        self.loops.check_number(iteration)
        choose_learners(self.agents, iteration, self.learner.learning)
        with self.stage("sample"):
            batch = self.collect_batch()
        metrics = self._rollout_metrics(joint_batch(metric_frames(batch), current_ranks()))
        with self.stage("update"):
            metrics |= self._learn(batch)
        self._take_snapshots(iteration + 1)
        return metrics

    def _rollout_metrics(self, frames: TensorDictBase) -> dict[str, float]:
        """Return the metrics of the present agents, and those of episodes against past ones."""
        metrics: dict[str, float] = {}
        if self.opponent_pool is not None:
            self.opponent_pool.record(frames)
            metrics |= pool_metrics(frames, self.opponent_pool)
            frames = without_opponents(frames)
        self.context.rollouts = frames
        if frames.numel() > 0:
            metrics |= rollout_metrics(frames, self.scenario_instance.protocol_handler)
        return metrics

    def _take_snapshots(self, num_iterations: int) -> None:
        if self.opponent_pool is not None:
            assert isinstance(self.collector, PooledCollector), self.collector
            self.opponent_pool.take(num_iterations, self.collector.in_use())

    def metric_names(self, logged: Collection[str] | None = None) -> frozenset[str] | None:
        """Return the names of all metrics that may be logged; None if they are not known."""
        known = super().metric_names(logged)
        return known if known is None or self.opponent_pool is None else known | {*POOL_METRICS}

    def collect_batch(self) -> TensorDict:
        """Collect one batch with the present agents; return it with advantages, (B, S)."""
        if self.seed_group is not None:
            return self.seed_group.collect_batch(self)
        return self.collect_alone()

    def collect_alone(self) -> TensorDict:
        """Collect one batch, not together with other runs; return it with advantages, (B, S)."""
        self.agents.eval()
        with self._autocast():
            batch = self.collector.collect()
        return batch if self.gae is None else estimate_advantages(self.gae, batch)

    def _learn(self, batch: TensorDict) -> dict[str, float]:
        """Update over epochs of minibatches; return the mean metrics, empty if no agent learns."""
        metrics = []
        if any(parameter.requires_grad for parameter in self.learner.learning):
            train_learning_parts(self.agents)
            try:
                metrics = self._take_steps(batch)
            except NonFiniteLoss as error:
                self.context.stop(str(error))
        self.learner.finish_iteration()
        return mean_over_steps(metrics)

    def _take_steps(self, batch: TensorDict) -> list[Mapping[str, Tensor]]:
        """Learn from all minibatches of a batch; return the metrics of each."""
        if self.seed_group is not None:
            return self.seed_group.take_steps(self, batch)
        return [self.train_step(minibatch) for minibatch in self.minibatches(batch)]

    @property
    def own_minibatches(self) -> Minibatches:
        """The component that divides a batch into minibatches."""
        assert self._minibatches is not None, "setup() builds them"
        return self._minibatches

    def minibatches(self, batch: TensorDict) -> Iterator[TensorDictBase]:
        """Yield minibatches of frames, (frame,), over all epochs.

        They have all observations, some of which the batch only holds in a shorter form.
        """
        minibatches = self.own_minibatches
        for epoch in range(minibatches.num_epochs):
            self.context.epoch = epoch
            for minibatch in minibatches.of(batch):
                yield self.complete_frames(minibatch)
            self.learner.finish_epoch()

    def train_step(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Learn from one minibatch of frames, (frame,); return its metrics, detached scalars."""
        return super().train_step(self.complete_frames(minibatch))

    def complete_frames(self, frames: TensorDictBase) -> TensorDictBase:
        """Restore the observations of training frames that a batch holds in a shorter form."""
        if "message_history" in frames.keys() and "x" not in frames.keys():
            kept = {name: frames[name] for name in frames.keys() if name not in NESTED_KEYS}
            for name, value in self.scenario_instance.train_environment.restored(kept).items():
                frames[name] = value
        return frames

    def _unfreeze(self) -> None:
        """Unfreeze the agents that an update schedule has frozen."""
        for parameter in self.learner.learning:
            parameter.requires_grad_(True)

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Play on a split, with the same questions and random numbers each time."""
        instance = self.scenario_instance
        with self._autocast():
            frames = play_for_evaluation(instance, self.hyper_params, split, on_batch)
        protocol = instance.protocol_handler
        episodes = first_episodes(frames, protocol)
        regression = self.message_regression
        revealed = {} if regression is None else regression.metrics(episodes, split)
        return {**rollout_metrics(episodes, protocol), **revealed}

    def _evaluation_names(self) -> Collection[str]:
        names = rollout_metric_names(self.scenario_instance.protocol_handler)
        if not self.hyper_params.message_regression.enabled:
            return names
        agents = agents_to_read(self.hyper_params, self.scenario_instance)
        return names | {f"{agent}.{metric}" for agent in agents for metric in METRICS}

    @property
    def _keeps_probes(self) -> bool:
        """Whether an evaluation starts from the networks of the last one."""
        params = self.hyper_params.message_regression
        return params.enabled and not params.reset_on_fit

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, nested by name."""
        state = {**super().state_dict(), "collector": self.collector.state_dict()}
        if self.opponent_pool is not None:
            state["opponent_pool"] = self.opponent_pool.state_dict()
        if self._keeps_probes and self.message_regression is not None:
            state["message_regression"] = self.message_regression.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        self.collector.load_state_dict(state["collector"])
        if self.opponent_pool is not None:
            self.opponent_pool.load_state_dict(state["opponent_pool"])
        if self._keeps_probes and self.message_regression is not None:
            self.message_regression.load_state_dict(state["message_regression"])
