"""What the terminal shows of a sweep that goes on."""

import io
import re
from pathlib import Path

from rich.console import Console

from nip.command_line.config_folders import ConfigFolders
from nip.run_store import Run
from nip.sweeps.cell_state import CellState
from nip.sweeps.cells import Cell, CellBuilder
from nip.sweeps.supervisor import CellProgress
from nip.sweeps.sweep_file import SweepParameters
from nip.sweeps.view import SweepView
from tests.source_files import REPOSITORY


def cells_of(num_seeds: int) -> list[Cell]:
    fields = {"name": "s", "base": {"experiment": "toy"}, "seeds": list(range(num_seeds))}
    builder = CellBuilder(SweepParameters.from_dict(fields), ConfigFolders(REPOSITORY / "configs"))
    return builder.build([{"rl.num_iterations": 10}])


def shown(progress: list[CellProgress], workers: int, width: int = 100) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, height=60, color_system=None)
    with SweepView("s", workers, console=console) as view:
        view.update(progress)
    # The table is drawn again before it is removed.
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue().rsplit("s: ", 1)[1])


def test_running_cells_have_their_iteration_and_shorten_what_is_left(working_folder: Path) -> None:
    done, going, begun, waiting = cells_of(4)
    experiment = going.experiment
    with Run.open(experiment.settings, going.run_id, experiment.hyper_params.to_dict()) as run:
        run.start()
        run.log(8, {"mean_accuracy": 0.5})
        progress = [
            CellProgress(done, CellState("completed"), "completed", seconds=100.0),
            CellProgress(going, CellState("in use"), "running"),
            CellProgress(begun, CellState("new"), "running"),
            CellProgress(waiting, CellState("new"), "waiting"),
        ]
        text = shown(progress, workers=2)
    assert re.search(rf"{going.run_id} +│ +8 / 10 ", text)
    assert re.search(rf"{begun.run_id} +│ +0 / 10 ", text)
    # 0.2 + 1 + 1 cells of 100 seconds each, two at once.
    assert "1 waiting, 2 running, 1 completed, about 0:01:50 left" in text


def test_of_many_running_cells_the_rest_is_counted(working_folder: Path) -> None:
    cells = cells_of(23)
    progress = [CellProgress(cell, CellState("new"), "running") for cell in cells]
    text = shown(progress, workers=23)
    assert text.count("0 / 10") == 20
    assert "and 3 more" in text


def test_names_are_whole_in_a_narrow_terminal(working_folder: Path) -> None:
    (cell,) = cells_of(1)
    text = shown([CellProgress(cell, CellState("new"), "running")], workers=1, width=40)
    rows = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    assert "".join(rows) == cell.run_id


def test_a_cell_that_the_budget_stopped_is_not_called_failed(working_folder: Path) -> None:
    (cell,) = cells_of(1)
    output = io.StringIO()
    progress = CellProgress(cell, CellState("failed", cost=0.03), "out of budget", "All is spent")
    with SweepView("s", 1, console=Console(file=output, width=200)) as view:
        view.report(progress)
        view.print_summary([progress])
    text = output.getvalue()
    assert f"{cell.run_id} is out of budget: All is spent" in text
    assert "1 cells, 1 out of budget" in text
    assert "failed" not in text
