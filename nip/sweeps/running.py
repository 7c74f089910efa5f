"""Running a sweep from its file to its end."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from nip.command_line.config_folders import ConfigFolders
from nip.errors import ParameterError
from nip.parameters import scenario_specs
from nip.sweeps.cells import Cell, CellBuilder, describe_values
from nip.sweeps.launcher import launcher_registry
from nip.sweeps.optuna_search import OptunaSearch, check_metric
from nip.sweeps.space import Values, corners, grid, random_combinations
from nip.sweeps.supervisor import Supervisor
from nip.sweeps.sweep_file import SweepParameters
from nip.sweeps.sweep_folder import SUFFIX, SweepFolder
from nip.sweeps.view import SweepView
from nip.utils.stop_signals import cancelling, stop_if_requested

EXIT_FAILED = 1
"""Exit code if cells have failed."""

EXIT_BUDGET = 2
"""Exit code if the budget of the sweep or that of a run is spent."""

STOPPING = "all runs save and end. The same command continues."


def run_sweep(sweep: SweepParameters, folders: ConfigFolders, command: Sequence[str]) -> int:
    """Run the cells of a sweep that are not completed, or report them.

    All cells are checked before the first one starts. Of a search with Optuna, each listed value
    and both ends of each range are checked, and one experiment is built to know its metrics.

    Parameters
    ----------
    sweep : SweepParameters
        The file of the sweep.
    folders : ConfigFolders
        Where named experiments are.
    command : sequence of str
        Program and arguments that run an experiment, without its parameters.

    Returns
    -------
    exit_code : int
        0 if all cells are completed, ``EXIT_FAILED`` or ``EXIT_BUDGET``.

    Raises
    ------
    NipError
        If the sweep cannot be run as requested. In this case no cell was started.
    """
    launcher_class = launcher_registry.get(sweep.launcher)
    builder = CellBuilder(sweep, folders)
    cells = builder.build(_combinations(sweep))
    if sweep.max_cost is not None:
        _check_budget_is_meant(cells)
    if sweep.search == "optuna":
        check_metric(sweep, cells[0])
    if sweep.dry_run:
        from nip.sweeps.dry_run import print_plan_of_sweep

        print_plan_of_sweep(sweep, cells)
        return 0
    folder = SweepFolder(cells[0].folder.parent / f"{sweep.name}{SUFFIX}")
    folder.open()
    with closing(folder):
        if sweep.max_cost is not None:
            folder.set_budget(sweep.max_cost)
        with (
            closing(launcher_class(sweep.launcher_options, folder.path)) as launcher,
            SweepView(str(sweep.name), sweep.workers, folder.claimed, sweep.max_cost) as view,
        ):
            supervisor = Supervisor(folder, launcher, command, sweep.workers, view)
            with cancelling(supervisor.request_stop, STOPPING):
                if sweep.search == "optuna":
                    _search(sweep, builder, folder, supervisor, view)
                else:
                    folder.write_cells(cells)
                    supervisor.run(_with_budget(cells, sweep, folder))
        view.print_summary(supervisor.cells)
        stop_if_requested()
    return _exit_code(supervisor)


def _combinations(sweep: SweepParameters) -> list[Values]:
    """Return all combinations; for a search with Optuna, those that are checked."""
    if sweep.search == "list":
        return list(sweep.combinations)
    if sweep.search == "random":
        assert sweep.num_trials is not None
        return list(random_combinations(sweep.parameters, sweep.num_trials, sweep.search_seed))
    return list((corners if sweep.search == "optuna" else grid)(sweep.parameters))


def _search(
    sweep: SweepParameters,
    builder: CellBuilder,
    folder: SweepFolder,
    supervisor: Supervisor,
    view: SweepView,
) -> None:
    """Run the batches that Optuna proposes."""
    search = OptunaSearch(sweep, folder.path / "optuna.journal")
    for first, combinations in search.batches():
        different = {describe_values(each): each for each in combinations}
        cells = builder.build(different.values())
        ended = supervisor.run(_with_budget(cells, sweep, folder))
        folder.write_cells(each.cell for each in supervisor.cells)
        if supervisor.is_stopping or supervisor.is_budget_spent:
            return
        search.tell(first, combinations, ended)
    if best := search.best():
        values, metric = best
        view.console.print(f"Best {sweep.metric}: {metric:.4g} with {describe_values(values)}")


def _with_budget(cells: Sequence[Cell], sweep: SweepParameters, folder: SweepFolder) -> list[Cell]:
    """Let cells with language models share the budget."""
    if sweep.max_cost is None:
        return list(cells)
    word = f"settings.shared_budget={folder.budget.absolute()}"
    return [replace(cell, overrides=(*cell.overrides, word)) for cell in cells]


def _check_budget_is_meant(cells: Sequence[Cell]) -> None:
    for cell in cells:
        scenario = cell.experiment.hyper_params.scenario
        if scenario_specs[scenario].data != "text":
            raise ParameterError(
                f"max_cost has no effect on the scenario {scenario!r}, whose runs cost nothing. "
                "Leave it out."
            )


def _exit_code(supervisor: Supervisor) -> int:
    statuses = {progress.status for progress in supervisor.cells}
    if supervisor.is_budget_spent:
        return EXIT_BUDGET
    if "failed" in statuses:
        return EXIT_FAILED
    return EXIT_BUDGET if "out of budget" in statuses else 0
