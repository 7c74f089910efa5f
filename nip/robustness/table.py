"""Table of the robustness of several experiments, each measured with several seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nip.command_table import typed
from nip.errors import ParameterError
from nip.robustness.attack import BEST, RANDOM, STRONGEST, TRAINED
from nip.robustness.report import JSON_FILE, file_name
from nip.utils.clustered_mean import ClusteredMean, clustered_mean
from nip.utils.files import read_text, write_atomically

COLUMNS: Mapping[str, tuple[str, int | None, str]] = {
    "accuracy": (TRAINED, None, "accuracy"),
    "worst datapoint": (TRAINED, None, "worst"),
    "completeness": (TRAINED, 1, "accuracy"),
    "soundness": (TRAINED, 0, "accuracy"),
    "random prover": (RANDOM, None, "accuracy"),
    "trained attacks": (STRONGEST, None, "accuracy"),
    "best answers": (BEST, None, "accuracy"),
}
"""Provers, label and number in ``attack.json`` of each column."""

_BARS = ("accuracy", "trained attacks", "best answers")


@dataclass(frozen=True)
class RobustnessRow:
    """Means over the runs of one experiment."""

    name: str
    """Name of the experiment."""

    cells: Mapping[str, ClusteredMean]
    """Mean over runs of each column that all reports have, with its 95 % t interval.

    If all runs have the same value, they say nothing about how much runs differ, and the interval
    is the widest of their own, over datapoints. The worst datapoint is the least over all runs,
    without an interval.
    """


def read_row(name: str, folders: Sequence[Path], dataset: str | None = None) -> RobustnessRow:
    """Read the reports of the attacks on the runs of one experiment.

    Parameters
    ----------
    name : str
        Name of the experiment.
    folders : sequence of Path
        Folders of its runs.
    dataset : str, optional
        Dataset of the attack, if it is not that of the runs.

    Raises
    ------
    ParameterError
        If a run has not been attacked, or its report is damaged.
    """
    reports = [_read(folder, dataset) for folder in folders]
    cells = {}
    for column, (provers, label, number) in COLUMNS.items():
        found = [kept for each in reports for kept in _find(each, provers, label, number)]
        if len(found) == len(reports):
            cells[column] = _mean_over_runs(found, number)
    return RobustnessRow(name, cells)


def _read(folder: Path, dataset: str | None) -> dict[str, Any]:
    path = folder / file_name(JSON_FILE, dataset)
    if not path.is_file():
        option = "" if dataset is None else f" --dataset {dataset}"
        raise ParameterError(
            f"There is no {path}. Attack the run first: {typed('attack')} {folder}{option}"
        )
    try:
        report: dict[str, Any] = json.loads(read_text(path))
        if not isinstance(report, dict) or not isinstance(report.get("kept"), list):
            raise ValueError("it has no list of results")
    except ValueError as error:
        raise ParameterError(
            f"{path} is damaged: {error}. Attack the run again, which writes it anew."
        ) from error
    return report


def _mean_over_runs(kept: Sequence[Mapping[str, Any]], number: str) -> ClusteredMean:
    values = [each[number] for each in kept]
    if number == "worst":
        return ClusteredMean(min(values), None, None, None, len(values))
    mean = clustered_mean(values, np.arange(len(values)), is_share=True)
    if len(values) == 1 or mean.standard_error:
        return mean
    widest = max(kept, key=lambda each: (each["ci_high"] or 1.0) - (each["ci_low"] or 0.0))
    return replace(mean, ci_low=widest["ci_low"], ci_high=widest["ci_high"])


def _find(
    report: Mapping[str, Any], provers: str, label: int | None, number: str
) -> list[Mapping[str, Any]]:
    return [
        each
        for each in report["kept"]
        # Reports of earlier versions have no worst datapoint.
        if each["provers"] == provers and each["label"] == label and number in each
    ]


def markdown_table(rows: Sequence[RobustnessRow]) -> str:
    """Return the rows as a table in Markdown."""
    columns = [column for column in COLUMNS if any(column in row.cells for row in rows)]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = " | ".join(_cell(row.cells.get(column)) for column in columns)
        lines.append(f"| {row.name} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(mean: ClusteredMean | None) -> str:
    if mean is None:
        return ""
    if mean.ci_low is None or mean.ci_high is None:
        return f"{mean.mean:.3f}"
    return f"{mean.mean:.3f} ({mean.ci_low:.3f}–{mean.ci_high:.3f})"


def write_table(rows: Sequence[RobustnessRow], path: Path) -> None:
    """Write the rows as a table in Markdown, and beside it a picture of the same name."""
    write_atomically(path, markdown_table(rows))
    _draw(rows, path.with_suffix(".png"))


def _draw(rows: Sequence[RobustnessRow], path: Path) -> None:
    from nip.run_store.report.plot_style import COLOURS, GREY, new_figure, save_figure

    figure = new_figure(7.5, 1.2 + 0.62 * len(rows))
    axes = figure.add_subplot()
    height = 0.26
    for offset, column in enumerate(_BARS):
        for place, row in enumerate(rows):
            mean = row.cells.get(column)
            if mean is None:
                continue
            at = place + (offset - 1) * height
            low = mean.mean if mean.ci_low is None else mean.ci_low
            high = mean.mean if mean.ci_high is None else mean.ci_high
            axes.barh(
                at,
                mean.mean,
                height * 0.9,
                color=COLOURS[offset],
                xerr=[[mean.mean - low], [high - mean.mean]],
                error_kw={"ecolor": GREY, "capsize": 2, "linewidth": 1},
            )
            axes.text(0.01, at, f"{mean.mean:.3f}", va="center", fontsize=7, color="white")
        if any(column in row.cells for row in rows):
            axes.barh(0, 0, color=COLOURS[offset], label=column)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accuracy of the verifier, with 95 % intervals over runs", color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    save_figure(figure, path)
