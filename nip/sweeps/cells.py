"""Cells of a sweep: checked experiments, with run ids that are made from their parameters."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import EXPERIMENT, ConfigFolders
from nip.command_line.request import read_request
from nip.errors import ParameterError, UnknownNameError
from nip.experiment.checked import CheckedExperiment
from nip.parameters import HyperParameters
from nip.parameters.parameters_base import to_plain
from nip.run_store.opening import check_can_open
from nip.run_store.run_id import existing_run_ids
from nip.sweeps.space import Values
from nip.sweeps.sweep_file import SweepParameters

_LENGTH_OF_KEY = 10
_MAX_LENGTH = 100 - _LENGTH_OF_KEY - 1
_NO_HYPER_PARAMETERS = ("settings", "plugins")
_PLAIN_TEXT = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NO_TEXT = ("true", "false", "null", "nan", "inf")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    run_id: str
    """Name of the run."""

    values: Values
    """What distinguishes it: the varied parameters, and its seed if there are several."""

    overrides: tuple[str, ...]
    """Command line of the run, as ``scripts/run_experiment.py`` takes it."""

    experiment: CheckedExperiment
    """The checked experiment."""

    @property
    def key(self) -> str:
        """Key of the parameters, with which the name of the run ends."""
        return self.run_id[-_LENGTH_OF_KEY:]

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.experiment.settings.runs_dir) / self.run_id


class CellBuilder:
    """Composes and checks the cells of a sweep.

    Parameters
    ----------
    sweep : SweepParameters
        The file of the sweep.
    folders : ConfigFolders
        Where named experiments are.
    """

    def __init__(self, sweep: SweepParameters, folders: ConfigFolders) -> None:
        self._sweep, self._folders = sweep, folders
        assert sweep.name is not None
        self._name = sweep.name
        self._existing: dict[str, dict[str, str]] = {}

    def build(self, combinations: Iterable[Values]) -> list[Cell]:
        """Return the cells of combinations: one for each seed.

        Raises
        ------
        NipError
            If a parameter does not exist or refuses its value, if a run that exists already has
            other parameters, or if two cells are the same run. The message names the cell.
        """
        cells: dict[str, Cell] = {}
        for values in combinations:
            for cell in self._cells_of(values):
                if (same := cells.get(cell.key)) is not None:
                    raise ParameterError(
                        f"Two cells of the sweep are the same run {same.run_id!r}: "
                        f"{describe_values(same.values)} and {describe_values(cell.values)}. Leave "
                        "out one of them."
                    )
                cells[cell.key] = cell
        return list(cells.values())

    def _cells_of(self, values: Values) -> Iterator[Cell]:
        """Compose a combination once, because seeds change nothing but the seed."""
        shared = {**self._sweep.base, **values}
        words = [override(name, value) for name, value in shared.items()]
        try:
            tree = compose_run(words, self._folders).tree
            if self._sweep.max_cost is not None and tree["settings"]["max_cost"] is None:
                # So that the prices of the models are checked.
                tree["settings"]["max_cost"] = self._sweep.max_cost
            if tree["num_parallel_seeds"] != 1:
                raise ParameterError(
                    f"num_parallel_seeds={tree['num_parallel_seeds']} cannot be used in a sweep, "
                    "which makes a run of each seed by itself. List the seeds under seeds, or use "
                    "--multirun, where each job can train several seeds together."
                )
            for seed in self._sweep.seeds or (None,):
                seeded = {} if seed is None else {"seed": seed}
                request = read_request({**tree, **seeded, "resume": "auto", "dry_run": False})
                yield self._cell({**shared, **seeded}, {**values, **seeded}, request.experiment)
        except (ParameterError, UnknownNameError) as error:
            problems = error.problems if isinstance(error, ParameterError) else (str(error),)
            text = describe_values(values)
            where = f"With {text}: " if text else ""
            raise ParameterError(*(f"{where}{problem}" for problem in problems)) from error

    def _cell(self, given: Values, values: Values, experiment: CheckedExperiment) -> Cell:
        runs_dir = experiment.settings.runs_dir
        key = _content_key(given, experiment.hyper_params)
        run_id = self._existing_runs(runs_dir).get(key) or _new_run_id(self._name, values, key)
        parameters = experiment.hyper_params.to_dict()
        check_can_open(experiment.settings, run_id, parameters, "auto")
        words = [override(name, value) for name, value in {**given, "run_id": run_id}.items()]
        return Cell(run_id, values, tuple(words), experiment)

    def _existing_runs(self, runs_dir: str) -> dict[str, str]:
        """Return the runs of this sweep by their keys.

        They keep their names if a parameter of the base is varied later.
        """
        if runs_dir not in self._existing:
            pattern = re.compile(rf"{re.escape(self._name)}-(?:.*-)?([0-9a-f]{{{_LENGTH_OF_KEY}}})")
            found = (pattern.fullmatch(run_id) for run_id in existing_run_ids(runs_dir))
            self._existing[runs_dir] = {match[1]: match[0] for match in found if match is not None}
        return self._existing[runs_dir]


def override(name: str, value: Any) -> str:
    """Return an argument of the command line that gives a parameter a value."""
    return f"{name}={_text(value)}"


def describe_values(values: Mapping[str, Any]) -> str:
    """Return values as arguments of the command line, separated by blanks."""
    return " ".join(override(name, value) for name, value in values.items())


def _text(value: Any) -> str:
    """Write a value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    text = str(value)
    is_plain = _PLAIN_TEXT.fullmatch(text) and text.lower() not in _NO_TEXT
    if not isinstance(value, str) or is_plain:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def _content_key(given: Values, hyper_params: HyperParameters) -> str:
    """Return a key of the given parameters with the values that they have after the checks.

    Settings are left out: they say how and where to run.
    """
    content = {"seed": hyper_params.seed} | {
        name: _checked_value(name, value, hyper_params)
        for name, value in given.items()
        if name.split(".")[0] not in _NO_HYPER_PARAMETERS
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH_OF_KEY]


def _checked_value(name: str, value: Any, hyper_params: HyperParameters) -> Any:
    if name == EXPERIMENT:
        return value
    try:
        return to_plain(hyper_params.get(name))
    except UnknownNameError:
        return value  # Such as the _type of a group.


def _new_run_id(sweep: str, values: Values, key: str) -> str:
    """Return a readable name that ends with the key."""
    short = [name.rpartition(".")[2] for name in values]
    names = short if len(set(short)) == len(short) else list(values)
    parts = [f"{name}-{_text(value)}" for name, value in zip(names, values.values(), strict=True)]
    readable = "-".join([sweep, *(re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts)])
    return f"{readable[:_MAX_LENGTH]}-{key}"
