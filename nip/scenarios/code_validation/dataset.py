"""Loading and checking of code validation datasets from any source."""

from collections.abc import Iterator
from pathlib import Path

from nip.errors import warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.scenarios.code_validation import CodeValidationParameters
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.folders import FolderSource
from nip.scenarios.code_validation.sources.source import (
    DatasetRequest,
    DatasetSource,
    find_source,
)

APPS_OPTIONS = ("apps_difficulty", "apps_solution_number", "apps_exclude_flagged")
"""Options that select rows of a dataset."""


def load_code_validation_dataset(
    hyper_params: HyperParameters, settings: ExperimentSettings, split: str
) -> TextDataset:
    """Load one split of the dataset that the hyper-parameters name.

    Parameters
    ----------
    hyper_params : HyperParameters
        ``dataset`` is the name of a folder in the data folder, the path of a folder or file, a
        dataset on the Hugging Face hub, or ``test``, the small built-in dataset.

    Raises
    ------
    DatasetError
        If the dataset or split is missing, cannot be downloaded or read, or has an invalid row.
    """
    source, request = _source_and_request(hyper_params, settings)
    return source.load(request, split)


def check_code_validation_dataset(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> None:
    """Check that the dataset exists, without reading it.

    Warns about options that have no effect on this dataset.

    Raises
    ------
    DatasetError
        If the dataset is missing; the message says how to make it or what is missing.
    """
    source, request = _source_and_request(hyper_params, settings)
    source.check(request)
    for message in () if source.reads_options else _unused_options(request):
        warn_user(message)


def _unused_options(request: DatasetRequest) -> Iterator[str]:
    """Yield a message for each option that is not at its default although it is not read."""
    default = CodeValidationParameters()
    for name in APPS_OPTIONS:
        value = getattr(request.options, name)
        if value != getattr(default, name):
            yield (
                f"code_validation.{name}={value!r} has no effect with dataset={request.name!r}, "
                "which is used completely."
            )


def _source_and_request(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> tuple[DatasetSource, DatasetRequest]:
    request = DatasetRequest(
        name=hyper_params.dataset,
        data_dir=Path(settings.data_dir),
        options=hyper_params.code_validation,
        ignore_cache=settings.ignore_cache,
    )
    return find_source(hyper_params.dataset, FolderSource), request
