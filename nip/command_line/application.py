"""What happens around Hydra: all checks before it, and one run within each of its jobs."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig

from nip.command_line.composition import (
    Composition,
    ConfigFolders,
    compose_run,
    offer_defaults,
)
from nip.command_line.errors import plain_messages
from nip.command_line.overrides import parse_overrides, refuse_sweeps, single_jobs
from nip.command_line.request import Request, read_request
from nip.command_line.run_names import keys_without_sweep, name_of_job
from nip.errors import NipError, ParameterError
from nip.run import new_run_id, prepare_experiment, run_experiment
from nip.utils.ranks import launched_ranks


def stopped_early() -> str:
    """Say after Ctrl-C that there is nothing to go on with."""
    return "Stopped before anything was run."


def check_arguments(arguments: Sequence[str], configs: Path) -> list[str]:
    """Check everything that can be checked before a run, so that a mistake is told at once.

    Afterwards Hydra knows the tree of defaults that these arguments need.

    Parameters
    ----------
    arguments : Sequence[str]
        The command line without the name of the program.
    configs : Path
        Folder of the YAML files.

    Returns
    -------
    arguments : list[str]
        What Hydra is to be given.

    Raises
    ------
    SystemExit
        With exit code 2 and a message, if the user made a mistake; with 0 after ``--help``.
    """
    with plain_messages(stopped_early):
        options = _parse(arguments)
        folders = _folders(configs, options.config_dir)
        added: list[str] = []
        if options.help:
            from nip.command_line.help_text import print_help

            print_help(options.overrides, folders)
            raise SystemExit(0)
        if options.multirun:
            added = _check_sweep(options.overrides, folders)
        elif options.cfg:
            compose_run(_checked_single(options.overrides), folders, may_be_incomplete=True)
        elif _is_about_hydra(options):
            _offer_what_fits(options, folders)
        else:
            read_request(compose_run(_checked_single(options.overrides), folders).tree)
    flags = list(arguments)
    for override in options.overrides:
        flags.remove(override)
    return [*options.overrides, *added, *flags]


def run_job() -> None:
    """Run the experiment of the current Hydra job.

    Raises
    ------
    SystemExit
        With exit code 2 after a user's error, with 130 after Ctrl-C; both with a message.
    """
    hydra_config = HydraConfig.get()
    overrides = [str(override) for override in hydra_config.overrides.task]
    not_swept = hydra_config.job.config.override_dirname.exclude_keys
    with plain_messages(stopped_early):
        composition = compose_run(overrides, _folders_of(hydra_config.runtime.config_sources))
        request = read_request(composition.tree)
        if request.dry_run:
            if launched_ranks().is_first:
                _report(request)
            return
        run_id = request.run_id or new_run_id(request.hyper_params, request.settings)
        run_id = name_of_job(run_id, parse_overrides(overrides), list(not_swept))
    with plain_messages(lambda: how_to_go_on(run_id, request)):
        run_experiment(
            request.hyper_params, run_id=run_id, resume=request.resume, settings=request.settings
        )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Tell Hydra's flags from overrides, in whatever order they come."""

    def refuse(message: str) -> NoReturn:
        raise ParameterError(
            f"{message}. Parameters are given without dashes, as in seed=1; --help lists the flags."
        )

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(list(arguments))


def _folders(configs: Path, config_dir: str | None) -> ConfigFolders:
    if config_dir is None:
        return ConfigFolders(configs.resolve())
    if not Path(config_dir).is_dir():
        raise ParameterError(f"--config-dir {config_dir}: there is no such folder.")
    return ConfigFolders(configs.resolve(), Path(config_dir).resolve())


def _report(request: Request) -> None:
    plan = prepare_experiment(request.hyper_params, settings=request.settings)
    from nip.command_line.report import print_plan

    print_plan(request, plan)


def how_to_go_on(run_id: str, request: Request) -> str:
    """Say after Ctrl-C where the work is, and how to go on with it."""
    folder = Path(request.settings.runs_dir) / run_id
    if not folder.exists():
        return stopped_early()
    return (
        f"Stopped. What was done is kept in {folder}; to go on with it, give the same "
        f"command again with run_id={run_id}"
    )


def _checked_single(arguments: Sequence[str]) -> Sequence[str]:
    refuse_sweeps(parse_overrides(arguments))
    return arguments


def _check_sweep(arguments: Sequence[str], folders: ConfigFolders) -> list[str]:
    """Check every job of a sweep; give the arguments by which its jobs know what they differ in."""
    if launched_ranks().size > 1:
        raise ParameterError(
            f"--multirun runs one job after the other, and torchrun has started "
            f"{launched_ranks().size} processes for one of them. Start each job with a torchrun of "
            "its own, or the sweep with python."
        )
    overrides = parse_overrides(arguments)
    compositions: list[Composition] = []
    for job in single_jobs(overrides):
        composition = compose_run(job, folders)
        read_request(composition.tree)
        compositions.append(composition)
    offer_defaults(composition.defaults for composition in compositions)
    keys = ",".join(f"'{key}'" for key in keys_without_sweep(overrides))
    return [f"hydra.job.config.override_dirname.exclude_keys=[{keys}]"]


def _is_about_hydra(options: argparse.Namespace) -> bool:
    return bool(options.hydra_help or options.info or options.shell_completion)


def _offer_what_fits(options: argparse.Namespace, folders: ConfigFolders) -> None:
    """Give Hydra the tree of defaults for what the user has typed so far, however incomplete."""
    typed = options.overrides
    if options.shell_completion:
        typed = [word for word in os.environ.get("COMP_LINE", "").split()[:-1] if "=" in word]
    try:
        compose_run(typed, folders, may_be_incomplete=True)
    except NipError:
        compose_run([], folders, may_be_incomplete=True)


def _folders_of(config_sources: Iterable[Any]) -> ConfigFolders:
    paths = {source.provider: source.path for source in config_sources if source.schema == "file"}
    extra = paths.get("command-line")
    return ConfigFolders(Path(paths["main"]), Path(extra) if extra else None)
