"""Jobs that Hydra starts, such as the runs of a sweep, and everything that Hydra itself prints.

All jobs of a sweep are composed and checked before the first one starts.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from nip.command_line.composition import VERSION_BASE, Composition, compose_run, offer_defaults
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.errors import plain_messages
from nip.command_line.overrides import names_hydra, parse_overrides, refuse_sweeps, single_jobs
from nip.command_line.request import Request, read_request, run_request
from nip.command_line.run_names import (
    check_names_of_jobs,
    check_seeds_of_jobs,
    keys_without_sweep,
    name_of_job,
)
from nip.command_line.typed_text import quote_typed_texts
from nip.errors import NipError, ParameterError
from nip.experiment.checked import CheckedExperiment
from nip.run_store.opening import check_can_open
from nip.utils.ranks import launched_ranks

_checked: dict[tuple[str, ...], Request] = {}
"""Checked jobs of this process by their overrides. A launcher that starts processes of its own
does not have them there: such a job is composed and checked again."""


def prepare(flags: Namespace, folders: ConfigFolders) -> list[str]:
    """Check what Hydra is going to run or print; return the overrides for it.

    These are the given ones, with text in quotes where Hydra would read a number, and further ones
    that it needs. Afterwards Hydra has the tree of defaults that these arguments need.
    """
    if flags.hydra_help or flags.info or flags.shell_completion or flags.version:
        _offer_fitting_defaults(flags, folders)
        return list(flags.overrides)
    if flags.multirun:
        return _check_sweep(flags.overrides, folders)
    refuse_sweeps(parse_overrides(flags.overrides))
    if flags.cfg:
        composition = compose_run(flags.overrides, folders, may_be_incomplete=True)
        offer_defaults([composition.defaults])
    else:
        _check_jobs([flags.overrides], (), folders)
    return quote_typed_texts(flags.overrides)


def enter_hydra(arguments: Sequence[str], folders: ConfigFolders) -> None:
    """Let Hydra execute a command line that was prepared."""
    sys.argv[1:] = [*arguments, *folders.hydra_flags()]
    hydra.main(version_base=VERSION_BASE, config_name=folders.config_name)(_run_job)()


def _run_job(config: DictConfig) -> None:  # noqa: ARG001 - composed by us from the overrides
    """Run the experiment of the current Hydra job."""
    hydra_config = HydraConfig.get()
    overrides = [str(override) for override in hydra_config.overrides.task]
    name_job = _name_job(overrides, hydra_config.job.config.override_dirname.exclude_keys)
    with plain_messages():
        request = _checked.pop(tuple(overrides), None)
        if request is None:
            folders = _folders_of(hydra_config)
            request = read_request(compose_run(overrides, folders).tree, name_job)
    run_request(request, name_job)


def _name_job(overrides: Sequence[str], not_swept: Iterable[str]) -> Callable[[str], str]:
    parsed = parse_overrides(overrides)
    return partial(name_of_job, overrides=parsed, not_swept=list(not_swept))


def _check_sweep(arguments: Sequence[str], folders: ConfigFolders) -> list[str]:
    """Check every job of a sweep; return the overrides for Hydra.

    One of them is added: it names the parameters that all jobs share.
    """
    if launched_ranks().size > 1:
        raise ParameterError(
            f"--multirun runs one job after the other, and torchrun has started "
            f"{launched_ranks().size} processes for one of them. Start each job with a torchrun of "
            "its own, or the sweep with python."
        )
    quoted = quote_typed_texts(arguments)
    first_job = next(single_jobs(parse_overrides(quoted)))
    composed = {tuple(first_job): compose_run(first_job, folders)}
    # Now the plugins are loaded, which may have registered further parameters that are text.
    quoted = quote_typed_texts(arguments)
    overrides = parse_overrides(quoted)
    not_swept = keys_without_sweep(overrides)
    _check_jobs(single_jobs(overrides), not_swept, folders, composed)
    keys = ",".join(f"'{key}'" for key in not_swept)
    return [*quoted, f"hydra.job.config.override_dirname.exclude_keys=[{keys}]"]


def _check_jobs(
    jobs: Iterable[Sequence[str]],
    not_swept: Sequence[str],
    folders: ConfigFolders,
    composed: Mapping[tuple[str, ...], Composition] | None = None,
) -> None:
    """Compose and check jobs, and let Hydra start from the union of their defaults.

    ``composed`` has compositions of jobs by their arguments, which need not be repeated.
    """
    defaults = []
    names: list[tuple[str | None, Sequence[str]]] = []
    seeds: list[tuple[Sequence[int], Sequence[str]]] = []
    for job in jobs:
        composition = (composed or {}).get(tuple(job)) or compose_run(job, folders)
        defaults.append(composition.defaults)
        typed = quote_typed_texts(job)
        parsed = parse_overrides(typed)
        key = tuple(line for each, line in zip(parsed, typed, strict=True) if not names_hydra(each))
        request = _checked[key] = read_request(composition.tree, _name_job(key, not_swept))
        names.append((request.experiment.run_id, key))
        experiments = request.seeds or (request.experiment,)
        seeds.append(([each.hyper_params.seed for each in experiments], key))
        if not request.dry_run:
            for experiment in experiments:
                _check_run_can_be_opened(experiment)
    check_names_of_jobs(names)
    check_seeds_of_jobs(seeds)
    offer_defaults(defaults)


def _check_run_can_be_opened(experiment: CheckedExperiment) -> None:
    if experiment.run_id is not None:
        parameters = experiment.hyper_params.to_dict()
        check_can_open(experiment.settings, experiment.run_id, parameters, experiment.resume)


def _offer_fitting_defaults(flags: Namespace, folders: ConfigFolders) -> None:
    """Give Hydra the tree of defaults for an incomplete command line."""
    typed = flags.overrides
    if flags.shell_completion:
        typed = [word for word in os.environ.get("COMP_LINE", "").split()[:-1] if "=" in word]
    try:
        composition = compose_run(typed, folders, may_be_incomplete=True)
    except NipError:
        composition = compose_run([], folders, may_be_incomplete=True)
    offer_defaults([composition.defaults])


def _folders_of(hydra_config: Any) -> ConfigFolders:
    sources = hydra_config.runtime.config_sources
    paths = {source.provider: source.path for source in sources if source.schema == "file"}
    name = hydra_config.job.config_name
    # Hydra calls the first folder main, whichever it is.
    first, second = Path(paths["main"]), paths.get("command-line")
    if second is None:
        return ConfigFolders(first, None, name)
    return ConfigFolders(Path(second), first, name)
