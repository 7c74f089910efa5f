"""One question about one dialogue, and how it is answered."""

from dataclasses import dataclass, field, replace

import numpy as np

from nip.errors import ParameterError, shown
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.engine.call import Call
from nip.language_models.engine.engine import Engine
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.rollout_analysis.analyser import Analyser, ComputedAnalyser, ModelAnalyser
from nip.rollout_analysis.subject import Subject
from nip.run_store.database.analysis_store import AnalysisRow, Finding
from nip.seeding import stable_seed

NUM_ATTEMPTS = 4
"""Attempts to get a readable answer before it counts as unknown."""

NUM_SEEDS = 2**31
UNREADABLE = (
    "Your answer could not be read. End with a line that is exactly `Answer: yes` or `Answer: no`."
)
"""Message to a model whose answer could not be read."""


@dataclass(frozen=True)
class Analysis:
    """The question of one analyser about one agent in one dialogue."""

    analyser: Analyser
    """The analyser."""

    subject: Subject
    """The dialogue and the agent."""

    model: ModelSpec
    """The model that is asked, if the analyser asks one."""

    seed: int
    """Seed of the run."""

    sampling: Sampling = field(default_factory=Sampling)
    """Sampling parameters of all requests, without their seeds."""

    @property
    def needs_model(self) -> bool:
        """Whether the question is answered by calls of a model."""
        return isinstance(self.analyser, ModelAnalyser) and self.analyser.applies(self.subject)

    @property
    def key(self) -> str:
        """Key prefix of its calls in the journal."""
        subject = self.subject
        asked = f"{self.model.provider}:{self.model.model_name}/{self.analyser.digest}"
        phase, iteration, position, agent = subject.place
        # From 0, as in the journals of earlier versions of nip.
        place = f"{phase}/{iteration - 1}/{position}/{agent}"
        return f"{self.analyser.name}/{asked}/{place}"

    async def answer(self, engine: Engine) -> AnalysisRow:
        """Answer the question; raise ``LanguageModelError`` if a later attempt may succeed."""
        if not self.analyser.applies(self.subject):
            return self._row("not_applicable")
        if isinstance(self.analyser, ComputedAnalyser):
            return self._row(
                _finding(self.analyser, "compute", self.analyser.compute(self.subject))
            )
        if not isinstance(self.analyser, ModelAnalyser):
            raise ParameterError(
                f"The analyser {self.analyser.name!r} must be a ModelAnalyser or a "
                f"ComputedAnalyser, got {type(self.analyser).__name__}. Derive it from one of them."
            )
        return await self._ask(self.analyser, engine)

    async def _ask(self, analyser: ModelAnalyser, engine: Engine) -> AnalysisRow:
        """Ask the model until its answer can be read, at most ``NUM_ATTEMPTS`` times."""
        messages = analyser.conversation(self.subject)
        text = ""
        for attempt in range(NUM_ATTEMPTS):
            try:
                completion = await self._call(engine, messages, attempt)
            except LanguageModelError as error:
                if error.policy is not ErrorPolicy.END_CALL:
                    raise
                return self._row("unknown", f"{type(error).__name__}: {error}", attempt)
            text = completion.text
            is_yes = analyser.read(text)
            if is_yes is not None:
                return self._row(_finding(analyser, "read", is_yes), text, attempt)
            messages = [
                *messages,
                ChatMessage(role="assistant", content=text.strip() or "(no answer)"),
                ChatMessage(role="user", content=UNREADABLE),
            ]
        return self._row("unknown", text, NUM_ATTEMPTS - 1)

    async def _call(self, engine: Engine, messages: list[ChatMessage], attempt: int) -> Completion:
        subject, rollout = self.subject, self.subject.rollout
        seed = stable_seed(
            self.seed,
            "analysis",
            self.analyser.name,
            subject.phase,
            subject.iteration - 1,
            rollout.datapoint_id,
            rollout.copy,
            subject.agent,
            attempt,
        )
        return await engine.complete(
            Call(
                model=self.model,
                messages=messages,
                sampling=replace(self.sampling, seed=seed % NUM_SEEDS),
                agent=self.analyser.name,
                key=f"{self.key}/{attempt}",
            )
        )

    def _row(self, finding: Finding, answer: str = "", num_retries: int = 0) -> AnalysisRow:
        subject = self.subject
        return AnalysisRow(
            analyser=self.analyser.name,
            model=model_of(self.analyser, self.model),
            prompt_sha256=self.analyser.digest,
            phase=subject.phase,
            iteration=subject.iteration,
            position=subject.rollout.position,
            agent=subject.agent,
            datapoint_id=subject.rollout.datapoint_id,
            finding=finding,
            answer=answer,
            num_retries=num_retries,
        )


def model_of(analyser: Analyser, model: ModelSpec) -> str:
    """Return provider and name of the model of an analyser; empty if it asks none."""
    is_asked = isinstance(analyser, ModelAnalyser)
    return f"{model.provider}:{model.model_name}" if is_asked else ""


def _finding(analyser: Analyser, method: str, is_yes: object) -> Finding:
    if not isinstance(is_yes, bool | np.bool_):
        also = " or None" if method == "read" else ""
        raise ParameterError(
            f"{method} of the analyser {analyser.name!r} must return True, False{also}, got "
            f"{shown(is_yes)}. Return a bool."
        )
    return "yes" if is_yes else "no"
