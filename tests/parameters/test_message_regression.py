"""Parameters of message regression."""

import warnings

import pytest

from nip.errors import NipWarning, ParameterError
from nip.parameters import HyperParameters, ScenarioSpec, ToyAgentParameters, scenario_specs
from nip.parameters.specs import register_scenario_spec
from tests.experiments import make_params
from tests.text_experiments import make_text_params


def test_convolutions_need_images() -> None:
    cnn = {"enabled": True, "regression_method": "cnn"}
    with pytest.raises(ParameterError, match=r"regression_method='cnn' needs.*'toy'.*'mlp'"):
        make_params(message_regression=cnn)
    spec = ScenarioSpec("tensordict", ToyAgentParameters, messages_are_images=True, reads=())
    register_scenario_spec("pixels", spec)
    try:
        params = HyperParameters(
            scenario="pixels", trainer="vanilla_ppo", dataset="any", message_regression=cnn
        )
    finally:
        scenario_specs.unregister("pixels")
    assert params.message_regression.cnn_num_layers == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cnn_kernel_size": 4}, r"must be odd.*got 4. Choose 5"),
        ({"agents": []}, r"agents must name at least one agent"),
        ({"test_size": 1.0}, r"test_size"),
        ({"mlp_hidden_size": 0}, r"mlp_hidden_size"),
    ],
)
def test_invalid_values_are_refused(options, words) -> None:
    with pytest.raises(ParameterError, match=words):
        make_params(message_regression=options)


def warnings_of(make, **changes) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NipWarning)
        params = make()
        params.with_changes(changes)
    return " ".join(str(each.message) for each in caught)


def test_options_without_an_effect_are_reported() -> None:
    found = warnings_of(make_params, **{"message_regression.mlp_num_layers": 3})
    assert "mlp_num_layers=3 has no effect unless message_regression.enabled=True" in found
    on = {"message_regression.enabled": True}
    found = warnings_of(make_params, **on, **{"message_regression.cnn_num_layers": 3})
    assert "unless message_regression.regression_method='cnn'" in found
    assert "with a trainer of language models" in warnings_of(
        lambda: make_text_params("pure_text_ei"), **on
    )
    assert "message_regression.enabled=True has no effect" in warnings_of(
        lambda: make_params(trainer="solo_agent"), **on
    )
