"""Datasets on the Hugging Face hub, cached as JSONL after the first download."""

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from nip.command_table import typed
from nip.errors import DatasetError
from nip.scenario_base.dataset_files import SPLITS, write_dataset_folder
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.folders import SCENARIO, load_folder
from nip.scenarios.code_validation.sources.source import (
    DatasetRequest,
    DatasetSource,
    register_dataset_source,
)
from nip.utils.exact_json import load_strictly

FORMAT = 1
"""Version of the cached rows; raised when rows are built differently, to invalidate old caches."""


@dataclass(frozen=True)
class HubOptions:
    """Everything that determines the cached rows; its hash names the cache folder."""

    dataset: str
    """Name of the dataset on the hub."""

    difficulty: str
    """Difficulty of the selected problems."""

    solution_number: int
    """Index of the selected solution to each problem, counted from 0."""

    exclude_flagged: bool
    """Whether to leave out what moderation has flagged."""

    format: int = FORMAT
    """Version of the cached rows."""

    def folder(self, data_dir: Path) -> Path:
        """Return the cache folder, which is hidden so that it is not listed as a dataset."""
        content = json.dumps(asdict(self), sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        return data_dir / SCENARIO / ".hub" / f"{self.dataset.replace('/', '--')}-{key}"


class HubSource(DatasetSource):
    """A dataset on the hub in the format of APPS: one problem per row, with its solutions."""

    name: ClassVar[str]
    """Name of the dataset on the hub."""

    labelled_columns: ClassVar[tuple[tuple[str, int], ...]]
    """Columns of solutions, with the label of their solutions: correct (1) or buggy (0)."""

    def check(self, request: DatasetRequest) -> None:
        """Check that the dataset is cached or the ``datasets`` library is installed."""
        is_cached = self._options(request).folder(request.data_dir).is_dir()
        if (not is_cached or request.ignore_cache) and not importlib.util.find_spec("datasets"):
            raise _not_installed(self.name)

    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Read a split from the cache, after downloading the dataset if necessary."""
        options = self._options(request)
        folder = options.folder(request.data_dir)
        if request.ignore_cache or not folder.is_dir():
            files = {f"raw/{name}/data.jsonl": self._download(options, name) for name in SPLITS}
            files["options.json"] = json.dumps(asdict(options), indent=2) + "\n"
            write_dataset_folder(folder, files, overwrite=True)
        return load_folder(folder, split)

    def _options(self, request: DatasetRequest) -> HubOptions:
        options = request.options
        return HubOptions(
            self.name,
            options.apps_difficulty,
            options.apps_solution_number,
            options.apps_exclude_flagged,
        )

    def _download(self, options: HubOptions, split: str) -> str:
        rows = [
            row
            for content in _load_rows(options.dataset, split)
            if content.get("difficulty") == options.difficulty
            for row in self._rows_of(content, options)
        ]
        if not rows:
            raise DatasetError(
                f"The {split} split of {options.dataset} has no rows for "
                f"code_validation.apps_difficulty={options.difficulty!r} with "
                f"code_validation.apps_solution_number={options.solution_number}. Choose another "
                "difficulty or a lower number."
            )
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def _rows_of(
        self, content: Mapping[str, Any], options: HubOptions
    ) -> Iterator[Mapping[str, Any]]:
        columns = [(name, y) for name, y in self.labelled_columns if name in content]
        if "question" not in content or not columns:
            wanted = ["question", *(name for name, _ in self.labelled_columns)]
            raise DatasetError(
                f"{options.dataset} has another format than expected: a row needs "
                f"{', '.join(wanted)}, but has {', '.join(content)}. Save the rows as JSONL with "
                "the columns question, solution and y, and give the path of their folder."
            )
        if options.exclude_flagged and is_flagged(content):
            return
        for column, y in columns:
            found = solutions_in(content[column])
            if options.solution_number < len(found):
                solution, is_bad = found[options.solution_number]
                if solution.strip() and not (is_bad and options.exclude_flagged):
                    yield {
                        "question": content["question"],
                        "solution": solution,
                        "y": y,
                        "difficulty": content["difficulty"],
                        "problem": str(content.get("problem_id", "")),
                        "origin": options.dataset,
                    }


def is_flagged(content: Mapping[str, Any]) -> bool:
    """Return whether moderation has flagged a problem or a solution."""
    return any(bool(content.get(name)) for name in ("flagged", "is_flagged"))


def solutions_in(column: Any) -> list[tuple[str, bool]]:
    """Return the solutions in a column, each with whether it is flagged.

    The column is a list of strings, or of objects with ``solution`` (or ``code``) and optionally
    ``flagged``; or such a list as JSON, as in APPS, where the empty string is an empty list.
    """
    if isinstance(column, str):
        try:
            column = load_strictly(column) if column.strip() else []
        except ValueError:
            column = [column]
    found = []
    for item in column if isinstance(column, list) else [column]:
        if isinstance(item, Mapping):
            found.append((str(item.get("solution", item.get("code", ""))), is_flagged(item)))
        elif item is not None:
            found.append((str(item), False))
    return found


def _load_rows(dataset: str, split: str) -> Iterable[Mapping[str, Any]]:
    try:
        library = importlib.import_module("datasets")
    except ImportError as error:
        raise _not_installed(dataset) from error
    try:
        rows: Iterable[Mapping[str, Any]] = library.load_dataset(dataset, split=split)
    except Exception as error:  # The library passes on errors of its many dependencies.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DatasetError(
            f"The {split} split of {dataset} cannot be downloaded from the Hugging Face hub: "
            f"{reason}. Without a network, make a dataset with: "
            f"{typed('dataset code-validation')} NAME"
        ) from error
    return rows


def _not_installed(dataset: str) -> DatasetError:
    return DatasetError(
        f"Downloading {dataset} from the Hugging Face hub needs the package 'datasets', which is "
        "not installed. Install it with: pip install 'nip[hub]'. Or make a dataset without a "
        f"network: {typed('dataset code-validation')} NAME"
    )


@register_dataset_source("codeparrot/apps")
class AppsSource(HubSource):
    """Problems of programming competitions with accepted solutions."""

    name = "codeparrot/apps"
    labelled_columns = (("solutions", 1),)


@register_dataset_source("lrhammond/buggy-apps")
class BuggyAppsSource(HubSource):
    """The same problems, with additional buggy solutions."""

    name = "lrhammond/buggy-apps"
    labelled_columns = (("solutions", 1), ("buggy_solutions", 0))
