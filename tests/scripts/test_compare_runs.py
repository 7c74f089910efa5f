"""The script that compares groups of runs, with runs of networks and of language models."""

import csv
from pathlib import Path

import numpy as np
import pytest

from nip.commands.compare import main
from nip.run import run_experiment
from nip.run_store import read_history
from tests.comparison.stored_runs import METRIC, write_groups, write_run
from tests.experiments import make_params, make_settings
from tests.scripts.command_lines import error_of
from tests.text_experiments import run_text_experiment

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train networks, and language models with two protocols."""
    folder = tmp_path_factory.mktemp("runs")
    small = {"num_iterations": 1}
    for seed in SEEDS:
        parameters = make_params(trainer="reinforce", seed=seed, rl=small)
        run_experiment(parameters, run_id=f"reinforce-{seed}", settings=make_settings(folder))
        for protocol in ("adp", "solo_verifier"):
            changes = {"interaction_protocol": protocol, "seed": seed, "rl": small}
            run_text_experiment(folder, f"{protocol}-{seed}", **changes)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("groups", [("reinforce",), ("adp", "solo_verifier")])
def test_runs_are_compared_and_all_files_written(runs_dir, tmp_path, capsys, groups) -> None:
    files = [tmp_path / "new" / f"found.{ending}" for ending in ("md", "tex", "csv", "png")]
    patterns = [f"{group}-*" for group in groups]
    line = [*patterns, "--runs-dir", str(runs_dir), "--output", *map(str, files)]
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert METRIC in shown and all(str(path) in shown.replace("\n", "") for path in files)
    means = {
        group: np.mean([read_history(runs_dir / f"{group}-{s}").latest(METRIC) for s in SEEDS])
        for group in groups
    }
    rows = rows_of(files[2])
    found = {row["first"]: float(row["estimate"]) for row in rows if row["kind"] == "group"}
    assert found == pytest.approx(means)
    if len(groups) == 2:
        assert float(rows[-1]["estimate"]) == pytest.approx(means["adp"] - means["solo_verifier"])
    assert files[3].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("unit", ["both", "questions"])
def test_dialogues_are_compared_by_question_with_the_problems_as_clusters(
    runs_dir, tmp_path, capsys, unit: str
) -> None:
    path = tmp_path / "found.csv"
    line = ["adp-*", "solo_verifier-*", "--unit", unit, "--runs-dir", str(runs_dir)]
    assert main([*line, "--output", str(path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    # The test split of the tiny dataset: its dialogues agree with the metric of the run.
    assert "12 questions" in shown and "are about 2 problems" in shown
    mean = np.mean([read_history(runs_dir / f"adp-{seed}").latest(METRIC) for seed in SEEDS])
    assert float(rows_of(path)[0]["estimate"]) == pytest.approx(mean)


def test_networks_cannot_be_compared_by_question(runs_dir, capsys) -> None:
    line = ["reinforce-*", "--unit", "both", "--runs-dir", str(runs_dir)]
    assert "only runs of language models store" in error_of(main, line, capsys)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_groups(tmp_path_factory.mktemp("runs"), {"ppo": (0.5, 0.6), "spg": (0.3, 0.4)})
    write_run(folder, "other", {"seed": 1}, {1: {"loss": 0.5}})
    write_run(folder, "others", {"seed": 2}, {1: {"loss": 0.5}})
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give runs, or groups with --group"),
        (["ppo-*", "--group", "a", "spg-*"], "give either runs or groups with --group, not both"),
        (["--group", "a", "ppo-*", "--group", "a", "spg-*"], "--group a is given twice"),
        (["--group", "a"], "has no runs"),
        (["pop-seed-1", "ppo-seed-2"], "Did you mean 'ppo-seed-1'?"),
        (["ppo-seed-1", "spg-seed-1"], "an interval over seeds needs at least 2"),
        (["ppo-*", "--metric", "test_mean_acuracy"], "Did you mean 'test_mean_accuracy'?"),
        (["ppo-*", "other*"], "No metric is common to all runs."),
        (["ppo-*", "--at", "first"], "should be common, last, best or the number"),
        (["ppo-*", "--at", "9"], "At iteration 9 there is no test_mean_accuracy"),
        (["ppo-*", "--confidence", "95"], "must lie between 0 and 1, got 95"),
        (["ppo-*", "--ignore", "rl.ls"], "Did you mean 'rl.lr'?"),
        (["ppo-*", "--output", "found.pdf"], "should end with .md, .tex, .csv or .png"),
        (["ppo-*", "--output", "/dev/null/found.md"], "/dev/null"),
    ],
)
def test_mistakes_end_with_one_message(written, capsys, arguments, message) -> None:
    line = [*arguments, "--runs-dir", str(written)]
    assert message in error_of(main, line, capsys)


def test_options_reach_the_comparison(written, tmp_path, capsys) -> None:
    path = tmp_path / "found.csv"
    line = ["--group", "one", "ppo-*", "--group", "two", "spg-*", "--runs-dir", str(written)]
    line += ["--metric", METRIC, "mean_accuracy", "--at", "best", "--confidence", "0.9"]
    assert main([*line, "--baseline", "one", "--output", str(path)]) == 0
    rows = rows_of(path)
    assert [row["metric"] for row in rows] == [METRIC] * 3 + ["mean_accuracy"] * 3
    assert (rows[2]["first"], rows[2]["second"]) == ("two", "one")
    shown = capsys.readouterr().out
    assert "90 %" in shown and "too good on average" in " ".join(shown.split())
