"""The script that plots a metric of several runs."""

import pytest

from nip.commands.plot import main
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
from tests.scripts.command_lines import error_of


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    for run_id, top in (("demo", 0.9), ("demo_random_prover", 0.55)):
        with Run.open(ExperimentSettings(runs_dir=runs_dir), run_id, {}) as run:
            for iteration in range(1, 30):
                run.log(iteration, {"mean_accuracy": 0.5 + (top - 0.5) * iteration / 30})
            run.log(30, {"test_mean_accuracy": top})
    return runs_dir


def test_it_draws_the_runs_and_says_where(runs_dir, capsys):
    arguments = ["demo", "demo_random_prover", "--runs-dir", str(runs_dir), "--smooth", "5"]
    arguments += ["--line", "0.64:a verifier alone", "--label", "learnt", "--label", "random"]
    assert main(arguments) == 0
    path = runs_dir / "learning_curves.png"
    assert str(path) in capsys.readouterr().out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_runs_may_be_given_as_folders_and_the_folder_of_the_picture_is_made(runs_dir, tmp_path):
    path = tmp_path / "pictures" / "one.png"
    assert main([str(runs_dir / "demo"), "--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_run_label_that_is_taken_gives_way_to_the_folder(runs_dir, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "nip.run_store.report.comparison_plot.draw_comparison",
        lambda histories, *_: drawn.extend(histories),
    )
    folder = str(runs_dir / "demo")
    output = str(tmp_path / "x.png")
    assert main(["demo", folder, "--runs-dir", str(runs_dir), "--output", output]) == 0
    assert drawn == ["demo", folder]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmeo"], "Did you mean 'demo'?"),
        (["demo", "--metric", "mean_acuracy"], "Did you mean 'mean_accuracy'?"),
        (["demo", "--line", "ceiling"], "should be a number, a colon and a label"),
        (["demo", "--smooth", "0"], "should be a whole number of at least 1"),
        (["demo", "--label", "a", "--label", "b"], "2 labels for 1 run(s)"),
        (["demo", "--output", "/dev/null/x.png"], "/dev/null"),
        (["demo", "--output", "x.foo"], "'x.foo' should end with .png"),
    ],
)
def test_mistakes_end_with_one_message(runs_dir, capsys, arguments, message):
    assert message in error_of(main, [*arguments, "--runs-dir", str(runs_dir)], capsys)
