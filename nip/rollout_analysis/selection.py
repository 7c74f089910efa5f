"""The questions of an analysis: every chosen analyser, agent and dialogue."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from nip.language_models.chat import ModelSpec, Sampling
from nip.rollout_analysis.analyser import Analyser, ModelAnalyser
from nip.rollout_analysis.analysis import Analysis, model_of
from nip.rollout_analysis.options import AnalysisOptions
from nip.rollout_analysis.registry import analyser_registry
from nip.rollout_analysis.subject import Subject
from nip.rollout_analysis.text_run import Stage, TextRun
from nip.run_store.database.analysis_store import AnalysisStore
from nip.scenario_base.text.rollout import Rollout
from nip.seeding import stable_seed


@dataclass(frozen=True)
class AnalysisSelection:
    """The chosen analysers, and the stages whose dialogues they are applied to."""

    analysers: tuple[Analyser, ...]
    """The analysers."""

    model: ModelSpec
    """The model that answers their questions."""

    stages: tuple[Stage, ...]
    """The stages whose dialogues are analysed."""

    max_rollouts: int | None = None
    """Maximum number of dialogues per stage; None: all."""

    sampling: Sampling = field(default_factory=Sampling)
    """Sampling parameters of all requests, without their seeds."""

    @classmethod
    def of(cls, run: TextRun, options: AnalysisOptions) -> Self:
        """Resolve options for a run.

        Raises ``NipError`` if an analyser is unknown, the model invalid, or no stage has rollouts.
        """
        names = analyser_registry.names() if options.names is None else options.names
        return cls(
            analysers=tuple(analyser_registry[name]() for name in dict.fromkeys(names)),
            model=options.model_spec(),
            stages=tuple(run.stages(options.phases, options.iterations)),
            max_rollouts=options.max_rollouts,
            sampling=options.sampling(),
        )

    @property
    def asks_model(self) -> bool:
        """Whether any of the analysers asks a model."""
        return any(isinstance(analyser, ModelAnalyser) for analyser in self.analysers)

    @property
    def versions(self) -> set[tuple[str, str, str]]:
        """Name, model and prompt digest of each analyser, under which its results are stored."""
        return {(each.name, model_of(each, self.model), each.digest) for each in self.analysers}

    def analyses(self, run: TextRun) -> Iterator[Analysis]:
        """Yield all questions about dialogues that did not fail, in a fixed order."""
        protocol = run.instance.protocol_handler
        for stage in self.stages:
            phase, iteration = stage
            for rollout in self._rollouts(run, stage):
                datapoint = run.stored.dataset(phase)[rollout.datapoint]
                for analyser in self.analysers:
                    for agent in analyser.agents(protocol):
                        subject = Subject(
                            phase, iteration, rollout, datapoint, run.instance.rules, agent
                        )
                        yield Analysis(
                            analyser, subject, self.model, run.hyper_params.seed, self.sampling
                        )

    def missing(self, run: TextRun, store: AnalysisStore | None) -> Iterator[Analysis]:
        """Yield the questions without a stored answer; computed answers are always recomputed."""
        stored = {
            analyser.name: store.places(
                analyser.name, model_of(analyser, self.model), analyser.digest
            )
            for analyser in self.analysers
            if store is not None and isinstance(analyser, ModelAnalyser)
        }
        for analysis in self.analyses(run):
            if analysis.subject.place not in stored.get(analysis.analyser.name, ()):
                yield analysis

    def _rollouts(self, run: TextRun, stage: Stage) -> Iterator[Rollout]:
        chosen, (phase, iteration) = self._positions(run, stage), stage
        for rollout in run.stored.each(phase, iteration - 1):
            if rollout.position in chosen and not rollout.is_failed:
                yield rollout

    def _positions(self, run: TextRun, stage: Stage) -> set[int]:
        """Sample dialogues such that a smaller sample is a subset of a larger one."""
        positions = run.database.rollouts.positions(*stage)
        (phase, iteration), seed = stage, run.hyper_params.seed

        def random_rank(position: int) -> int:
            return stable_seed(seed, "analysed", phase, iteration - 1, position)

        shuffled = sorted(positions, key=random_rank)
        return set(shuffled[: self.max_rollouts])
