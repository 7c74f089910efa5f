"""Scenario, trainer, dataset and protocol of a base run, as defaults of the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, shown
from nip.parameters import HyperParameters
from nip.parameters.checks.choices import problems_with_choices
from nip.parameters.fields.value_limits import problem_with_path
from nip.parameters.tree.plugin_names import how_to_load_plugins
from nip.parameters.tree.unnamed import is_plain_name

_CHOICES = ("scenario", "trainer", "dataset", "interaction_protocol")


def choices_of_base_run(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices of the base run, if there is one, that the user did not make.

    ``choices`` are those of the user, and the groups ``base_run`` and ``settings``.

    Raises
    ------
    ParameterError
        If the base run does not exist or cannot be read, or a choice that it makes is a path.
    """
    base_run, settings = choices["base_run"], choices["settings"]
    if not isinstance(base_run, Mapping) or not isinstance(settings, Mapping):
        return {}
    run_id = base_run.get("run_id")
    if base_run.get("base_run_type") == "none" or run_id is None:
        return {}
    # Most runs have no base run, and need not import the store to be checked.
    from nip.run_store.reading import read_parameters
    from nip.run_store.run_id import check_run_id

    check_run_id(run_id, "base_run.run_id")
    runs_dir = str(settings.get("runs_dir"))
    if problem := problem_with_path(runs_dir):
        raise ParameterError(f"settings.runs_dir={shown(runs_dir)} cannot be read: {problem}.")
    try:
        stored = read_parameters(Path(runs_dir) / run_id)
    except ParameterError as error:
        raise ParameterError(f"base_run.run_id={run_id!r}: {error}") from error
    problems = problems_with_choices(stored, HyperParameters.interaction_protocol)
    if problems and (advice := how_to_load_plugins(stored)):
        raise ParameterError(f"base_run.run_id={run_id!r}: {' '.join(problems)} {advice}")
    taken = [name for name in _CHOICES if choices.get(name) is None and name in stored]
    for name in taken:
        _check_is_name(name, stored[name], run_id)
    return {name: stored[name] for name in taken}


def _check_is_name(choice: str, value: Any, run_id: str) -> None:
    """Refuse a path, which may lead anywhere, and a reference, which would be resolved."""
    if not isinstance(value, str) or not is_plain_name(value):
        raise ParameterError(
            f"base_run.run_id={run_id!r} has {choice}={value!r}, which is no plain name. A run may "
            "come from somebody else, so files and addresses that it names are used only if you "
            f"give them yourself. If you trust it, add {choice}=... with this value."
        )
