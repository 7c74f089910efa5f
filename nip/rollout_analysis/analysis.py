"""One question about one dialogue, on its way to an answer."""

from dataclasses import dataclass

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.engine.call import Call
from nip.language_models.engine.engine import Engine
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.rollout_analysis.analyser import Analyser, ComputedAnalyser, ModelAnalyser
from nip.rollout_analysis.subject import Subject
from nip.run_store.database.analysis_store import AnalysisRow, Finding
from nip.seeding import stable_seed

NUM_ATTEMPTS = 4
"""How often a model is asked until its answer counts as unknown."""

NUM_SEEDS = 2**31
UNREADABLE = (
    "Your answer could not be read. End with a line that is exactly `Answer: yes` or `Answer: no`."
)
"""What a model is told when it is asked again."""


@dataclass(frozen=True)
class Analysis:
    """One analyser and one agent in one dialogue."""

    analyser: Analyser
    """Asks."""

    subject: Subject
    """What it is asked about."""

    model: ModelSpec
    """Whom it asks, if it asks at all."""

    seed: int
    """Seed of the run."""

    @property
    def needs_model(self) -> bool:
        """Whether it takes a call, or several, to answer the question."""
        return isinstance(self.analyser, ModelAnalyser) and self.analyser.applies(self.subject)

    @property
    def key(self) -> str:
        """Prefix of its calls in the journal."""
        subject = self.subject
        asked = f"{self.model.provider}:{self.model.model_name}/{self.analyser.digest}"
        place = f"{subject.phase}/{subject.iteration}/{subject.rollout.position}/{subject.agent}"
        return f"{self.analyser.name}/{asked}/{place}"

    async def answer(self, engine: Engine) -> AnalysisRow:
        """Answer the question.

        Raises
        ------
        LanguageModelError
            If there was no answer and a later attempt may have one.
        """
        if not self.analyser.applies(self.subject):
            return self._row("not_applicable")
        if isinstance(self.analyser, ComputedAnalyser):
            return self._row(_finding(self.analyser.compute(self.subject)))
        if not isinstance(self.analyser, ModelAnalyser):
            raise ParameterError(
                f"The analyser {self.analyser.name!r} must be a ModelAnalyser or a "
                f"ComputedAnalyser, got {type(self.analyser).__name__}. Derive it from one of them."
            )
        return await self._ask(self.analyser, engine)

    async def _ask(self, analyser: ModelAnalyser, engine: Engine) -> AnalysisRow:
        """Ask until the answer can be read, or patience is used up."""
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
                return self._row(_finding(is_yes), text, attempt)
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
            subject.iteration,
            rollout.datapoint_id,
            rollout.copy,
            subject.agent,
            attempt,
        )
        return await engine.complete(
            Call(
                model=self.model,
                messages=messages,
                sampling=Sampling(seed=seed % NUM_SEEDS),
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
            # A service may send half a surrogate pair, which no database can hold.
            answer=answer.encode("utf-8", errors="replace").decode(),
            num_retries=num_retries,
        )


def model_of(analyser: Analyser, model: ModelSpec) -> str:
    """Write whom an analyser asks, as it is stored; nothing if it asks nobody."""
    is_asked = isinstance(analyser, ModelAnalyser)
    return f"{model.provider}:{model.model_name}" if is_asked else ""


def _finding(is_yes: bool) -> Finding:
    return "yes" if is_yes else "no"
