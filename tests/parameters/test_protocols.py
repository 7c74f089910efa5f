"""Parameters of protocols need a round in which a decision counts."""

import pytest

from nip.errors import ParameterError
from nip.parameters import DebateProtocolParameters, MnipProtocolParameters, NipProtocolParameters


@pytest.mark.parametrize(
    "group", [NipProtocolParameters, DebateProtocolParameters, MnipProtocolParameters]
)
def test_the_least_number_of_rounds_is_not_above_the_largest(group) -> None:
    assert group(max_message_rounds=3, min_message_rounds=3).min_message_rounds == 3
    with pytest.raises(ParameterError, match=r"min_message_rounds must be at most .* \(3\), got 4"):
        group(max_message_rounds=3, min_message_rounds=4)


def test_a_built_group_is_immutable() -> None:
    with pytest.raises(AttributeError, match=r"dataclasses\.replace"):
        NipProtocolParameters().max_message_rounds = 3
