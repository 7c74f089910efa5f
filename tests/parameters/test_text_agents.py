"""What agents that are language models must be given, beyond the types."""

import pytest

from nip.errors import ParameterError
from nip.parameters import CodeValidationAgentParameters


@pytest.mark.parametrize("name", [None, "OPENAI_API_KEY", "entrance_2", "_x"])
def test_a_key_is_named_by_its_variable(name: str | None) -> None:
    assert CodeValidationAgentParameters(api_key_variable=name).api_key_variable == name


@pytest.mark.parametrize("key", ["sk-a-key-itself-0123", "", "a key", "$KEY", "2nd", "KEY\n"])
def test_a_key_itself_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ParameterError, match="must be the name of an environment var") as raised:
        CodeValidationAgentParameters(api_key_variable=key)
    assert "sk-" not in str(raised.value)
