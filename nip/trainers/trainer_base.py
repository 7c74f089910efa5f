"""Base class of all trainers of networks."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)
from math import ceil
from typing import Any, ClassVar, Literal

import torch
from tensordict import TensorDict, TensorDictBase

from nip.errors import ParameterError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.native.kernels import native_kernels
from nip.parameters import HyperParameters, LrSchedulerParameters
from nip.parameters.specs import why_no_network_plays
from nip.rl_objectives import Objective
from nip.run_store import Run
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.core.own_loops import leaving
from nip.trainers.core.progress import IterationContext, attach_progress_bar
from nip.trainers.core.trainer import Trainer, shown_metrics
from nip.trainers.tensor.checkpointed_trainer import CheckpointedTrainer
from nip.trainers.tensor.learning.data_parallel import seed_parts
from nip.trainers.tensor.learning.loss_terms import (
    LossTerm,
    build_loss_terms,
    term_metric_names,
)
from nip.trainers.tensor.learning.lr_schedules import build_lr_scheduler
from nip.trainers.tensor.learning.minibatches import Minibatches
from nip.trainers.tensor.learning.update_step import NonFiniteLoss
from nip.trainers.tensor.rollout_samples import sample_rollouts
from nip.trainers.tensor.weights.initial_weights import load_agent_checkpoints
from nip.utils.ranks import current_ranks

LEARNER_METRICS = ("grad_norm", "learning_rate")
"""Metrics of every trainer that has a learner."""

__all__ = [
    "IterationContext",
    "TensorDictTrainer",
    "Trainer",
    "attach_progress_bar",
    "shown_metrics",
]


class TensorDictTrainer(CheckpointedTrainer):
    """Base class of trainers whose agents are networks.

    A subclass either implements the methods that ``train`` calls: ``_set_up``, ``_run_iteration``,
    ``_evaluate`` and ``num_train_iterations``. Or it overrides ``train``; its training loop then
    starts at the iteration that ``restore`` returns, and either is run by ``_run_iterations`` or
    calls ``save_checkpoint_if_due``.
    """

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: TensorDictScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        super().__init__(hyper_params, scenario_instance, settings, run)
        self._stack = ExitStack()
        self._minibatches: Minibatches | None = None

    # ---- to be overridden

    is_compilable: ClassVar[bool] = False
    """Whether ``settings.compile`` has an effect."""

    @property
    def num_train_iterations(self) -> int:
        """Number of iterations of the training loop; 0 if ``train`` is overridden."""
        return 0

    def _default_minibatches(self) -> Minibatches | None:
        """Build the component that divides a batch into minibatches, unless it is exchanged.

        Also called before ``_set_up``. None for a trainer without minibatches.
        """
        return None

    @property
    def lr_schedule(self) -> LrSchedulerParameters:
        """Parameters of the learning-rate schedule."""
        return self.hyper_params.lr_scheduler

    def _set_up(self) -> None:
        """Build everything that the loops need, at least the learner."""
        raise NotImplementedError(f"{type(self).__name__} has no _set_up, and no train of its own.")

    @property
    def own_loss_terms(self) -> list[LossTerm]:
        """Terms of the loss that the trainer adds by itself."""
        return []

    def _start_fresh(self) -> None:
        """Prepare a run without a checkpoint, after ``_set_up``."""

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Run the training part of an iteration, given by its index from 0; return its metrics."""
        raise NotImplementedError(f"{type(self).__name__} has no _run_iteration.")

    def _make_objective(self) -> Objective | None:
        """Build the objective of the learner, if there is one; also called before ``_set_up``."""
        return None

    def _evaluation_names(self) -> Collection[str]:
        """Return the names of the metrics of ``_evaluate``; empty if they are the objective's."""
        return ()

    @property
    def num_minibatches(self) -> int:
        """Number of minibatches of an iteration; 1 for a trainer without minibatches."""
        minibatches = self._make_minibatches() if self._minibatches is None else self._minibatches
        return 1 if minibatches is None else len(minibatches)

    @property
    def num_steps_per_iteration(self) -> int:
        """Number of optimizer steps of an iteration."""
        step = self.components.update_step or self.hyper_params.update_step
        return ceil(self.num_minibatches / step.num_accumulation_steps)

    @property
    def num_schedule_intervals(self) -> int:
        """Length of the whole run, in intervals of the learning-rate schedule."""
        by_step = self.lr_schedule.interval == "step"
        return self.num_train_iterations * (self.num_steps_per_iteration if by_step else 1)

    def _make_minibatches(self) -> Minibatches | None:
        make = self.components.minibatches
        return self._default_minibatches() if make is None else make(self)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, nested by name."""
        own = {} if self._minibatches is None else {"minibatches": self._minibatches.state_dict()}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        if self._minibatches is not None:
            self._minibatches.load_state_dict(state["minibatches"])

    def check(self) -> None:
        """Check callbacks and learning-rate schedule; called before anything is written."""
        super().check()
        if self.settings.compile != "off" and not self.is_compilable:
            reason = why_no_network_plays(self.hyper_params)
            reason = reason or f"trainer={self.hyper_params.trainer!r}, which compiles nothing"
            warn_user(f"settings.compile={self.settings.compile!r} has no effect on {reason}.")
        if self.num_train_iterations > 0 and self.components.lr_scheduler is None:
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
            build_lr_scheduler(optimizer, self.lr_schedule, self.num_schedule_intervals)

    # ---- training

    def train(self) -> None:
        """Set up, then run the training loop and the test loop."""
        self.setup()
        with self.closing():
            with leaving(self):
                self._run_train_loop()
            with ExitStack() as stack:
                self._build_test_context(stack)
                self._run_test_loop()

    def setup(self) -> None:
        """Build everything and restore an interrupted run; call ``close`` at the end.

        Afterwards ``train_iteration``, ``train_step`` and ``evaluate`` may be called directly.
        """
        self._stack.close()
        try:
            self._build_train_context(self._stack)
            self._minibatches = self._make_minibatches()
            self._set_up()
            if self.restore() > 0:
                self.begin()
            else:
                self.context.reset()
                load_agent_checkpoints(self.agents, self.settings)
                self.begin()
                self._start_fresh()
            # Initial weights may differ in the last bits on ranks of other machines.
            # Those of objective and loss terms were drawn from the generator of each rank.
            owners = self.learner.owners.values() if self._has_learner else ()
            normalizer = self.scenario_instance.normalizer
            current_ranks().share_weights(self.agents, normalizer, *owners)
        except BaseException:
            with self.closing():
                raise

    def close(self) -> None:
        """Call ``on_train_end`` of the callbacks, and restore the global state of PyTorch."""
        try:
            super().close()
        finally:
            self._stack.close()

    def metric_names(self, logged: Collection[str] | None = None) -> frozenset[str] | None:
        """Return the names of all metrics that may be logged; None if the objective has none."""
        # An objective may draw its weights. After a checkpoint was loaded, that would change the
        # random numbers of the training.
        with self._fork_generators():
            objective, own_terms = self._make_objective(), self.own_loss_terms
        known = None if objective is None else objective.metric_names()
        learnt = logged if known is None else known
        if objective is None or learnt is None:
            return None
        added_terms = build_loss_terms((), self.components.loss_terms)
        # Those of the parameters are not built, because a training has one instance of each.
        terms = term_metric_names(
            [*self.hyper_params.loss_terms, *added_terms, *own_terms], known or ()
        )
        tested = self._evaluation_names() or learnt
        return frozenset(
            {*learnt, *terms, *tested, *(f"test_{name}" for name in tested), *LEARNER_METRICS}
        )

    @property
    def is_done(self) -> bool:
        """Whether all iterations are done, or training was stopped."""
        stopped = self.context.stop_reason is not None
        return stopped or self.context.iteration >= self.num_train_iterations

    def train_iteration(self) -> dict[str, float]:
        """Run the next iteration; return its metrics.

        Events, evaluation, history and checkpoints are handled as in ``train``.
        """
        self._require_learner()
        self.loops.check_number(self.context.iteration)
        return self._complete_iteration(self._run_iteration, self.num_train_iterations)

    def train_step(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Learn from one minibatch, (row,); return its metrics, all detached scalars."""
        self._require_learner()
        return self.learner.step(minibatch)

    def _require_learner(self) -> None:
        if not self._has_learner:
            raise ParameterError(f"{type(self).__name__} has no learner yet. Call setup() first.")

    @attach_progress_bar(lambda self: self.num_train_iterations)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        """Run the remaining iterations."""
        iteration_context.set_description("Training")
        self._run_iterations(iteration_context, self.context.iteration, self._run_iteration)

    @attach_progress_bar(lambda self: self.num_test_batches)
    def _run_test_loop(self, iteration_context: IterationContext) -> None:
        """Evaluate on the test split and log the metrics, unless the last iteration did."""
        iteration_context.set_description("Testing")
        # Without any reported iteration, the loop of ``train`` has another name and logs nothing.
        iteration = self.context.iteration or self.loops.num_unnamed_steps
        if self.loops.evaluated == iteration and iteration > 0:
            iteration_context.step(iteration_context.total)
            return
        with self.stage("test"):
            metrics = self.evaluate("test", on_batch=iteration_context.step)
        iteration_context.set_metrics(shown_metrics(metrics, prefix="test_"))
        self.log(iteration, metrics)

    @property
    def num_test_batches(self) -> int:
        """Number of batches of an evaluation."""
        return min(1, self.num_train_iterations)

    def _run_iterations(
        self,
        iteration_context: IterationContext,
        first: int,
        run_one: Callable[[int], Mapping[str, float]],
    ) -> None:
        """Run the iterations after the ``first`` completed ones, and log and save each of them.

        ``run_one`` takes the index of an iteration, from 0, and returns its metrics.
        """
        self.begin()
        iteration_context.advance(first - iteration_context.first)
        self.context.iteration = first
        while self.context.iteration < iteration_context.total and not self.context.stop_reason:
            metrics = self._complete_iteration(run_one, iteration_context.total)
            iteration_context.set_metrics(shown_metrics(metrics))
            iteration_context.advance()

    def _complete_iteration(
        self, run_one: Callable[[int], Mapping[str, float]], total: int
    ) -> dict[str, float]:
        """Run one iteration with evaluation, logging, callbacks and checkpoint."""
        context, iteration = self.context, self.context.iteration
        self.loops.start_iteration()
        rate = {"learning_rate": self.learner.learning_rate} if self._has_learner else {}
        with self.loops.managed():
            try:
                metrics = {**run_one(iteration), **rate}
            except NonFiniteLoss as error:
                context.stop(str(error))
                context.stage, metrics = "", {}
            if self.evaluation_is_due(iteration + 1):
                with self.stage("test"):
                    metrics |= self.evaluate("test")
                self.loops.evaluated = iteration + 1
            metrics |= self.measure(metrics)
            context.rollouts = None
            self.log(iteration + 1, metrics)
        self.loops.conclude_iteration(total)
        return metrics

    # ---- contexts

    @contextmanager
    def _test_context(self) -> Iterator[None]:
        with ExitStack() as stack:
            self._build_test_context(stack)
            yield

    def _build_train_context(self, stack: ExitStack) -> None:
        """Enter the training context: number of threads, seed, and networks in training mode."""
        self._build_common_context(stack, "train")
        self.agents.train()

    def _build_test_context(self, stack: ExitStack) -> None:
        """Enter the test context: as for training, but evaluation mode and no gradients."""
        self._build_common_context(stack, "test")
        stack.enter_context(self.loops.testing())
        stack.enter_context(torch.no_grad())
        stack.callback(_restore_modes, [(m, m.training) for m in self.agents.modules()])
        self.agents.eval()

    def _build_common_context(self, stack: ExitStack, phase: str) -> None:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(self.settings.num_threads)
        stack.enter_context(native_kernels(self.settings.native_kernels == "auto"))
        # Dropout and noise can only draw from the global generator, so it is seeded here, saved
        # with the checkpoints, and restored at the end.
        stack.enter_context(self._fork_generators())
        own = seed_parts(current_ranks()) if phase == "train" else ()
        torch.manual_seed(stable_seed(self.hyper_params.seed, phase, *own))

    def _fork_generators(self) -> AbstractContextManager:
        """Return a context at whose end PyTorch's global generators are as before."""
        devices = [self.device] if self.device.type == "cuda" else []
        return torch.random.fork_rng(devices=devices)

    def _autocast(self) -> AbstractContextManager:
        """Return a context in which networks compute in the precision of the learner."""
        return self.learner.autocast() if self._has_learner else nullcontext()

    # ---- rollouts

    def sample_rollouts(
        self, num_rollouts: int, seed: int, split: Literal["train", "test"] = "test"
    ) -> TensorDict:
        """Play complete episodes, without an effect on training.

        Parameters
        ----------
        num_rollouts : int
            Number of episodes, ``N``.
        seed : int
            Determines the questions and the random numbers of the actions.
        split : str
            ``train`` or ``test``.

        Returns
        -------
        rollouts : TensorDict
            The entries of the collector, of batch size (N, S); ``mask`` marks the steps that count.
        """
        with ExitStack() as stack:
            self._build_test_context(stack)
            stack.enter_context(self._autocast())
            return sample_rollouts(
                self.scenario_instance, num_rollouts=num_rollouts, seed=seed, split=split
            )


def _restore_modes(modes: Sequence[tuple[torch.nn.Module, bool]]) -> None:
    """Restore training or evaluation mode of modules."""
    for module, is_training in modes:
        module.training = is_training
