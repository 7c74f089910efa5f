"""Tables of a comparison: for the terminal, Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nip.comparison.differences import POWER
from nip.comparison.estimates import Interval
from nip.comparison.results import Comparison, ComparisonOptions, MetricResult, PairResult
from nip.errors import shown
from nip.parameters.tree.difference import ABSENT
from nip.utils.console import open_console
from nip.utils.unicode_text import visible

_STATISTICS = {"mean": "mean", "iqm": "interquartile mean"}
_UNITS = {
    "seeds": "over seeds",
    "questions": "over questions, for these agents",
    "both": "over seeds and questions",
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "≥": r"$\geq$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
}
_MAX_VALUE = 60
_MAX_PARAMETERS = 20
"""Number of differing parameters that the terminal shows."""

PARAMETERS_TITLE = "Parameters that differ"

CSV_COLUMNS = (
    "metric",
    "kind",
    "first",
    "second",
    "num_runs",
    "estimate",
    "low",
    "high",
    "standard_deviation",
    "p_value",
    "adjusted_p_value",
    "minimum_detectable",
    "probability_of_improvement",
    "probability_low",
    "probability_high",
)


@dataclass(frozen=True)
class TextTable:
    """A table of texts."""

    title: str
    """What the table shows."""

    columns: tuple[str, ...]
    """Names of the columns."""

    rows: tuple[tuple[str, ...], ...]
    """The cells, row by row."""

    @property
    def is_text(self) -> bool:
        """Whether its cells are values of parameters, and not aligned as numbers."""
        return self.title == PARAMETERS_TITLE


def text_tables(comparison: Comparison) -> Iterator[TextTable]:
    """Yield the tables of each metric, and at the end the differing parameters."""
    for metric in comparison.metrics:
        yield _estimates(metric, comparison)
        if metric.pairs:
            yield _differences(metric, comparison)
        if any(pair.probability is not None for pair in metric.pairs):
            yield _probabilities(metric, comparison.options)
    if comparison.parameters:
        names = tuple(group.name for group in comparison.groups)
        rows = tuple(
            (name, *map(_parameter, values)) for name, values in comparison.parameters.items()
        )
        yield TextTable(PARAMETERS_TITLE, ("parameter", *names), rows)


def _estimates(metric: MetricResult, comparison: Comparison) -> TextTable:
    options = comparison.options
    statistic = _STATISTICS[options.statistic]
    questions = "" if metric.num_questions is None else f", {metric.num_questions} questions"
    title = f"{metric.metric}: {statistic} {_UNITS[options.unit]}{questions}; {metric.at}"
    rows = tuple(
        (
            result.group,
            str(len(result.values)),
            _number(result.estimate.value, metric.is_share),
            _ends(result.estimate, metric.is_share),
            _number(result.standard_deviation, metric.is_share),
        )
        for result in metric.groups
    )
    columns = ("group", "runs", statistic, _interval_name(options), "sd of runs")
    return TextTable(title, columns, rows)


def _differences(metric: MetricResult, comparison: Comparison) -> TextTable:
    number = comparison.num_tests
    title = (
        f"{metric.metric}: differences, with p corrected for {number} "
        f"{'test' if number == 1 else 'tests'} (Holm), and the smallest difference that is "
        f"detected with probability {POWER}"
    )
    columns = (
        "difference of",
        "value",
        _interval_name(comparison.options),
        "p",
        "p (Holm)",
        "detectable",
    )
    rows = tuple(_difference_row(pair, metric.is_share) for pair in metric.pairs)
    return TextTable(title, columns, rows)


def _difference_row(pair: PairResult, is_share: bool) -> tuple[str, ...]:
    difference = pair.difference
    return (
        f"{pair.first} − {pair.second}",
        _number(difference.interval.value, is_share, sign="+"),
        _ends(difference.interval, is_share, sign="+"),
        _probability(difference.p_value),
        _probability(pair.adjusted_p_value),
        _number(difference.minimum_detectable, is_share),
    )


def _probabilities(metric: MetricResult, options: ComparisonOptions) -> TextTable:
    rows = tuple(
        (f"{pair.first} > {pair.second}", f"{found.value:.2f}", _ends(found, True))
        for pair in metric.pairs
        if (found := pair.probability) is not None
    )
    better = "larger" if options.mode == "max" else "smaller"
    title = f"{metric.metric}: probability that a run is better ({better}) than one of the other"
    return TextTable(title, ("better", "probability", f"{options.confidence * 100:.4g} %"), rows)


def _interval_name(options: ComparisonOptions) -> str:
    method = ", bootstrap" if options.interval == "percentile" else ""
    return f"{options.confidence * 100:.4g} %{method}"


def _number(value: float | None, is_share: bool, sign: str = "") -> str:
    if value is None:
        return ""
    text = format(value, f"{sign}.3f" if is_share else f"{sign}.4g")
    # What rounds to 0 has no sign.
    return text if float(text) else text.lstrip("+-")


def _ends(interval: Interval, is_share: bool, sign: str = "") -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{_number(interval.low, is_share, sign)} to {_number(interval.high, is_share, sign)}"


def _probability(p_value: float | None) -> str:
    if p_value is None:
        return "–"
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"


def _parameter(value: object) -> str:
    return "(none)" if value is ABSENT else shown(value, _MAX_VALUE)


def remarks(comparison: Comparison) -> list[str]:
    """Return what has to be said with the tables, as sentences."""
    return [
        *(
            f"{group.name}: runs {', '.join(group.run_ids)} (seeds "
            f"{', '.join(map(str, group.seeds))})."
            for group in comparison.groups
        ),
        *comparison.notes,
    ]


def markdown(comparison: Comparison) -> str:
    """Return the tables and remarks in Markdown."""
    parts = []
    for table in text_tables(comparison):
        lines = [
            f"**{_markdown_cell(table.title)}**",
            "",
            _markdown_row(table.columns),
            "|---" * len(table.columns) + "|",
            *map(_markdown_row, table.rows),
        ]
        parts.append("\n".join(lines))
    parts.append("\n".join(f"- {_markdown_cell(each)}" for each in remarks(comparison)))
    return "\n\n".join(parts) + "\n"


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_markdown_cell, cells)) + " |"


def _markdown_cell(text: str) -> str:
    plain = visible(text).replace("\n", " ").replace("\\", "\\\\")
    for sign in "|*_`<":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


def latex(comparison: Comparison) -> str:
    """Return the tables in LaTeX, for the package ``booktabs``, with the remarks as comments."""
    parts = []
    for table in text_tables(comparison):
        lines = [
            r"\begin{table}",
            rf"\caption{{{_latex_text(table.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            _latex_row(table.columns),
            r"\midrule",
            *map(_latex_row, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        parts.append("\n".join(lines))
    comments = "\n".join(f"% {' '.join(visible(each).split())}" for each in remarks(comparison))
    return "\n\n".join([*parts, comments]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex_text, cells)) + r" \\"


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in visible(text))


def csv_text(comparison: Comparison) -> str:
    """Return the numbers in full precision, as a table with ``CSV_COLUMNS``.

    A row of the kind ``group`` is an estimate of the group ``first``, one of the kind
    ``difference`` is ``first`` less ``second``.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for metric in comparison.metrics:
        for result in metric.groups:
            writer.writerow(
                {
                    "metric": metric.metric,
                    "kind": "group",
                    "first": result.group,
                    "num_runs": len(result.values),
                    "standard_deviation": result.standard_deviation,
                    **_numbers(result.estimate, ("estimate", "low", "high")),
                }
            )
        for pair in metric.pairs:
            writer.writerow({"metric": metric.metric, "kind": "difference", **_pair_cells(pair)})
    return file.getvalue()


