"""The main command line: parse, compose, check, run."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from nip.command_line.config_folders import ConfigFolders, own_configs
from nip.command_line.errors import plain_messages
from nip.command_line.flags import parse_flags
from nip.errors import ParameterError
from nip.parameters.fields.value_limits import problem_with_path


def main(arguments: Sequence[str], configs: Path) -> None:
    """Execute a command line, given without the name of the program.

    Raises
    ------
    SystemExit
        With a message, and exit code 2 after a user's error, 130 after Ctrl-C, and 75 after another
        signal that asks to stop.
    """
    check_arguments(arguments, configs)()


def check_arguments(arguments: Sequence[str], configs: Path) -> Callable[[], None]:
    """Check everything that can be checked before a run, and return what executes it.

    A run is composed and checked once, here. Hydra's own application is entered only for what it
    alone does: sweeps, ``--cfg``, shell completion and ``hydra.*`` overrides.

    Raises
    ------
    SystemExit
        With exit code 2 and a message after a user's error.
    """
    with plain_messages():
        flags = parse_flags(arguments)
        folders = config_folders(configs, flags)
        if flags.help:
            return _help(flags, folders)
        if _needs_hydra(flags):
            return _hydra(arguments, flags, folders)
        return _run(flags, folders)


def _help(flags: Namespace, folders: ConfigFolders) -> Callable[[], None]:
    from nip.command_line.help_text import help_text

    text = help_text(flags.overrides, folders)
    return lambda: print(text)


def _hydra(
    arguments: Sequence[str], flags: Namespace, folders: ConfigFolders
) -> Callable[[], None]:
    from nip.command_line.hydra_jobs import enter_hydra, prepare

    overrides = prepare(flags, folders)
    others = list(arguments)
    for override in flags.overrides:
        others.remove(override)
    return lambda: enter_hydra([*overrides, *others], folders)


def _run(flags: Namespace, folders: ConfigFolders) -> Callable[[], None]:
    # Composition imports Hydra, which --help does not need, and a request imports more than what
    # is needed to refuse an unknown name.
    from nip.command_line.composition import compose_run
    from nip.command_line.overrides import parse_overrides, refuse_sweeps

    refuse_sweeps(parse_overrides(flags.overrides))
    tree = compose_run(flags.overrides, folders).tree
    from nip.command_line.request import read_request, run_request

    request = read_request(tree)
    return lambda: run_request(request)


def _needs_hydra(flags: Namespace) -> bool:
    return any(
        (
            flags.multirun,
            flags.cfg,
            flags.info,
            flags.shell_completion,
            flags.hydra_help,
            flags.version,
            any(word.lstrip("+~").startswith(("hydra.", "hydra/")) for word in flags.overrides),
        )
    )


def config_folders(configs: Path, flags: Namespace) -> ConfigFolders:
    """Return the folders of YAML files that the flags choose.

    Raises
    ------
    ParameterError
        If a folder does not exist or cannot be read.
    """
    for name in ("config_dir", "config_path", "config_name"):
        if problem := problem_with_path(getattr(flags, name) or ""):
            raise ParameterError(f"--{name.replace('_', '-')} cannot be read: {problem}.")
    if flags.config_dir is not None and not Path(flags.config_dir).is_dir():
        raise ParameterError(f"--config-dir {flags.config_dir}: there is no such folder.")
    main = configs if flags.config_path is None else Path(flags.config_path)
    if flags.config_dir is not None:
        extra: Path | None = Path(flags.config_dir).resolve()
    elif flags.config_path is None:
        extra = own_configs(configs)
    else:
        extra = None
    return ConfigFolders(main.resolve(), extra, flags.config_name or ConfigFolders.config_name)
