"""The tiny dataset that comes with the package."""

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
    """Two dozen programs to train on and a dozen to test on, for trying things out."""

    reads_options = False

    def check(self, request: DatasetRequest) -> None:
        """Nothing to do: it is always there."""

    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Read the files of the package."""
        return load_folder(FOLDER, split)
