"""The small built-in dataset ``test``."""

from pathlib import Path

from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.folders import load_folder
from nip.scenarios.code_validation.sources.source import (
    DatasetRequest,
    DatasetSource,
    register_dataset_source,
)

FOLDER = Path(__file__).parents[1] / "builtin"


@register_dataset_source("test")
class BuiltinSource(DatasetSource):
    """A dataset of 24 training and 12 test programs, for first experiments and tests."""

    reads_options = False

    def check(self, request: DatasetRequest) -> None:
        """Do nothing: the dataset is part of the package."""

    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Read a split from the files of the package."""
        return load_folder(FOLDER, split)
