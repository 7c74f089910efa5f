"""Parameters and settings with a secret are refused, and the message does not repeat it."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from tests.utils.test_secret_formats import SECRETS

CHOICES = {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "test"}
KEY, _ = SECRETS["OpenAI Token of a project"]
PASSWORD, ADDRESS = SECRETS["Basic Auth Credentials"]
TOKEN, WITH_TOKEN = SECRETS["api_key in an address"]

GIVEN: dict[str, tuple[str, Any]] = {
    "dataset": (KEY, KEY),
    "agents._default.base_url": (TOKEN, WITH_TOKEN.format(TOKEN)),
    "agents.prover.base_url": (PASSWORD, ADDRESS.format(PASSWORD)),
    "agents._default.model_name": (KEY, KEY),
    "agents._default.api_key_variable": (KEY, KEY),
    "agents._default.extra_body": (TOKEN, {"metadata": {"api_key": TOKEN}}),
    "code_validation.prompt_folder": (PASSWORD, ADDRESS.format(PASSWORD)),
    "callbacks": (KEY, [{"name": "wandb", "tags": ["mine", KEY]}]),
    "fine_tuning.backend": (KEY, KEY),
    "rehearsal.faults": (KEY, [KEY]),
}


@pytest.mark.parametrize(("name", "secret", "value"), [(n, *each) for n, each in GIVEN.items()])
def test_a_secret_among_the_parameters_is_refused(name: str, secret: str, value: Any) -> None:
    with pytest.raises(ParameterError, match="must not contain a key or a password") as caught:
        HyperParameters(**CHOICES).with_changes({name: value})
    assert name.removeprefix("agents.") in str(caught.value)
    assert secret not in str(caught.value)


def test_a_secret_among_the_settings_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"settings\.prices must not contain a key") as caught:
        ExperimentSettings(prices=ADDRESS.format(PASSWORD))
    assert PASSWORD not in str(caught.value)
