"""The base classes of all trainers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, LrSchedulerParameters
from nip.rl_objectives import Objective
from nip.run_store import Run
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.core.progress import IterationContext, attach_progress_bar
from nip.trainers.core.trainer import Trainer, shown_metrics
from nip.trainers.tensor.checkpointed_trainer import CheckpointedTrainer
from nip.trainers.tensor.learning.data_parallel import seed_parts
from nip.trainers.tensor.learning.loss_terms import build_loss_terms, term_figure_names
from nip.trainers.tensor.learning.lr_schedules import build_lr_scheduler
from nip.trainers.tensor.learning.minibatches import Minibatches
from nip.trainers.tensor.learning.update_step import NonFiniteLoss
from nip.trainers.tensor.rollout_samples import sample_rollouts
from nip.trainers.tensor.weights.initial_weights import load_agent_checkpoints
from nip.trainers.tensor.weights.pretrained_agents import save_pretrained
from nip.trainers.tensor.weights.saved_models import load_model, save_model
from nip.utils.ranks import current_ranks

LAYER_METRICS = ("grad_norm", "learning_rate")
"""What is logged of every trainer that has a learner."""

__all__ = [
    "IterationContext",
    "TensorDictTrainer",
    "Trainer",
    "attach_progress_bar",
    "shown_metrics",
]


class TensorDictTrainer(CheckpointedTrainer):
    """Base of trainers whose agents are local networks.

    A subclass either fills in the pieces of ``train``: ``_set_up``, ``_run_iteration``,
    ``_evaluate`` and ``num_train_iterations``. Or it implements ``train`` itself; then its training
    loop begins at the iteration which ``restore`` returns, and is run by ``_run_iterations``, or
    saves with ``save_checkpoint_if_due``.
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
        self._evaluated: int | None = None
        self._minibatches: Minibatches | None = None

    # ---- what a subclass fills in

    @property
    def num_train_iterations(self) -> int:
        """Iterations of the training loop; 0 where ``train`` has loops of its own."""
        return 0

    def _default_minibatches(self) -> Minibatches | None:
        """Return what divides the data of an iteration, unless it is exchanged.

        Called before ``_set_up`` as well. None for a trainer without minibatches.
        """
        return None

    @property
    def lr_schedule(self) -> LrSchedulerParameters:
        """The course of the learning rate."""
        return self.hyper_params.lr_scheduler

    def _set_up(self) -> None:
        """Build what the loops need: at least the learner."""
        raise NotImplementedError(f"{type(self).__name__} has no _set_up, and no train of its own.")

    def _start_fresh(self) -> None:
        """Prepare a run that has no checkpoint yet."""

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Learn; return the metrics of an iteration, counted from 0."""
        raise NotImplementedError(f"{type(self).__name__} has no _run_iteration.")

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Return the metrics of the agents on a split; called in the context of a test."""
        raise ParameterError(
            f"eval_every={self.hyper_params.eval_every} needs a trainer that can evaluate, which "
            f"{type(self).__name__} cannot. Set eval_every=null, or give it an _evaluate."
        )

    def _make_objective(self) -> Objective | None:
        """Build what the learner minimises, if there is one; called before ``_set_up`` as well."""
        return None

    def _evaluation_names(self) -> Collection[str]:
        """Return the names of what ``_evaluate`` may give, unless it is the objective's figures."""
        return ()

    @property
    def num_minibatches(self) -> int:
        """Minibatches of an iteration; 1 without a component that divides its data."""
        minibatches = self._make_minibatches() if self._minibatches is None else self._minibatches
        return 1 if minibatches is None else len(minibatches)

    @property
    def num_steps_per_iteration(self) -> int:
        """Steps of the optimizer in an iteration."""
        step = self.components.update_step or self.hyper_params.update_step
        return ceil(self.num_minibatches / step.num_accumulation_steps)

    @property
    def num_schedule_intervals(self) -> int:
        """Intervals of the whole run, as the schedule of the learning rate counts them."""
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
        """Refuse what can never work; called before anything is written."""
        super().check()
        if self.num_train_iterations > 0 and self.components.lr_scheduler is None:
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
            build_lr_scheduler(optimizer, self.lr_schedule, self.num_schedule_intervals)

    # ---- the life of a training run

    def train(self) -> None:
        """Set up, run the training loop and the test loop, and keep the results."""
        self.setup()
        with self.closing():
            self._run_train_loop()
            with ExitStack() as stack:
                self._build_test_context(stack)
                self._run_test_loop()

    def setup(self) -> None:
        """Build everything, and continue an interrupted run; ``close`` ends what begins here.

        Afterwards ``train_iteration``, ``train_step`` and ``evaluate`` may be called by hand.
        """
        self._stack.close()
        try:
            self._build_train_context(self._stack)
            self._minibatches = self._make_minibatches()
            self._set_up()
            if self.restore() > 0:
                self.begin()
            else:
                self.context.begin_afresh()
                load_agent_checkpoints(self.agents, self.settings)
                self.begin()
                self._start_fresh()
            # Ranks on other machines may have rounded otherwise while they drew first weights.
            current_ranks().share_weights(self.agents, self.scenario_instance.normalizer)
        except BaseException:
            with self.closing():
                raise

    def close(self) -> None:
        """Tell the callbacks that training is over, and leave PyTorch as it was."""
        try:
            super().close()
        finally:
            self._stack.close()

    def metric_names(self, logged: Collection[str] | None = None) -> frozenset[str] | None:
        """Return the names of all metrics that may be logged, if the objective knows its own."""
        objective = self._make_objective()
        known = None if objective is None else objective.figure_names()
        figures = logged if known is None else known
        if objective is None or figures is None:
            return None
        chosen, added = self.hyper_params.loss_terms, self.components.loss_terms
        terms = term_figure_names(build_loss_terms(chosen, added), known or ())
        tested = self._evaluation_names() or figures
        return frozenset(
            {*figures, *terms, *tested, *(f"test_{name}" for name in tested), *LAYER_METRICS}
        )

    @property
    def is_done(self) -> bool:
        """Whether no iteration is left, or somebody has stopped the training."""
        stopped = self.context.stop_reason is not None
        return stopped or self.context.iteration >= self.num_train_iterations

    def train_iteration(self) -> dict[str, float]:
        """Run the next iteration with everything that belongs to it; return its metrics.

        Events, evaluation, history and checkpoint are as in ``train``.
        """
        self._require_learner()
        return self._complete_iteration(self._run_iteration, self.num_train_iterations)

    def train_step(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Learn from one minibatch, (frame,); return its figures, all detached scalars."""
        self._require_learner()
        return self.learner.step(minibatch)

    def _require_learner(self) -> None:
        if not self._has_learner:
            raise ParameterError(
                f"{type(self).__name__} has nothing to learn with yet. Call setup() first."
            )

    def evaluate(
        self, split: str = "test", on_batch: Callable[[], object] = lambda: None
    ) -> dict[str, float]:
        """Evaluate the agents; training goes on afterwards as if nothing had been.

        Parameters
        ----------
        split : str
            ``train`` or ``test``.
        on_batch : callable
            Called after each batch that was played.

        Returns
        -------
        metrics : dict of str to float
            Their names begin with the split.
        """
        if split not in ("train", "test"):
            raise ParameterError(
                f"split must be 'train' or 'test', got {split!r}. Name one of the splits."
            )
        self.notify("on_evaluation_start")
        with ExitStack() as stack:
            self._build_test_context(stack)
            if self.components.evaluate is None:
                metrics = self._evaluate(split, on_batch)
            else:
                metrics = dict(self.components.evaluate(self, split))
        metrics = {f"{split}_{name}": value for name, value in metrics.items()}
        self.context.metrics = metrics
        self.notify("on_evaluation_end")
        return metrics

    @attach_progress_bar(lambda self: self.num_train_iterations)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        """Run the iterations that are not done yet."""
        iteration_context.set_description("Training")
        self._run_iterations(iteration_context, self.context.iteration, self._run_iteration)

    @attach_progress_bar(lambda self: self.num_test_batches)
    def _run_test_loop(self, iteration_context: IterationContext) -> None:
        """Evaluate on the test split, unless the last iteration did, and log the metrics."""
        iteration_context.set_description("Testing")
        iteration = self.context.iteration
        if self._evaluated == iteration and iteration > 0:
            iteration_context.step(iteration_context.total)
            return
        with self.stage("test"):
            metrics = self.evaluate("test", on_batch=iteration_context.step)
        iteration_context.set_metrics(shown_metrics(metrics, prefix="test_"))
        self.log(iteration, metrics)

    @property
    def num_test_batches(self) -> int:
        """Batches of an evaluation."""
        return min(1, self.num_train_iterations)

    def _run_iterations(
        self,
        iteration_context: IterationContext,
        first: int,
        run_one: Callable[[int], Mapping[str, float]],
    ) -> None:
        """Run the iterations that are not done yet, and log and save each.

        Parameters
        ----------
        iteration_context : IterationContext
            The progress bar, which knows how many there are.
        first : int
            Iterations that are done already.
        run_one : callable
            Takes the number of an iteration, counted from 0, and returns its metrics.
        """
        self.begin()
        iteration_context.step(first)
        self.context.iteration = first
        while self.context.iteration < iteration_context.total and not self.context.stop_reason:
            metrics = self._complete_iteration(run_one, iteration_context.total)
            iteration_context.set_metrics(shown_metrics(metrics))
            iteration_context.step()

    def _complete_iteration(
        self, run_one: Callable[[int], Mapping[str, float]], total: int
    ) -> dict[str, float]:
        """Run one iteration, evaluate when it is due, log, tell, and save."""
        context, iteration = self.context, self.context.iteration
        self.notify("on_iteration_start")
        rate = {"learning_rate": self.learner.learning_rate} if self._has_learner else {}
        try:
            metrics = {**run_one(iteration), **rate}
        except NonFiniteLoss as error:
            context.stop(str(error))
            context.stage, metrics = "", {}
        if self._evaluation_is_due(iteration + 1):
            context.wants_evaluation = False
            with self.stage("test"):
                metrics |= self.evaluate("test")
            self._evaluated = iteration + 1
        self.log(iteration + 1, metrics)
        self.check_logged()
        self.notify("on_iteration_end")
        context.iteration = iteration + 1
        self.save_checkpoint_if_due(iteration + 1, total)
        return metrics

    def _evaluation_is_due(self, iterations_done: int) -> bool:
        period = self.hyper_params.eval_every
        is_due = period is not None and iterations_done % period == 0
        (is_wanted,) = current_ranks().any([self.context.wants_evaluation])
        return is_due or is_wanted

    # ---- contexts

    def _build_train_context(self, stack: ExitStack) -> None:
        """Enter what training needs: networks in training mode, threads and seeds of its own."""
        self._build_common_context(stack, "train")
        self.agents.train()

    def _build_test_context(self, stack: ExitStack) -> None:
        """Enter what testing needs: networks in evaluation mode, and no gradients."""
        self._build_common_context(stack, "test")
        stack.enter_context(torch.no_grad())
        stack.callback(_restore_modes, [(m, m.training) for m in self.agents.modules()])
        self.agents.eval()

    def _build_common_context(self, stack: ExitStack, phase: str) -> None:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(self.settings.num_threads)
        # Dropout and noise can only draw from the global generator. It is seeded here, saved with
        # the checkpoints, and handed back as it was.
        devices = [self.device] if self.device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices=devices))
        own = seed_parts(current_ranks()) if phase == "train" else ()
        torch.manual_seed(stable_seed(self.hyper_params.seed, phase, *own))

    def _autocast(self) -> AbstractContextManager:
        """Compute in the precision in which the agents learn."""
        return self.learner.autocast() if self._has_learner else nullcontext()

    # ---- what comes out

    def sample_rollouts(
        self, num_rollouts: int, seed: int, split: Literal["train", "test"] = "test"
    ) -> TensorDict:
        """Play complete episodes for people to look at; nothing else changes.

        Parameters
        ----------
        num_rollouts : int
            Number of episodes, ``N``.
        seed : int
            Decides the questions and the actions, the same for the same agents.
        split : str
            ``train`` or ``test``.

        Returns
        -------
        rollouts : TensorDict
            Of batch size (N, S), as the collector gives them; ``mask`` tells which steps count.
        """
        with ExitStack() as stack:
            self._build_test_context(stack)
            stack.enter_context(self._autocast())
            return sample_rollouts(
                self.scenario_instance, num_rollouts=num_rollouts, seed=seed, split=split
            )

    def save_model(self, folder: Path | str) -> None:
        """Write weights, the scaling of observations and the history into a folder."""
        parts = self.agents, self.scenario_instance.normalizer
        iteration = self.context.iteration
        current_ranks().only_first(lambda: save_model(folder, *parts, self.history, iteration))

    def load_model(self, folder: Path | str, which: int | str | None = None) -> None:
        """Take weights and history from a folder that ``save_model`` wrote, or from a run.

        Parameters
        ----------
        folder : Path or str
            What ``save_model`` wrote, a checkpoint of a run, or the folder of a run.
        which : int or str, optional
            Of a run: ``latest``, ``best`` or an iteration; by default the best if one was marked.

        Raises
        ------
        CheckpointError
            A ``FileNotFoundError``, if there are no such weights, or they are damaged.
        """
        history = load_model(folder, self.agents, self.scenario_instance.normalizer, which)
        self.history.replace(history)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder for each agent, in the layout of the Hugging Face hub.

        ``nip.pretrained.load_pretrained`` builds an agent from its folder.
        """
        parts = self.agents, self.scenario_instance.normalizer, self.hyper_params
        current_ranks().only_first(lambda: save_pretrained(folder, *parts))


def _restore_modes(modes: Sequence[tuple[torch.nn.Module, bool]]) -> None:
    """Put modules back into training or evaluation mode."""
    for module, is_training in modes:
        module.training = is_training


def mean_of(figures: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Average figures of several steps; one transfer to the host for all of them."""
    if not figures:
        return {}
    names = sorted({name for step in figures for name in step.keys()})
    means = torch.stack(
        [
            torch.stack([step[name] for step in figures if name in step.keys()]).mean()
            for name in names
        ]
    )
    return dict(zip(names, means.tolist(), strict=True))
