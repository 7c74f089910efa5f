"""Reruns of the tests of a run give the same results."""

import sqlite3
from pathlib import Path

import pytest

from nip.run_store import Run, read_history
from nip.run_store.reading import read_state
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.trainers.text.state import STATE_KEY
from tests.text_experiments import make_text_params, run_text_experiment, text_settings

AGAIN = {"base_run_type": "rerun_tests", "run_id": "base"}


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished run whose models have learnt something."""
    folder = tmp_path_factory.mktemp("runs")
    run_text_experiment(folder, "base")
    first, second = read_state(folder / "base", STATE_KEY)["models"]
    assert first != second
    return folder


def figures_of_tests(runs_dir: Path, run_id: str) -> dict[int, dict[str, float]]:
    """Return the metrics of the tests by iteration."""
    history = read_history(runs_dir / run_id)
    found: dict[int, dict[str, float]] = {}
    for name in history.names():
        for iteration, value in history.values(name) if name.startswith("test_") else []:
            found.setdefault(iteration, {})[name] = value
    return found


def test_the_same_tests_give_the_same_numbers(runs_dir: Path) -> None:
    run_text_experiment(runs_dir, "again", base_run=AGAIN)
    assert figures_of_tests(runs_dir, "again") == figures_of_tests(runs_dir, "base")
    assert set(figures_of_tests(runs_dir, "base")) == {1, 2}
    history = read_history(runs_dir / "again")
    assert all(name.startswith("test_") for name in history.latest_all())
    names = sorted(path.name for path in (runs_dir / "again" / "transcripts").iterdir())
    assert names == ["iteration_0001_test.yaml", "iteration_0002_test.yaml"]
    for name in names:
        files = [runs_dir / run / "transcripts" / name for run in ("again", "base")]
        assert files[0].read_text() == files[1].read_text()


def test_the_scheme_of_tests_may_choose_the_iterations(runs_dir: Path) -> None:
    chosen = {**AGAIN, "rerun_tests_force_test_during_training_state": False}
    text_rl = {"test_scheme": "last", "save_transcripts": False}
    run_text_experiment(runs_dir, "last", base_run=chosen, text_rl=text_rl)
    assert figures_of_tests(runs_dir, "last") == {2: figures_of_tests(runs_dir, "base")[2]}
    assert not (runs_dir / "last" / "transcripts").exists()


@pytest.mark.parametrize("place", ["first rollout", "second rollout table", "between"])
def test_an_interrupted_rerun_resumes(
    runs_dir: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = place.replace(" ", "-")
    owner, name, number = {
        "first rollout": (PureTextRlTrainer, "_show_progress", 3),
        "second rollout table": (PureTextRlTrainer, "_show_progress", 15),
        "between": (Run, "log", 2),
    }[place]
    original, calls = getattr(owner, name), []

    def interrupt(*args: object) -> None:
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt
        original(*args)

    monkeypatch.setattr(owner, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_text_experiment(runs_dir, run_id, base_run=AGAIN)
    monkeypatch.undo()
    run_text_experiment(runs_dir, run_id, base_run=AGAIN)
    assert figures_of_tests(runs_dir, run_id) == figures_of_tests(runs_dir, "base")
    with sqlite3.connect(runs_dir / run_id / "endpoint.db") as endpoint:
        (most,) = endpoint.execute("SELECT max(generations) FROM requests").fetchone()
    endpoint.close()
    with sqlite3.connect(runs_dir / "base" / "endpoint.db") as endpoint:
        (before,) = endpoint.execute("SELECT max(generations) FROM requests").fetchone()
    endpoint.close()
    # The endpoint remembers what the base run asked; each question came once more at most.
    assert most <= before + 1


def test_nothing_is_fine_tuned(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_text_experiment(runs_dir, "untrained", base_run=AGAIN)
    settings = text_settings(runs_dir)
    params = make_text_params(base_run=AGAIN)
    with Run.open(settings, "untrained", params.to_dict()) as run:
        assert run.jobs.all() == []
        assert run.rollouts.iterations("train") == []
        assert run.rollouts.iterations("test") == [1, 2]
