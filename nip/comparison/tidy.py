"""``load_runs``: the metrics of runs as one tidy table."""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from nip.comparison.grouping import group_runs
from nip.comparison.runs import Runs, read_runs
from nip.errors import ParameterError, PluginError, shown
from nip.run_store.report.main_metrics import PRETRAINING_PREFIX, TEST_PREFIX

if TYPE_CHECKING:
    import pandas as pd

TableLibrary = Literal["pandas", "polars"]

_EXTRAS: dict[str, str] = {"pandas": "analysis", "polars": "polars"}
_SPLITS = {
    f"{PRETRAINING_PREFIX}{TEST_PREFIX}": "pretrain_test",
    PRETRAINING_PREFIX: "pretrain",
    TEST_PREFIX: "test",
    "": "train",
}
COLUMNS = ("run_id", "group", "seed", "status", "iteration", "split", "metric", "value")


@overload
def load_runs(
    runs: Runs = "*",
    runs_dir: Path | str = "runs",
    ignore: tuple[str, ...] = (),
    library: Literal["pandas"] = "pandas",
) -> "pd.DataFrame": ...


@overload
def load_runs(
    runs: Runs = "*",
    runs_dir: Path | str = "runs",
    ignore: tuple[str, ...] = (),
    *,
    library: Literal["polars"],
) -> Any: ...


def load_runs(
    runs: Runs = "*",
    runs_dir: Path | str = "runs",
    ignore: tuple[str, ...] = (),
    library: TableLibrary = "pandas",
) -> Any:
    """Load the metrics of runs as a tidy table of pandas or polars.

    It needs the extra ``analysis`` for pandas, or ``polars``.

    Parameters
    ----------
    runs : str, Path, or sequence of them
        Run ids, folders, or patterns of run ids such as ``nip-*``; by default all runs. A run that
        cannot be read is left out with a warning if a pattern matched it.
    runs_dir : Path or str
        Folder of the runs.
    ignore : tuple of str
        Dotted names of parameters in which the runs of one group may differ, beside their seeds.
    library : TableLibrary
        ``pandas`` or ``polars``.

    Returns
    -------
    table : pandas.DataFrame or polars.DataFrame
        One row per run, iteration and metric, with the columns ``run_id``, ``group`` (named after
        the parameters in which the groups differ), ``seed``, ``status``, ``iteration``, ``split``
        (``train``, ``test``, ``pretrain`` or ``pretrain_test``), ``metric`` (without the prefix of
        its split) and ``value``.

    Raises
    ------
    PluginError
        If the library is not installed.
    ParameterError
        If a run does not exist or is damaged, or there is no such library.
    """
    if library not in _EXTRAS:
        raise ParameterError(f"library must be 'pandas' or 'polars', got {shown(library)}.")
    if importlib.util.find_spec(library) is None:
        raise PluginError(
            f"load_runs needs the package {library}, which is not installed. Run "
            f"pip install 'nip[{_EXTRAS[library]}]', or read single runs with "
            "nip.run_store.read_history."
        )
    records = read_runs(runs, runs_dir)
    groups = group_runs(records, ignore) if records else ()
    rows = [
        (run.run_id, group.name, run.seed, run.status, iteration, *_split(name), value)
        for group in groups
        for run in group.runs
        for name in run.history.names()
        for iteration, value in run.history.values(name)
    ]
    # By columns, from which both libraries make the same table.
    columns = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}
    return importlib.import_module(library).DataFrame(columns)


def _split(name: str) -> tuple[str, str]:
    """Return the split and the name without its prefix."""
    prefix = next(prefix for prefix in _SPLITS if name.startswith(prefix))
    return _SPLITS[prefix], name.removeprefix(prefix)
