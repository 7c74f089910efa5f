"""Proportions of yes and their intervals."""

import io
import json

import pytest
from rich.console import Console

from nip.rollout_analysis.summary import summarise, summary_json, summary_tables
from nip.run_store.database.analysis_store import AnalysisRow


def row(finding: str, datapoint: str, position: int = 0, **changes) -> AnalysisRow:
    values = {
        "analyser": "prover_holds_role",
        "model": "openai:x",
        "prompt_sha256": "abc",
        "phase": "train",
        "iteration": 1,
        "agent": "prover",
    }
    return AnalysisRow(
        **{**values, **changes}, position=position, datapoint_id=datapoint, finding=finding
    )


def test_a_proportion_has_the_clustered_interval():
    # Two rollouts of each of three questions, with 2, 2 and 0 times yes: the mean is 2/3, the sums
    # of the deviations are 2/3, 2/3 and -4/3, and the variance 3/2 * 24/9 / 36 = 1/9. With
    # t = 4.302653 (2 degrees of freedom) the half width is 1.43, cut off at 0 and 1.
    rows = [
        row(finding, question, position)
        for position, (finding, question) in enumerate(
            [("yes", "a")] * 2 + [("yes", "b")] * 2 + [("no", "c")] * 2
        )
    ]
    (summary,) = summarise(rows)
    assert summary.share == pytest.approx(2 / 3)
    assert (summary.ci_low, summary.ci_high) == (0.0, 1.0)
    assert (summary.num_yes, summary.num_no) == (4, 2)


def test_only_yes_has_the_exact_interval_of_its_questions():
    # Clopper and Pearson for 4 of 4: the lower end is 0.025^(1/4) = 0.397635.
    rows = [row("yes", question, place) for place, question in enumerate("abcd")]
    (summary,) = summarise(rows)
    assert (summary.share, summary.ci_high) == (1.0, 1.0)
    assert summary.ci_low == pytest.approx(0.397635, abs=1e-6)


def test_solutions_of_one_problem_are_one_cluster():
    # Clopper and Pearson for 2 of 2: the lower end is 0.025^(1/2) = 0.158114.
    rows = [row("yes", question, place) for place, question in enumerate("abcd")]
    (summary,) = summarise(rows, {"a": "p", "b": "p", "c": "q", "d": "q", "e": "r"})
    assert (summary.share, summary.ci_high) == (1.0, 1.0)
    assert summary.ci_low == pytest.approx(0.158114, abs=1e-6)


def test_unknown_and_not_applicable_are_counted_but_not_part_of_the_proportion():
    (summary,) = summarise([row("unknown", "a"), row("not_applicable", "b", 1)])
    assert (summary.share, summary.ci_low, summary.ci_high) == (None, None, None)
    assert (summary.num_unknown, summary.num_not_applicable) == (1, 1)


def test_groups_are_ordered_by_stage_with_training_before_the_test():
    rows = [
        row("yes", "a", phase=phase, iteration=iteration, agent=agent)
        for iteration in (2, 1)
        for phase in ("test", "train")
        for agent in ("prover1", "prover0")
    ]
    summary = summarise(rows)
    assert [(each.iteration, each.phase, each.agent) for each in summary] == [
        (iteration, phase, agent)
        for iteration in (1, 2)
        for phase in ("train", "test")
        for agent in ("prover0", "prover1")
    ]


def test_tables_and_json_show_the_numbers():
    summary = summarise([row("yes", "a"), row("no", "b", 1), row("unknown", "c", 2)])
    console = Console(file=io.StringIO(), width=120)
    for table in summary_tables(summary):
        console.print(table)
    shown = console.file.getvalue()
    assert "prover_holds_role: argues for its side from beginning to end" in shown
    assert "50.0%" in shown and "train 1" in shown
    tree = json.loads(summary_json("r", summary))
    assert tree["run_id"] == "r"
    assert tree["summary"][0]["num_unknown"] == 1


def test_a_single_question_has_no_interval_and_the_table_says_so():
    summary = summarise([row("yes", "a"), row("no", "a", 1)])
    assert (summary[0].share, summary[0].ci_low, summary[0].ci_high) == (0.5, None, None)
    console = Console(file=io.StringIO(), width=160)
    for table in summary_tables(summary):
        console.print(table)
    assert "undefined: one cluster" in console.file.getvalue()
