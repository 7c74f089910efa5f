"""Base class of trainers whose agents are language models behind an API."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from nip.errors import ParameterError
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.shared_budget import BudgetShare
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.provider_registry import ConnectionContext
from nip.trainers.core.callback import Event
from nip.trainers.core.context import migrated_trainer_state
from nip.trainers.core.progress import IterationContext, attach_progress_bar
from nip.trainers.core.unsavable_state import explaining_unsavable
from nip.trainers.text.bill import save_bill
from nip.trainers.text.data_order import (
    is_tested,
    reruns_tests,
)
from nip.trainers.text.fine_tuning_manager import FineTuningManager
from nip.trainers.text.first_verifier import (
    asks_first_verifier,
    group_of_verifier,
    judge_with,
    plans_of_judgements,
)
from nip.trainers.text.model_connection import (
    choose_engine_options,
    close_connection,
    open_connection,
)
from nip.trainers.text.pretrained_models import save_pretrained_models
from nip.trainers.text.rerun_tests import Models, copy_endpoint_of_base_run, rerun_tests
from nip.trainers.text.rollout_trainer import TEST_PREFIX, TextRolloutTrainer
from nip.trainers.text.sampling import RolloutSampler
from nip.trainers.text.stage_limits import StageLimits
from nip.trainers.text.state import (
    STAGES,
    STAGES_NOT_STARTED_AFTER_STOP,
    STAGES_OF_LAST_ITERATION,
    STATE_KEY,
    TextTrainerState,
)
from nip.trainers.text.statistics import first_verifier_statistics
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.utils.event_loop import (
    StoppableRunner,
    call_without_event_loop,
    report_no_interrupts,
)
from nip.utils.nested_array_dict import NestedArrayDict
from nip.utils.stop_signals import stop_if_requested

TRAINER_STATE_KEY = "trainer_layer"
"""Key of the trainer's state dict in the stored state of a run; old runs store it flat."""


