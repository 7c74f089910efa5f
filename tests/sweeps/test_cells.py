"""Cells are checked before any starts, and their run ids say what they are."""

from pathlib import Path

import pytest

from nip.command_line.config_folders import ConfigFolders
from nip.command_line.overrides import parse_overrides
from nip.errors import ParameterError, ResumeError
from nip.run_store import Run
from nip.run_store.run_id import check_run_id
from nip.sweeps.cells import Cell, CellBuilder, override
from nip.sweeps.sweep_file import SweepParameters
from tests.source_files import REPOSITORY

FOLDERS = ConfigFolders(REPOSITORY / "configs")


def build(*combinations: dict, base: dict | None = None, **fields) -> list[Cell]:
    shared = {"experiment": "toy", **(base or {})}
    sweep = SweepParameters.from_dict({"name": "s", "base": shared, **fields})
    return CellBuilder(sweep, FOLDERS).build(combinations or [{}])


def test_an_id_is_made_from_the_parameters_alone(working_folder: Path) -> None:
    first, second = build({"rl.lr": 0.5}, seeds=[1, 2])
    assert first.run_id.startswith("s-lr-0.5-seed-1-")
    assert [cell.values for cell in (first, second)] == [
        {"rl.lr": 0.5, "seed": 1},
        {"rl.lr": 0.5, "seed": 2},
    ]
    # Neither the order, nor settings, nor the type of a number matters.
    changed = {"settings.num_threads": 2, "rl.num_iterations": 100}
    (again,) = build({"rl.lr": 1}, base={"ppo.clip_epsilon": 0.1, **changed}, seeds=[1])
    turned = {"rl.num_iterations": 100, "ppo.clip_epsilon": 0.1}
    (same,) = build({"rl.lr": 1.0}, base=turned, seeds=[1])
    assert again.key == same.key
    assert again.key != first.key


def test_a_run_keeps_its_name_when_a_parameter_of_the_base_is_varied(working_folder: Path) -> None:
    (first,) = build(base={"rl.lr": 0.5})
    experiment = first.experiment
    Run.open(experiment.settings, first.run_id, experiment.hyper_params.to_dict()).close()
    cells = build({"rl.lr": 0.25}, {"rl.lr": 0.5})
    assert [cell.run_id == first.run_id for cell in cells] == [False, True]
    # The seed that it had by default.
    (cell,) = build(base={"rl.lr": 0.5}, seeds=[experiment.hyper_params.seed])
    assert cell.run_id == first.run_id


def test_an_existing_run_with_other_parameters_is_refused(working_folder: Path) -> None:
    (cell,) = build()
    other = {**cell.experiment.hyper_params.to_dict(), "d_representation": 3}
    Run.open(cell.experiment.settings, cell.run_id, other).close()
    with pytest.raises(ResumeError, match="was started with other parameters"):
        build()


@pytest.mark.parametrize(
    ("combination", "message"),
    [
        ({"rl.lrr": 1}, r"With rl.lrr=1: There is no parameter 'rl.lrr'. Did you mean 'rl.lr'?"),
        ({"rl.lr": -1}, r"With rl.lr=-1: rl.lr must be .* above 0, got -1"),
        ({"rl.lr": "0.1"}, r"rl.lr must be .* got '0.1'"),
        ({"experiment": "toyy"}, "Did you mean 'toy'"),
        ({"num_parallel_seeds": 2}, "num_parallel_seeds=2 cannot be used in a sweep"),
        ({"settings.runs_dir": ""}, "settings.runs_dir must name a folder"),
    ],
)
def test_a_bad_cell_is_named(working_folder: Path, combination: dict, message: str) -> None:
    base = {} if "experiment" in combination else {"experiment": "toy"}
    sweep = SweepParameters.from_dict({"name": "s", "base": base})
    with pytest.raises(ParameterError, match=message):
        CellBuilder(sweep, FOLDERS).build([combination])
    assert not list(working_folder.iterdir())


def test_two_cells_that_are_one_run_are_refused(working_folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"same run .*: rl.lr=1 and rl.lr=1.0"):
        build({"rl.lr": 1}, {"rl.lr": 1.0})


def test_a_long_name_is_cut_and_stays_valid(working_folder: Path) -> None:
    (cell,) = build({"dataset": "witness", "rl.lr": 0.123456789}, base={"seed": 3}, name="n" * 60)
    check_run_id(cell.run_id)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -3, 1.5, 1e-05, 1e300),
        *("plain", "with blank", "1_0", "1e5", "true", "null", "nan", "", "it's", "a\\b", "a,b"),
        *("\\'", "(x)", "a=b", "{a}", "[", "é", "${x}"),
        *([], [1, "a b", None], {}, {"a": 1, "b": ["x", {"c": "1"}]}),
    ],
)
def test_a_value_is_what_the_command_line_reads(value: object) -> None:
    (parsed,) = parse_overrides([override("name", value)])
    assert parsed.value() == value
    assert type(parsed.value()) is type(value)
