"""Writing of a generated dataset with its statistics and parameters."""

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nip.scenario_base.dataset_files import write_dataset_folder
from nip.scenarios.code_validation.generation.datapoints import GeneratedDatapoint
from nip.scenarios.code_validation.generation.dataset_builder import (
    DatasetBuilderParameters,
    Splits,
)
from nip.scenarios.code_validation.generation.sandbox.isolation import IsolationMode

SHARE_BANDS = (0.05, 0.2, 0.6, 1.0)
"""Upper ends of the bands in which shares of failed tests are counted."""


def write_dataset(
    folder: Path,
    splits: Splits,
    parameters: DatasetBuilderParameters,
    topics: Sequence[str],
    overwrite: bool = False,
    language_model: str | None = None,
    isolation: IsolationMode | None = None,
) -> None:
    """Write both splits as JSONL, and ``metadata.json``.

    Parameters
    ----------
    topics : sequence of str
        Topics and problems given by the user; empty for all.
    isolation : IsolationMode, optional
        How programs by a language model were isolated. None for built-in programs, whose datasets
        are the same on every machine.

    Raises
    ------
    DatasetError
        If the folder exists and ``overwrite`` is false.
    """
    files: dict[str, bytes | str] = {
        f"raw/{split}/data.jsonl": "".join(map(_line, datapoints))
        for split, datapoints in splits.items()
    }
    metadata = {
        "scenario": "code_validation",
        "package_version": version("nip"),
        # ast.unparse differs slightly between Python versions.
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        **asdict(parameters),
        "problems": list(topics),
        "language_model": language_model,
        "isolation": isolation,
        "statistics": {split: statistics(datapoints) for split, datapoints in splits.items()},
    }
    files["metadata.json"] = json.dumps(metadata, indent=2) + "\n"
    write_dataset_folder(folder, files, overwrite)


def _line(datapoint: GeneratedDatapoint) -> str:
    return json.dumps(asdict(datapoint), ensure_ascii=False) + "\n"


def statistics(datapoints: Sequence[GeneratedDatapoint]) -> dict[str, Any]:
    """Return counts of the datapoints of a split by several properties."""
    buggy = [each for each in datapoints if each.y == 0]
    shares = [each.tests_failed_share for each in buggy]
    return {
        "num_datapoints": len(datapoints),
        "num_correct": len(datapoints) - len(buggy),
        "num_problems": len({each.problem for each in datapoints}),
        "problems": _counts(datapoints, lambda each: each.problem),
        "topics": _counts(datapoints, lambda each: each.topic),
        "origins": _counts(datapoints, lambda each: each.origin),
        "kinds_of_bugs": _counts(buggy, lambda each: each.kind),
        "mutations": _counts(buggy, lambda each: each.mutation),
        "tests_failed_share": {
            "mean": round(sum(shares) / len(shares), 4) if shares else None,
            **_band_counts(shares),
        },
    }


def _counts(
    datapoints: Iterable[GeneratedDatapoint], of: Callable[[GeneratedDatapoint], str | None]
) -> dict[str, int]:
    counts = Counter(value for each in datapoints if (value := of(each)) is not None)
    return dict(sorted(counts.items()))


def _band_counts(shares: Iterable[float]) -> Mapping[str, int]:
    counts = Counter(next(end for end in SHARE_BANDS if share <= end) for share in shares)
    return {f"up_to_{end}": counts[end] for end in SHARE_BANDS}
