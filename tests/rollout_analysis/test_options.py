"""Options of an analysis."""

import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.rollout_analysis.options import AnalysisOptions, connect


def test_a_model_is_a_provider_and_a_name():
    options = AnalysisOptions(
        model=" OpenAI: qwen:7b ", base_url="http://x/v1", api_key_variable="K"
    )
    assert options.model_spec() == ModelSpec("openai", "qwen:7b", "http://x/v1", "K")


@pytest.mark.parametrize("model", ["gpt-4o", ":gpt-4o", "openai:", " : ", ""])
def test_anything_else_is_refused_with_an_example(model):
    with pytest.raises(ParameterError, match=r"a provider, a colon and a name, got .*rehearsal:"):
        AnalysisOptions(model=model).model_spec()


def test_at_least_one_rollout_is_needed():
    with pytest.raises(ParameterError, match="max_rollouts must be at least 1, got 0"):
        AnalysisOptions(max_rollouts=0)


def test_a_rehearsal_needs_no_service_and_an_unknown_provider_is_refused(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = ExperimentSettings(api_timeout_s=7.0)
    context = connect(ModelSpec("rehearsal", "x"), settings)
    assert context.rehearsal_app is not None
    assert context.timeout_s == 7.0
    with pytest.raises(UnknownNameError, match="no model provider 'opnai'"):
        connect(ModelSpec("opnai", "x"), settings)
