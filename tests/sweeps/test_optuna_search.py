"""A search with Optuna proposes the same combinations again, and continues where it was."""

from pathlib import Path
from typing import Any

import pytest

from nip.commands.sweep import main
from nip.errors import ParameterError
from nip.sweeps.cell_state import CellState
from nip.sweeps.cells import Cell
from nip.sweeps.space import Values
from nip.sweeps.supervisor import CellProgress
from nip.sweeps.sweep_file import SweepParameters

pytest.importorskip("optuna", reason="optuna is not installed (extra optuna)")

from nip.sweeps.optuna_search import OptunaSearch

SPACE = {
    "x": {"low": -2.0, "high": 2.0},
    "n": {"low": 1, "high": 4},
    "kind": ["a", [1, 2], None],
}


def search(folder: Path, **changes: Any) -> OptunaSearch:
    fields = {
        "name": "s",
        "search": "optuna",
        "parameters": SPACE,
        "num_trials": 24,
        "metric": "score",
        "seeds": [1, 2],
        **changes,
    }
    return OptunaSearch(SweepParameters.from_dict(fields), folder / "optuna.journal")


def ended(values: Values, seed: int, status: str = "completed") -> CellProgress:
    score = -((values["x"] - 1) ** 2) - values["n"] + seed
    state = CellState("completed", {"score": score})
    nothing: Any = None
    cell = Cell(f"s-{seed}", {**values, "seed": seed}, (), nothing)
    return CellProgress(cell, state, status)  # type: ignore[arg-type]


def run(found: OptunaSearch, num_batches: int = 99) -> list[Values]:
    """Play batches of a search; return the combinations that it has proposed."""
    proposed = []
    for number, (first, combinations) in enumerate(found.batches()):
        proposed += combinations
        if number == num_batches:
            break  # Killed before the results of this batch are stored.
        cells = [ended(values, seed) for values in combinations for seed in (1, 2)]
        found.tell(first, combinations, cells)
    return proposed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Values]:
    return run(search(tmp_path_factory.mktemp("whole")))


def test_it_improves_the_mean_over_the_seeds(whole: list[Values], tmp_path: Path) -> None:
    found = search(tmp_path)
    assert run(found) == whole
    best = found.best()
    assert best is not None
    values, metric = best
    assert values in whole
    assert metric == max(-((each["x"] - 1) ** 2) - each["n"] + 1.5 for each in whole)
    # Ten trials are random; the others know what was good.
    late = [abs(each["x"] - 1) for each in whole[12:]]
    assert sum(late) / len(late) < sum(abs(each["x"] - 1) for each in whole[:10]) / 10


def test_a_killed_search_proposes_the_same_again(whole: list[Values], tmp_path: Path) -> None:
    for num_batches in (0, 3, 4):
        assert run(search(tmp_path), num_batches) == whole[: 4 * (num_batches + 1)]
    assert run(search(tmp_path)) == whole


def test_more_trials_continue_a_finished_search(whole: list[Values], tmp_path: Path) -> None:
    assert run(search(tmp_path, num_trials=6)) == whole[:6]
    assert run(search(tmp_path)) == whole


def test_another_seed_is_another_search(whole: list[Values], tmp_path: Path) -> None:
    assert run(search(tmp_path, search_seed=1, num_trials=4)) != whole[:4]
    assert run(search(tmp_path, num_trials=4)) == whole[:4]


def test_failed_trials_are_left_out(tmp_path: Path) -> None:
    found = search(tmp_path, num_trials=4)
    ((first, combinations),) = found.batches()
    statuses = ("failed", "completed", "completed", "completed")
    cells = [
        ended(values, seed, status)
        for values, status in zip(combinations, statuses, strict=True)
        for seed in (1, 2)
    ]
    found.tell(first, combinations, cells)
    best = found.best()
    assert best is not None and best[0] in combinations[1:]


def test_a_metric_that_the_runs_do_not_have_is_refused(tmp_path: Path) -> None:
    found = search(tmp_path, metric="scores", num_trials=1)
    ((first, combinations),) = found.batches()
    with pytest.raises(ParameterError, match="Did you mean 'score'"):
        found.tell(first, combinations, [ended(combinations[0], 1)])


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_misspelt_metric_is_refused_before_anything_is_trained(
    working_folder: Path, capsys: pytest.CaptureFixture[str], dry_run: bool
) -> None:
    file = working_folder / "s.yaml"
    fields = "search: optuna\nnum_trials: 2\nparameters: {rl.lr: [0.1, 0.2]}\n"
    file.write_text(f"{fields}base: {{experiment: toy}}\nmetric: mean_accurac\n")
    assert main([str(file), f"dry_run={dry_run}".lower()]) == 2
    assert "metric='mean_accurac' is not among the metrics of its runs. Did you mean" in (
        capsys.readouterr().err
    )
    assert not (working_folder / "runs").exists()


def test_a_metric_that_runs_have_passes_the_check(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = working_folder / "s.yaml"
    fields = "search: optuna\nnum_trials: 2\nparameters: {rl.lr: [0.1, 0.2]}\n"
    file.write_text(f"{fields}base: {{experiment: toy}}\nmetric: test_mean_accuracy\n")
    assert main([str(file), "dry_run=true"]) == 0
    assert "Nothing was trained" in capsys.readouterr().out