def _pair_cells(pair: PairResult) -> dict[str, object]:
    names = ("probability_of_improvement", "probability_low", "probability_high")
    probability = {} if pair.probability is None else _numbers(pair.probability, names)
    return {
        "first": pair.first,
        "second": pair.second,
        "p_value": pair.difference.p_value,
        "adjusted_p_value": pair.adjusted_p_value,
        "minimum_detectable": pair.difference.minimum_detectable,
        **_numbers(pair.difference.interval, ("estimate", "low", "high")),
        **probability,
    }


def _numbers(interval: Interval, names: Sequence[str]) -> dict[str, object]:
    return dict(zip(names, (interval.value, interval.low, interval.high), strict=True))


def print_comparison(comparison: Comparison) -> None:
    """Print the tables and remarks on the terminal."""
    console = open_console()
    for table in text_tables(comparison):
        console.print(_rich_table(table))
    for remark in remarks(comparison):
        console.print(Text(remark))


def _rich_table(table: TextTable) -> Table:
    shown_table = Table(
        title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD
    )
    for index, column in enumerate(table.columns):
        is_text = index == 0 or table.is_text
        # Names wrap before numbers do.
        shown_table.add_column(
            column,
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
        )
    num_shown = len(table.rows)
    if table.is_text:
        num_shown = min(num_shown, _MAX_PARAMETERS)
    for row in table.rows[:num_shown]:
        shown_table.add_row(*row)
    if num_shown < len(table.rows):
        shown_table.add_row(f"and {len(table.rows) - num_shown} more, all of which --output has")
    return shown_table
