"""Base class and registry of dataset sources."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nip.parameters.scenarios.code_validation import CodeValidationParameters
from nip.registry import Registry, require_derived, require_name
from nip.scenario_base.text.datapoint import TextDataset


@dataclass(frozen=True)
class DatasetRequest:
    """Which dataset to load, with which options."""

    name: str
    """Value of the hyper-parameter ``dataset``."""

    data_dir: Path
    """Folder of all datasets."""

    options: CodeValidationParameters
    """Hyper-parameters of the data."""

    ignore_cache: bool = False
    """Whether to download the dataset even if it is cached."""


class DatasetSource(ABC):
    """Base class of dataset sources."""

    reads_options: ClassVar[bool] = True
    """Whether the source uses the options of a request."""

    @abstractmethod
    def check(self, request: DatasetRequest) -> None:
        """Check that a dataset is available, without reading or downloading it.

        Raises
        ------
        DatasetError
            If it is not available; the message says how to get it.
        """

    @abstractmethod
    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Return a split.

        Raises
        ------
        DatasetError
            If it is missing, cannot be downloaded, or has an invalid row.
        """


SourceMaker = Callable[[], DatasetSource]

dataset_source_registry: Registry[SourceMaker] = Registry(
    "source of code validation data", package="nip.scenarios.code_validation.sources"
)
"""Sources by the name of their dataset. All other names refer to folders and files."""


def register_dataset_source(dataset: str) -> Callable[[type[DatasetSource]], type[DatasetSource]]:
    """Register a source class under the name of its dataset."""
    require_name("register_dataset_source", dataset)

    def register(source: type[DatasetSource]) -> type[DatasetSource]:
        require_derived(f"source of the dataset {dataset!r}", source, DatasetSource)
        dataset_source_registry.register(dataset, source)
        return source

    return register


def find_source(name: str, files: SourceMaker) -> DatasetSource:
    """Return the source registered for a dataset, or else the one for folders and files."""
    if name in dataset_source_registry:
        return dataset_source_registry.get(name)()
    return files()
