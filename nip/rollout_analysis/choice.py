"""Which questions are asked about which dialogues."""

from collections.abc import Iterator
from dataclasses import dataclass

from nip.language_models.chat import ModelSpec
from nip.rollout_analysis.analyser import Analyser
from nip.rollout_analysis.analysis import Analysis
from nip.rollout_analysis.subject import Subject
from nip.rollout_analysis.text_run import Stage, TextRun
from nip.scenario_base.text.rollout import Rollout
from nip.seeding import stable_seed


@dataclass(frozen=True)
class AnalysisChoice:
    """Which questions are asked about which dialogues."""

    analysers: tuple[Analyser, ...]
    """What is asked."""

    model: ModelSpec
    """Who is asked."""

    stages: tuple[Stage, ...]
    """Where the dialogues are."""

    max_rollouts: int | None = None
    """Most dialogues of each stage, drawn at random; None: all."""

    def analyses(self, run: TextRun) -> Iterator[Analysis]:
        """Go through all questions about dialogues that did not fail, in a fixed order."""
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
                        yield Analysis(analyser, subject, self.model, run.hyper_params.seed)

    def _rollouts(self, run: TextRun, stage: Stage) -> Iterator[Rollout]:
        chosen = self._positions(run, stage)
        for rollout in run.stored.each(*stage):
            if rollout.position in chosen and not rollout.is_failed:
                yield rollout

    def _positions(self, run: TextRun, stage: Stage) -> set[int]:
        """Draw dialogues so that those of a smaller number are among those of a larger one."""
        positions = run.database.rollouts.positions(*stage)
        seed = run.hyper_params.seed
        drawn = sorted(positions, key=lambda place: stable_seed(seed, "analysed", *stage, place))
        return set(drawn[: self.max_rollouts])
