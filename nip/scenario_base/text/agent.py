"""An agent that is a language model."""

from dataclasses import dataclass, replace

from nip.language_models.chat import ModelSpec
from nip.parameters.text_agents import TextAgentParameters
from nip.scenario_base.text.agent_spec import TextAgentSpec

REHEARSAL_PROVIDER = "rehearsal"
"""Provider of the mock models, which answer in this process."""


def base_model_of(params: TextAgentParameters) -> ModelSpec:
    """Return the model with which an agent starts."""
    if params.use_dummy_api:
        return ModelSpec(REHEARSAL_PROVIDER, params.model_name)
    return rehearsed_model_of(params)


def rehearsed_model_of(params: TextAgentParameters) -> ModelSpec:
    """Return the model that an agent uses when it does not rehearse."""
    return ModelSpec(
        params.model_provider.lower(), params.model_name, params.base_url, params.api_key_variable
    )


@dataclass(frozen=True)
class TextAgent:
    """A language model agent in a dialogue."""

    name: str
    """Name in the protocol."""

    params: TextAgentParameters
    """Parameters of the agent."""

    spec: TextAgentSpec
    """How it takes part in dialogues."""

    model: ModelSpec
    """Model that it uses at present."""

    def with_model(self, model: ModelSpec) -> "TextAgent":
        """Return the same agent with another model."""
        return replace(self, model=model)
