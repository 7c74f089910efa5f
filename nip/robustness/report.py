"""Report of an attack: accuracies with intervals, as JSON, as a table, and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nip.utils.clustered_mean import clustered_mean
from nip.utils.files import write_atomically

if TYPE_CHECKING:
    from rich.table import Table

JSON_FILE = "attack.json"
PICTURE = "attack.png"


@dataclass(frozen=True)
class Kept:
    """Accuracy of the verifier on datapoints of one label, or of both, against some provers."""

    provers: str
    """Which provers answered."""

    label: int | None
    """Label of the datapoints; None for both, each with its share of the datapoints."""

    accuracy: float
    """Mean over datapoints of the share of right decisions."""

    ci_low: float | None
    """Lower end of the 95 % confidence interval; None with a single datapoint."""

    ci_high: float | None
    """Upper end of the interval."""

    num_datapoints: int
    """Number of datapoints."""

    worst: float
    """Least share of right decisions about any datapoint."""


@dataclass(frozen=True)
class AttackReport:
    """What a verifier keeps of its accuracy under attack."""

    run_id: str
    """The attacked run."""

    iteration: int
    """Iteration of the attacked checkpoint."""

    num_iterations: int
    """Iterations of training of each attack."""

    attacks: tuple[str, ...]
    """Names of the runs in which attackers were trained."""

    kept: tuple[Kept, ...]
    """Accuracies, from the provers of the run to the strongest attack."""

    note: str = ""
    """Why the best answers were not searched for; empty if they were."""

    dataset: str | None = None
    """Dataset of the attack; None: that of the run."""

    @property
    def robust_accuracy(self) -> float:
        """Accuracy on both labels against the strongest attack."""
        return [each for each in self.kept if each.label is None][-1].accuracy

    def write(self, folder: Path) -> None:
        """Write ``attack.json`` and ``attack.png`` into a folder.

        With a dataset other than that of the run, its name is part of the names of the files.
        """
        text = json.dumps({**asdict(self), "robust_accuracy": self.robust_accuracy}, indent=2)
        write_atomically(folder / file_name(JSON_FILE, self.dataset), text + "\n")
        draw(self, folder / file_name(PICTURE, self.dataset))

    def table(self) -> "Table":
        """Return the accuracies as a table for the terminal."""
        from rich.table import Table

        title = f"Accuracy of the verifier of {self.run_id}"
        table = Table(title=title if self.dataset is None else f"{title} on {self.dataset}")
        table.add_column("provers", no_wrap=True)
        for name in ("label 0", "label 1", "both"):
            table.add_column(name, justify="right")
        for provers in dict.fromkeys(each.provers for each in self.kept):
            cells = {each.label: each for each in self.kept if each.provers == provers}
            table.add_row(provers, *(_cell(cells.get(label)) for label in (0, 1, None)))
        return table


def file_name(name: str, dataset: str | None) -> str:
    """Return the name of a file of a report, with the dataset if it is not that of the run."""
    stem, suffix = name.split(".")
    return name if dataset is None else f"{stem}-{dataset}.{suffix}"


def kept_of(provers: str, label: int | None, values: NDArray[np.float64]) -> Kept:
    """Summarise the shares of right decisions about datapoints, (datapoint,)."""
    mean = clustered_mean(values, np.arange(len(values)), is_share=True)
    return Kept(provers, label, mean.mean, mean.ci_low, mean.ci_high, len(values), values.min())


def draw(report: AttackReport, path: Path) -> None:
    """Draw the accuracies as bars with their intervals."""
    from nip.run_store.report.plot_style import COLOURS, GREY, new_figure, save_figure

    provers = list(dict.fromkeys(each.provers for each in report.kept))
    figure = new_figure(7.5, 1.2 + 0.62 * len(provers))
    axes = figure.add_subplot()
    groups: Sequence[tuple[int | None, str]] = ((0, "label 0"), (1, "label 1"), (None, "both"))
    height = 0.26
    for offset, (label, name) in enumerate(groups):
        rows = [each for each in report.kept if each.label == label]
        at = [provers.index(each.provers) + (offset - 1) * height for each in rows]
        errors = np.array(
            [
                (
                    each.accuracy - (each.accuracy if each.ci_low is None else each.ci_low),
                    (each.accuracy if each.ci_high is None else each.ci_high) - each.accuracy,
                )
                for each in rows
            ]
        ).T
        axes.barh(
            at,
            [each.accuracy for each in rows],
            height * 0.9,
            color=COLOURS[offset],
            label=name,
            xerr=errors if rows else None,
            error_kw={"ecolor": GREY, "capsize": 2, "linewidth": 1},
        )
        for position, each in zip(at, rows, strict=True):
            axes.text(
                0.01,
                position,
                f"{each.accuracy:.3f}",
                va="center",
                fontsize=7,
                color="white" if each.accuracy > 0.1 else GREY,
            )
    axes.set_yticks(range(len(provers)), provers)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accuracy of the verifier, with 95 % intervals", color=GREY)
    axes.set_title(f"{report.run_id}: accuracy under attack", loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    save_figure(figure, path)


def _cell(kept: Kept | None) -> str:
    if kept is None:
        return ""
    if kept.ci_low is None or kept.ci_high is None:
        return f"{kept.accuracy:.3f}"
    return f"{kept.accuracy:.3f} ({kept.ci_low:.3f}-{kept.ci_high:.3f})"
