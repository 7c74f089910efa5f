"""Dataset folders are found by name or path; errors for missing ones say how to make them."""

from pathlib import Path

import pytest

from nip.errors import DatasetError
from nip.scenario_base.dataset_files import dataset_folder


@pytest.fixture
def data_dir(working_folder: Path) -> Path:
    for name in ("er1000", "small", ".small-x1y2"):
        (working_folder / "data" / "graph_isomorphism" / name).mkdir(parents=True)
    return Path("data")


def test_a_dataset_is_found_by_its_name(data_dir: Path) -> None:
    folder = dataset_folder(data_dir, "graph_isomorphism", "er1000")
    assert folder == data_dir / "graph_isomorphism" / "er1000"


def test_a_dataset_is_found_by_its_path(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert dataset_folder(data_dir, "graph_isomorphism", "./elsewhere") == Path("elsewhere")
    absolute = tmp_path / "elsewhere"
    assert dataset_folder(data_dir, "graph_isomorphism", str(absolute)) == absolute


def test_a_folder_here_is_not_mistaken_for_a_name(data_dir: Path) -> None:
    Path("smal").mkdir()
    with pytest.raises(DatasetError, match="There is no dataset 'smal'"):
        dataset_folder(data_dir, "graph_isomorphism", "smal")


def test_a_missing_dataset_lists_those_there_and_how_to_make_it(data_dir: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        dataset_folder(data_dir, "graph_isomorphism", "er100")
    assert str(caught.value) == (
        "There is no dataset 'er100' of 'graph_isomorphism' in data/graph_isomorphism. "
        "Did you mean 'er1000'? Existing datasets: er1000, small. "
        "Make it with: python scripts/create_gi_dataset.py er100"
    )


def test_the_datasets_of_our_experiments_are_made_with_their_own_mix(data_dir: Path) -> None:
    """The published mix has fewer pairs of score 1: on it, two layers alone reach 0.64."""
    with pytest.raises(
        DatasetError, match=r"create_gi_dataset.py demo --score-fractions 0.08 0.2$"
    ):
        dataset_folder(data_dir, "graph_isomorphism", "demo")


def test_the_command_names_an_unusual_data_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        dataset_folder(tmp_path / "my data", "graph_isomorphism", "new")
    assert str(caught.value).endswith(
        f"It has no datasets yet. Make it with: python scripts/create_gi_dataset.py new "
        f"--data-dir '{tmp_path}/my data'"
    )


def test_scenarios_may_have_commands_of_their_own_or_none(data_dir: Path) -> None:
    with pytest.raises(DatasetError, match=r"Make it with: make_it new$"):
        dataset_folder(data_dir, "my_scenario", "new", making_command="make_it")
    with pytest.raises(DatasetError, match=r"It has no datasets yet\.$"):
        dataset_folder(data_dir, "my_scenario", "new")


def test_built_in_datasets_are_listed_and_suggested(data_dir: Path) -> None:
    builtin = ("test", "lab/apps")
    with pytest.raises(DatasetError) as caught:
        dataset_folder(data_dir, "my_scenario", "tst", builtin=builtin)
    assert str(caught.value) == (
        "There is no dataset 'tst' of 'my_scenario' in data/my_scenario. Did you mean 'test'? "
        "It has no datasets yet. Built in: test, lab/apps."
    )
    with pytest.raises(DatasetError, match=r"does not exist\. Did you mean 'lab/apps'. Give"):
        dataset_folder(data_dir, "my_scenario", "lab/app", builtin=builtin)


def test_a_missing_path_is_reported(data_dir: Path) -> None:
    with pytest.raises(DatasetError, match=r"folder './nowhere' of a .* does not exist"):
        dataset_folder(data_dir, "graph_isomorphism", "./nowhere")


@pytest.mark.parametrize("name", ["", ".", ".small-x1y2", ".."])
def test_unfinished_and_strange_folders_are_no_datasets(data_dir: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="There is no dataset"):
        dataset_folder(data_dir, "graph_isomorphism", name)
