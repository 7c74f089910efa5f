"""Valid run ids, and suggestions."""

import os
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.run_store.run_id import describe_existing
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


def test_of_many_runs_the_nearest_or_the_newest_are_named(tmp_path: Path) -> None:
    for number in range(150):
        folder = tmp_path / f"{'toy' if number % 15 == 0 else 'large'}-{number:03d}"
        folder.mkdir()
        (folder / "hyper_params.yaml").touch()
        os.utime(folder, (number, number))
    nearest = describe_existing("toy-0000", tmp_path)
    assert nearest.startswith("Did you mean 'toy-000'? The nearest of 150 runs in ")
    assert nearest.count("toy-") == 11 and "large" not in nearest
    newest = describe_existing("", tmp_path)
    assert newest.startswith("The newest of 150 runs in ")
    assert ": large-149, large-148, " in newest and newest.count(",") == 9
