"""Fixtures that undo what they enter."""

from collections.abc import Iterator

import pytest

from nip.parameters import parameter_groups, register_parameter_group
from tests.parameters.plugin_example import PluginParameters


@pytest.fixture
def plugin_group() -> Iterator[str]:
    """Enter the group `my_trainer` for the time of one test."""
    register_parameter_group("my_trainer", PluginParameters)
    yield "my_trainer"
    parameter_groups.unregister("my_trainer")
