"""Valid run ids, and suggestions."""

import pytest

from nip.errors import ParameterError
from tests.run_store.open_runs import begin


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "-a", "a\n", "é", "x" * 101]
)
def test_unsafe_names_are_refused(settings, runs_dir, run_id):
    with pytest.raises(ParameterError, match="run_id must"):
        begin(settings, run_id)
    assert not runs_dir.exists()


def test_a_refused_name_comes_with_one_that_would_do(settings):
    with pytest.raises(ParameterError, match=r"got 'my run/2'. For example: my_run_2$"):
        begin(settings, "my run/2")
