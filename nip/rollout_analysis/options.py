"""Options of an analysis, and the connection to the model that is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec, Sampling
from nip.language_models.provider_registry import ConnectionContext, check_access
from nip.language_models.server import EndpointOptions, create_app
from nip.rollout_analysis.text_run import PHASES
from nip.run_store import RolloutPhase
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER

DEFAULT_MODEL = "openai:gpt-4o-mini-2024-07-18"
"""Model that is asked if none is chosen."""

REHEARSAL_RULES = Path(__file__).with_name("rehearsal_rules.yaml")


@dataclass(frozen=True)
class AnalysisOptions:
    """Which questions are asked about which dialogues, and which model answers them.

    Raises
    ------
    ParameterError
        If ``max_rollouts`` is below 1.
    """

    names: Sequence[str] | None = None
    """Names of the analysers; None: all."""

    model: str = DEFAULT_MODEL
    """Provider and name of the model, such as ``openai:gpt-4o-mini``.

    ``rehearsal:anything`` answers at random, in this process and at no cost.
    """

    base_url: str | None = None
    """Address of the service; None: the provider's default."""

    api_key_variable: str | None = None
    """Environment variable with the API key; None: the provider's default."""

    reasoning_effort: str | None = None
    """Effort of a reasoning model, such as ``low``; None: not sent."""

    send_seed: bool = True
    """Send the seed of each request; services that refuse it need False."""

    iterations: Sequence[int] | None = None
    """Iterations to analyse, counted from 1; None: all."""

    phases: Sequence[RolloutPhase] = PHASES
    """``train``, ``test``, or both."""

    max_rollouts: int | None = None
    """Maximum number of dialogues per stage, sampled with the seed of the run; None: all."""

    def __post_init__(self) -> None:
        if self.max_rollouts is not None and self.max_rollouts < 1:
            raise ParameterError(
                f"max_rollouts must be at least 1, got {self.max_rollouts}. Omit it to analyse all "
                "rollouts."
            )

    def sampling(self) -> Sampling:
        """Return the sampling parameters of all requests, without their seeds."""
        return Sampling(reasoning_effort=self.reasoning_effort, sends_seed=self.send_seed)

    def model_spec(self) -> ModelSpec:
        """Parse the model's provider and name.

        Raises
        ------
        ParameterError
            If ``model`` does not have the form ``provider:name``.
        """
        provider, _, name = (part.strip() for part in self.model.partition(":"))
        if not provider or not name:
            example = provider or name or "anything"
            raise ParameterError(
                f"model must be a provider, a colon and a name, got {self.model!r}. For example: "
                f"{DEFAULT_MODEL}, or rehearsal:{example} for a rehearsal at no cost."
            )
        return ModelSpec(provider.lower(), name, self.base_url, self.api_key_variable)


def connect(spec: ModelSpec, settings: ExperimentSettings) -> ConnectionContext:
    """Return the connection to a model; raise ``NipError`` without its provider or key.

    The provider ``rehearsal`` is a stateless mock server in this process.
    """
    app = None
    if spec.provider == REHEARSAL_PROVIDER:
        app = create_app(EndpointOptions(brain="dialogue", brain_file=str(REHEARSAL_RULES)))
    context = ConnectionContext(timeout_s=settings.api_timeout_s, rehearsal_app=app)
    check_access(spec, context)
    return context
