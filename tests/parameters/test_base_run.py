"""A run that starts from another run must name it."""

import pytest

from nip.errors import NipWarning, ParameterError
from nip.parameters import BaseRunParameters
from nip.parameters.base_run import PRESERVED_FOR_RERUN_TESTS
from tests.parameters.examples import make_tree


@pytest.mark.parametrize("kind", ["parameters", "rerun_tests"])
def test_the_other_run_must_be_named(kind) -> None:
    assert BaseRunParameters(base_run_type=kind, run_id="first").run_id == "first"
    with pytest.raises(ParameterError, match=rf"run_id must name a run .*='{kind}', got None"):
        BaseRunParameters(base_run_type=kind)


def test_without_another_run_no_name_is_needed() -> None:
    assert BaseRunParameters().run_id is None


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"run_id": "first"}, r"base_run\.run_id='first' has no effect unless .* 'parameters' or"),
        (
            {
                "base_run_type": "parameters",
                "run_id": "first",
                "rerun_tests_force_test_during_training_state": False,
            },
            r"force_test.*=False has no effect unless base_run\.base_run_type='rerun_tests'",
        ),
    ],
)
def test_what_is_not_used_of_a_base_run_is_reported(group, message) -> None:
    with pytest.warns(NipWarning, match=message) as caught:
        make_tree(base_run=group)
    assert len(caught) == 1


def test_what_is_preserved_exists() -> None:
    for option in PRESERVED_FOR_RERUN_TESTS:
        make_tree().get(option)
