"""Which model the analysers ask, and how it is reached."""

from pathlib import Path

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import ConnectionContext, check_access
from nip.language_models.server import EndpointOptions, create_app
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER

DEFAULT_MODEL = "openai:gpt-4o-mini-2024-07-18"
"""The model that is asked if none is chosen."""

REHEARSAL_RULES = Path(__file__).with_name("rehearsal_rules.yaml")


def model_spec_of(
    model: str, base_url: str | None = None, api_key_variable: str | None = None
) -> ModelSpec:
    """Read the name of a model.

    Parameters
    ----------
    model : str
        Provider and name, as in ``openai:gpt-4o-mini``.
    base_url : str, optional
        Address of the service; None: the provider's own.
    api_key_variable : str, optional
        Environment variable that holds the key; None: the provider's usual one.

    Raises
    ------
    ParameterError
        If it has not that form.
    """
    provider, _, name = model.partition(":")
    if not provider.strip() or not name.strip():
        raise ParameterError(
            f"model must be a provider, a colon and a name, got {model!r}. For example: "
            f"{DEFAULT_MODEL}, or rehearsal:{provider or name or 'anything'} to try it for nothing."
        )
    return ModelSpec(provider.strip().lower(), name.strip(), base_url, api_key_variable)


def connect(spec: ModelSpec, settings: ExperimentSettings) -> ConnectionContext:
    """Return what reaching the model takes, after a check that it can be reached.

    For the provider ``rehearsal`` an endpoint in this process answers, which remembers nothing.

    Raises
    ------
    NipError
        If there is no such provider, or its key is missing.
    """
    app = None
    if spec.provider == REHEARSAL_PROVIDER:
        app = create_app(EndpointOptions(brain="dialogue", brain_file=str(REHEARSAL_RULES)))
    context = ConnectionContext(timeout_s=settings.api_timeout_s, rehearsal_app=app)
    check_access(spec, context)
    return context
