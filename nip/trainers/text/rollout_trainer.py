"""Base class of trainers for language models: sampling, statistics and transcripts of rollouts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from nip.experiment_settings import ExperimentSettings
from nip.language_models.engine.stats import EngineStats
from nip.parameters import HyperParameters
from nip.parameters.robustness import ConstantVerifierParameters
from nip.parameters.types import DataType
from nip.run_store import RolloutPhase, Run
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.core.callback_registry import build_callback
from nip.trainers.core.progress import IterationContext
from nip.trainers.core.trainer import Trainer, shown_metrics
from nip.trainers.text.bill import count_dialogues
from nip.trainers.text.data_order import (
    RolloutRequest,
    first_iteration_learnt_from,
    num_rollouts_of_run,
    requests_of_stage,
)
from nip.trainers.text.first_verifier import asks_first_verifier
from nip.trainers.text.sampling import RolloutSampler
from nip.trainers.text.state import TextTrainerState
from nip.trainers.text.statistics import (
    first_verifier_names,
    rollout_statistics,
    statistic_names,
)
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.trainers.text.transcripts import write_transcripts
from nip.utils.event_loop import StoppableRunner
from nip.utils.nested_array_dict import NestedArrayDict, concatenate

TEST_PREFIX = "test_"


class TextRolloutTrainer(Trainer):
    """Samples the rollouts of the current stage, and computes and logs their statistics.

    Subclasses set ``state``, and during training ``_runner``, ``_sampler``, ``_stored`` and
    ``_progress``.
    """

    data: ClassVar[DataType] = "text"

    exchangeable = ("callbacks",)

    scenario_instance: PureTextScenarioInstance
    run: Run
    state: TextTrainerState

    _runner: StoppableRunner
    _sampler: RolloutSampler
    _stored: StoredRollouts
    _progress: IterationContext

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: PureTextScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        super().__init__(hyper_params, scenario_instance, settings, run)
        self.shared_model_groups = scenario_instance.shared_model_groups
        self._rollouts: NestedArrayDict | None = None
        self._watch_verdicts()

    def _watch_verdicts(self) -> None:
        """Add the alarm for constant verdicts, unless the user has given it options or refused it.

        Iterations of language models are few and large, so a single one is enough for an alarm.
        """
        params = self.hyper_params
        alarm = ConstantVerifierParameters(warmup=0, window=1)
        is_given = any(each.name == alarm.name for each in params.callbacks)
        is_forced = params.protocol_common.force_guess is not None
        if params.text_rl.warn_of_constant_verdicts and not is_given and not is_forced:
            self.add_callback(build_callback(alarm))

    @property
    def can_evaluate(self) -> None:
        """None: ``text_rl.test_scheme`` decides when to test."""

    def finish_training(self) -> None:
        """Do nothing: the state is stored with each stage."""

    def metric_names(self, logged: Collection[str] | None = None) -> frozenset[str] | None:
        """Return the names of all statistics; those in ``logged`` if a subclass changes them."""
        names: Collection[str] | None = statistic_names(
            self.protocol_handler, self.scenario_instance.scenario
        )
        if type(self)._get_log_stats is not TextRolloutTrainer._get_log_stats:
            names = logged
        if names is None:
            return None
        tested = set(names)
        if asks_first_verifier(self.hyper_params, self.scenario_instance):
            tested |= first_verifier_names(self.protocol_handler)
        of_tests = (f"{TEST_PREFIX}{name}" for name in tested)
        return frozenset({*names, *of_tests, *self._training_statistic_names()})

    @property
    def num_rollouts(self) -> int:
        """Number of rollouts of all iterations, including tests; a tree counts as one."""
        instance = self.scenario_instance
        return num_rollouts_of_run(
            self.hyper_params, len(instance.train_dataset), len(instance.test_dataset)
        )

    def _sample_rollouts(
        self, phase: RolloutPhase, iteration: int, requests: Sequence[RolloutRequest]
    ) -> NestedArrayDict:
        """Sample rollouts, except those that are already stored, and load all of them.

        Parameters
        ----------
        phase : str
            ``train`` or ``test``, which is also the name of the split.
        iteration : int
            Index of the iteration, from 0.
        requests : sequence of RolloutRequest
            The rollouts to sample.

        Returns
        -------
        rollouts : NestedArrayDict
            In the order of ``requests``, batch ``(rollout,)``; of a tree, all dialogues.
        """
        plans, play = self._stored.plans(phase, iteration, requests), self._stored.player(phase)
        self._runner.run(
            self._sampler.sample(
                phase,
                iteration,
                plans,
                play,
                self._show_progress,
                self._stored.num_positions(phase),
            )
        )
        return self._stored.load(phase, iteration)

    def _get_log_stats(self, rollouts: NestedArrayDict, *, train: bool = True) -> dict[str, float]:
        """Return the metrics of rollouts to log.

        Parameters
        ----------
        rollouts : NestedArrayDict
            The sampled rollouts, batch ``(rollout,)``.
        train : bool
            Whether they are training rollouts; otherwise they are those of a test.
        """
        prefix = "" if train else TEST_PREFIX
        scenario = self.scenario_instance.scenario
        return rollout_statistics(rollouts, self.protocol_handler, prefix, scenario)

    def _training_statistics(self) -> dict[str, float]:
        """Return further metrics of the training rollouts of the current iteration."""
        return {}

    def _training_statistic_names(self) -> frozenset[str]:
        """Return the names of all metrics that ``_training_statistics`` may return."""
        return frozenset()

    def _report(self, phase: RolloutPhase, rollouts: NestedArrayDict) -> dict[str, float]:
        """Write the transcripts of a stage, and return its metrics."""
        text_rl, iteration = self.hyper_params.text_rl, self.state.iteration
        if text_rl.save_transcripts:
            write_transcripts(
                self.run.folder,
                phase,
                iteration + 1,
                self._stored.transcripts(phase, iteration),
                text_rl.transcript_format,
            )
        count_dialogues(self.run, phase, iteration, self._stored.each(phase, iteration))
        metrics = self._get_log_stats(rollouts, train=phase == "train")
        if phase == "train":
            metrics |= self._training_statistics()
        self._progress.set_metrics(shown_metrics(metrics))
        return metrics

    def _training_rollouts(self) -> NestedArrayDict:
        if self._rollouts is None:
            iteration = self.state.iteration
            requests = self._requests("train", iteration)
            self._rollouts = self._sample_rollouts("train", iteration, requests)
        return self._rollouts

    def _rollouts_to_learn_from(self) -> NestedArrayDict:
        """Return the rollouts of all iterations that an agent learns from."""
        rollouts = self._training_rollouts()
        first = min(map(self._first_iteration, self.scenario_instance.agents))
        earlier = [
            self._sample_rollouts("train", iteration, self._requests("train", iteration))
            for iteration in range(first, self.state.iteration)
        ]
        return concatenate([*earlier, rollouts]) if earlier else rollouts

    def _within_window(self, rollouts: NestedArrayDict, agent: str) -> NestedArrayDict:
        """Return those of the rollouts that are from iterations from which an agent learns."""
        return rollouts[rollouts["iteration"] >= self._first_iteration(agent)]

    def _first_iteration(self, agent: str) -> int:
        """Return the first iteration whose rollouts an agent learns from at present."""
        return first_iteration_learnt_from(
            self.hyper_params, self.scenario_instance.agents[agent], self.state.iteration
        )

    def _requests(self, phase: RolloutPhase, iteration: int) -> list[RolloutRequest]:
        num_datapoints = len(self._stored.dataset(phase))
        return requests_of_stage(self.hyper_params, phase, iteration, num_datapoints)

    def _show_progress(self, stats: EngineStats) -> None:
        self._progress.set_metrics(stats.summary())
        self._progress.step()
