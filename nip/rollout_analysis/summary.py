"""Proportions of yes among the answers, with confidence intervals."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from rich.table import Table

from nip.rollout_analysis.registry import analyser_registry
from nip.run_store.database.analysis_store import AnalysisRow
from nip.utils.clustered_mean import clustered_mean
from nip.utils.unicode_text import escape_controls


@dataclass(frozen=True)
class SummaryRow:
    """Results of one analyser for one agent in one stage."""

    analyser: str
    """Name of the analyser."""

    model: str
    """Provider and name of the model; empty if none was asked."""

    prompt_sha256: str
    """Hash of the prompt; empty if no model was asked."""

    phase: str
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 1."""

    agent: str
    """The agent that the question is about."""

    share: float | None
    """Proportion of yes among the answers yes and no; None if there are none."""

    ci_low: float | None
    """Lower end of its 95 % confidence interval, by the unit of the split; None with one unit."""

    ci_high: float | None
    """Upper end of its 95 % confidence interval."""

    num_yes: int
    """Dialogues with the answer yes."""

    num_no: int
    """Dialogues with the answer no."""

    num_unknown: int
    """Dialogues without a readable answer."""

    num_not_applicable: int
    """Dialogues that the question does not apply to."""


def summarise(
    rows: Iterable[AnalysisRow], cluster_of: Mapping[str, str] | None = None
) -> list[SummaryRow]:
    """Summarise results, in any order, by analyser, model, prompt, stage and agent.

    ``cluster_of`` maps ids of datapoints to their clusters, such as the problem; ids that are not
    in it are clusters of their own.
    """
    groups = groupby(sorted(rows, key=_key), key=_key)
    return [_summary(*key, list(group), cluster_of or {}) for key, group in groups]


def summary_tables(summary: Sequence[SummaryRow]) -> Iterator[Table]:
    """Yield one table per analyser, for the terminal."""
    for name, rows in groupby(summary, key=lambda row: row.analyser):
        title = f"{name}: {analyser_registry[name].question}"
        table = Table("agent", "stage", title=title, title_justify="left")
        for column in ("yes", "95 % interval", "of", "unknown", "not applicable"):
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(
                row.agent,
                f"{row.phase} {row.iteration}",
                "" if row.share is None else f"{row.share:.1%}",
                _interval(row),
                str(row.num_yes + row.num_no),
                str(row.num_unknown),
                str(row.num_not_applicable),
            )
        yield table


def _interval(row: SummaryRow) -> str:
    if row.share is None:
        return ""
    if row.ci_low is None:
        return "undefined: one cluster"
    return f"{row.ci_low:.1%} to {row.ci_high:.1%}"


def summary_json(run_id: str, summary: Sequence[SummaryRow]) -> str:
    """Encode a summary as JSON."""
    tree = {"run_id": run_id, "summary": [asdict(row) for row in summary]}
    return escape_controls(json.dumps(tree, indent=2, ensure_ascii=False)) + "\n"


_Key = tuple[str, str, str, int, str, str]


def _key(row: AnalysisRow) -> _Key:
    return (
        row.analyser,
        row.model,
        row.prompt_sha256,
        row.iteration,
        # Training before the test of the same iteration.
        {"train": "0", "test": "1"}.get(row.phase, "2") + row.phase,
        row.agent,
    )


def _summary(
    analyser: str,
    model: str,
    prompt_sha256: str,
    iteration: int,
    phase: str,
    agent: str,
    rows: list[AnalysisRow],
    cluster_of: Mapping[str, str],
) -> SummaryRow:
    known = [row for row in rows if row.finding in ("yes", "no")]
    counts = {
        finding: sum(row.finding == finding for row in rows)
        for finding in ("yes", "no", "unknown", "not_applicable")
    }
    mean = None
    if known:
        answers = [row.finding == "yes" for row in known]
        clusters = [cluster_of.get(row.datapoint_id, row.datapoint_id) for row in known]
        mean = clustered_mean(answers, clusters, is_share=True)
    return SummaryRow(
        analyser=analyser,
        model=model,
        prompt_sha256=prompt_sha256,
        phase=phase[1:],
        iteration=iteration,
        agent=agent,
        share=None if mean is None else mean.mean,
        ci_low=None if mean is None else mean.ci_low,
        ci_high=None if mean is None else mean.ci_high,
        **{f"num_{finding}": count for finding, count in counts.items()},
    )