class PureTextRlTrainer(TextRolloutTrainer):
    """Alternates between sampling rollouts and fine-tuning the models.

    An iteration has five stages: sample rollouts, log statistics, test, create fine-tuning jobs,
    await them. The results of a stage are stored in one transaction with its completion, so that a
    killed run resumes with the stage that it was in. During sampling, every finished message is
    stored, so that no paid call is repeated.

    Subclasses select the training examples in ``_stage_create_fine_tune_jobs``.
    """

    def train(self) -> None:
        """Run all stages of all iterations that are not finished yet."""
        if self.run is None:
            raise ParameterError(
                f"{type(self).__name__} needs a run, in which every paid message is stored, got "
                "None. Use nip.run_experiment, or pass a Run."
            )
        call_without_event_loop(self._train)

    def _train(self) -> None:
        copy_endpoint_of_base_run(self.hyper_params, self.settings, self.run.folder)
        with StoppableRunner() as self._runner:
            self._runner.get_loop().set_exception_handler(report_no_interrupts)
            context = open_connection(
                self.hyper_params, self.settings, self.scenario_instance, self.run.folder
            )
            try:
                self._set_up(context)
                # Stages, rather than steps of the progress bar, end an iteration.
                with self.closing(), self.loops.managed():
                    self.begin()
                    try:
                        self._run_train_loop()
                    finally:
                        save_bill(self.run, self._usage_tracker, self._manager.training_bill)
                    # Only after the last stage, which has counted all answers of the journal.
                    self._usage_tracker.settle()
            finally:
                self._runner.run(close_connection(context))

    def _set_up(self, context: ConnectionContext) -> None:
        """Build the parts that training needs, and restore the state of an earlier process."""
        self.loops.has_restored = True
        shared = self.settings.shared_budget
        self._usage_tracker = usage_tracker = UsageTracker(
            read_prices(self.settings.prices),
            self.settings.max_cost,
            shared_budget=None if shared is None else BudgetShare(Path(shared), self.run.folder),
        )
        models = [agent.model for agent in self.agents.values()]
        options = choose_engine_options(self.settings, models)
        self._sampler = RolloutSampler(
            self.run,
            options,
            context,
            usage_tracker,
            self.settings.response_cache,
            StageLimits(self.settings.max_failed_share, self.settings.max_invalid_share),
        )
        self._stored = StoredRollouts(self.scenario_instance, self.hyper_params, self.run)
        self._manager = FineTuningManager(
            self.hyper_params,
            self.settings,
            self.run,
            context,
            self.shared_model_groups,
            self._stored,
            self._notify_step,
            usage_tracker,
        )
        for group in self.shared_model_groups.values():
            group.service = self._manager
        first = TextTrainerState(models=(self._current_models(),)).to_dict()
        self.state = TextTrainerState.from_dict(self.run.get_state(STATE_KEY, first))
        self._use_models(self.state.models[-1])
        stored = self.run.get_state(TRAINER_STATE_KEY, None)
        if stored is not None:
            self._load_whole_state_dict(migrated_trainer_state(stored))

    def save_pretrained(self, folder: Path | str) -> None:
        """Copy the current model of each model group, which must be local, into a folder."""
        save_pretrained_models(folder, self.scenario_instance.shared_model_groups)

    @attach_progress_bar(lambda self: self.num_rollouts)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        self._progress = iteration_context
        iteration_context.step(self._stored.count())
        if reruns_tests(self.hyper_params):
            rerun_tests(self.run, self.hyper_params, self.settings, self._test_models, self.log)
            return
        while not self._is_over(self.state):
            self._run_stage()
            stop_if_requested()

    def _is_over(self, state: TextTrainerState) -> bool:
        """Tell whether training is finished.

        A stop request takes effect before the next sampling stage or the creation of fine-tuning
        jobs. Statistics and tests of sampled rollouts, and jobs that are already paid for, are
        still completed.
        """
        is_stopped = self.context.stop_reason is not None
        return state.is_done or (is_stopped and state.stage in STAGES_NOT_STARTED_AFTER_STOP)

    @property
    def _num_iterations(self) -> int:
        """Number of iterations: the current one is the last if stopped before its fine-tuning."""
        is_stopped = self.context.stop_reason is not None
        if is_stopped and self.state.stage in STAGES_OF_LAST_ITERATION:
            return self.state.iteration + 1
        return self.hyper_params.rl.num_iterations

    def _test_models(self, models: tuple[Models, ...]) -> dict[str, float]:
        """Test the models of the last iteration; ``models`` has one entry per iteration."""
        self.state = TextTrainerState(models, "test_during_training")
        self._use_models(models[-1])
        iteration = self.context.iteration = self.state.iteration
        self._progress.set_description(f"Iteration {iteration + 1}: test")
        self.notify("on_iteration_start")
        metrics = self._run_test_loop()
        self.notify("on_iteration_end")
        return metrics

    def _run_stage(self) -> None:
        """Run one stage, and store its metrics and the new state in one transaction."""
        iteration = self.context.iteration = self._manager.iteration = self.state.iteration
        if self.state.stage == STAGES[0]:
            self._rollouts = None
            self.notify("on_iteration_start")
        with self.stage(self.state.stage):
            metrics = self._do_stage(self.state.stage)
        with self.run.transaction():
            if metrics:
                self.log(iteration + 1, metrics)
            self.context.rollouts = None
            # `_num_iterations` is read after the stage: if a callback requested a stop during a
            # test, this iteration is the last, and no jobs are created for an unused model.
            state = self.state.after_stage(self._num_iterations, self._current_models())
            if state.is_done or state.iteration > iteration:
                self.check_logged()
                self.notify("on_iteration_end")
            self.run.set_state(STATE_KEY, state.to_dict())
            trainer_state = self._whole_state_dict()
            with explaining_unsavable(self):
                self.run.set_state(TRAINER_STATE_KEY, trainer_state)
        self.state = state
        self.notify("on_checkpoint")

    def _do_stage(self, stage: str) -> Mapping[str, float]:
        """Run a stage, and return its metrics."""
        iteration = self.state.iteration
        self._progress.set_description(f"Iteration {iteration + 1}: {stage.replace('_', ' ')}")
        if stage == "sample_rollouts":
            self._training_rollouts()
        elif stage == "log_stats":
            self.context.rollouts = rollouts = self._training_rollouts()
            return self._report("train", rollouts)
        elif stage == "test_during_training" and is_tested(
            self.hyper_params, iteration, self._num_iterations
        ):
            return self._run_test_loop()
        elif stage == "create_fine_tune_jobs":
            self._stage_create_fine_tune_jobs(self._rollouts_to_learn_from())
            self._runner.run(self._manager.create_pending_jobs())
        elif stage == "await_fine_tune_jobs":
            self._use_models(self._runner.run(self._manager.wait()))
            self._usage_tracker.training_cost = self._manager.cost
        return {}

    @abstractmethod
    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict) -> None:
        """Select training examples, and create a fine-tuning job for each model group.

        Parameters
        ----------
        rollouts : NestedArrayDict
            The rollouts of this iteration, or of all iterations so far with
            ``text_rl.fine_tune_on_all_previous_rollouts``; batch ``(rollout,)``.
        """

    def _run_test_loop(self) -> dict[str, float]:
        """Sample rollouts on the test split, and return their metrics."""
        iteration = self.state.iteration
        self.notify("on_evaluation_start")
        requests = self._requests("test", iteration)
        rollouts = self._sample_rollouts("test", iteration, requests)
        metrics = self._report("test", rollouts) | self._judge_again(rollouts)
        self.context.metrics = metrics
        self.notify("on_evaluation_end")
        return metrics

    def _judge_again(self, rollouts: NestedArrayDict) -> dict[str, float]:
        """Let the verifier of the first iteration judge a test, and return its metrics.

        They are of no influence on the run, so it has no limits of failed or invalid verdicts.
        """
        instance, iteration = self.scenario_instance, self.state.iteration
        if not asks_first_verifier(self.hyper_params, instance):
            return {}
        group, verdicts = group_of_verifier(instance), rollouts
        first = self.state.models[0][group.name]
        if first != group.model_name:
            tested = list(self._stored.each("test", iteration))
            play = judge_with(instance, group.version(first), tested)
            plans = plans_of_judgements(tested, iteration)
            self._runner.run(
                self._sampler.sample(
                    "judged",
                    iteration,
                    plans,
                    play,
                    lambda stats: self._progress.set_metrics(stats.summary()),
                    limits=StageLimits(),
                )
            )
            verdicts = self._stored.load("judged", iteration)
        found = first_verifier_statistics(rollouts, verdicts, self.protocol_handler)
        return {f"{TEST_PREFIX}{name}": value for name, value in found.items()}

    def _current_models(self) -> dict[str, str]:
        return {name: group.model_name for name, group in self.shared_model_groups.items()}

    def _use_models(self, models: Mapping[str, str]) -> None:
        for name, model_name in models.items():
            self.shared_model_groups[name].use_model(model_name)

    def _notify_step(self, event: Event) -> None:
        """Emit the event of a fine-tuning job, which counts as a step."""
        self.context.step += event == "on_step_end"
        self.notify(event)
