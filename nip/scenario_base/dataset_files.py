"""Where datasets lie on disk, and what to say when one is not there."""

import shlex
from pathlib import Path

from nip.errors import DatasetError, did_you_mean

DEFAULT_DATA_DIR = "data"
"""Where the scripts that make datasets put them unless told otherwise."""

MAKING_COMMANDS = {
    "code_validation": "python scripts/create_cv_dataset.py",
    "graph_isomorphism": "python scripts/create_gi_dataset.py",
}
"""For scenarios whose datasets a script makes: the command, without the name of the dataset."""

MAKING_OPTIONS = {
    ("graph_isomorphism", "demo"): "--score-fractions 0.08 0.2",
    ("graph_isomorphism", "eru10000"): "--score-fractions 0.08 0.2",
}
"""What the command needs besides for the datasets of our named experiments."""

SPLITS = ("train", "test")
"""Splits of a dataset; the files of each lie in ``raw/<split>``."""


def dataset_folder(
    data_dir: Path | str, scenario: str, dataset: str, making_command: str | None = None
) -> Path:
    """Find the folder of a dataset.

    Parameters
    ----------
    data_dir : Path or str
        Folder of all data; a dataset lies in ``<data_dir>/<scenario>/<dataset>``.
    scenario : str
        Name of the scenario.
    dataset : str
        Name of the dataset, or the path of its folder: whatever has a slash in it, like ``./mine``.
    making_command : str, optional
        For the error message: a command that makes a dataset when its name is put behind, and
        accepts ``--data-dir``. By default the one that is known for the scenario, if any.

    Raises
    ------
    DatasetError
        If there is no such folder. The message lists those that exist, and how to make one.
    """
    home = Path(data_dir) / scenario
    if is_path(dataset):
        folder = Path(dataset).expanduser()
        if folder.is_dir():
            return folder
        raise DatasetError(
            f"There is no folder {dataset!r} with a dataset of {scenario!r}. Give the path of an "
            f"existing folder, or the name of a dataset in {home}."
        )
    known = dataset_names(home)
    if dataset in known:
        return home / dataset
    parts = [
        f"There is no dataset {dataset!r} of {scenario!r} in {home}.",
        did_you_mean(dataset, known),
        f"There are: {', '.join(known)}." if known else "There are none yet.",
    ]
    if making_command := making_command or MAKING_COMMANDS.get(scenario):
        is_default = Path(data_dir) == Path(DEFAULT_DATA_DIR)
        option = "" if is_default else f" --data-dir {shlex.quote(str(data_dir))}"
        name = shlex.quote(dataset) if dataset else "NAME"
        needed = MAKING_OPTIONS.get((scenario, dataset))
        option = f" {needed}{option}" if needed else option
        parts.append(f"Make it with: {making_command} {name}{option}")
    raise DatasetError(" ".join(filter(None, parts)))


def check_splits(folder: Path) -> None:
    """Check that a dataset has both splits, without reading them.

    Parameters
    ----------
    folder : Path
        Folder of the dataset. One without ``raw`` in it has a layout of its own, and passes.

    Raises
    ------
    DatasetError
        If there is nothing in the folder of a split.
    """
    if not (folder / "raw").is_dir():
        return
    for split in SPLITS:
        place = folder / "raw" / split
        if not place.is_dir() or not any(place.iterdir()):
            raise missing_split(folder, split)


def missing_split(folder: Path, split: str) -> DatasetError:
    """Return the error for a dataset that lacks a split."""
    return DatasetError(
        f"The dataset {folder} has no {split} split: there is no file of data in "
        f"{folder / 'raw' / split}. Put one there (copy that of another split or dataset if you "
        "mean to reuse it), or choose or make a dataset with both splits."
    )


def is_path(dataset: str) -> bool:
    """Tell whether a dataset was given as the path of a folder instead of by its name."""
    return any(separator in dataset for separator in "/\\")


def dataset_names(home: Path) -> list[str]:
    """List the datasets in the folder of a scenario; hidden folders are unfinished ones."""
    if not home.is_dir():
        return []
    return sorted(
        entry.name for entry in home.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
