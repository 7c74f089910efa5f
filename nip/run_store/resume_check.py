"""Storage of the parameters of a run, and their comparison when it is resumed."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, ResumeError, StorageError
from nip.parameters import HyperParameters
from nip.parameters.callbacks import callback_specs
from nip.parameters.tree.difference import ABSENT, Difference, difference
from nip.parameters.tree.migrations import package_stamp
from nip.parameters.tree.plugin_names import plugin_stamp
from nip.parameters.tree.yaml_text import dump, load_mapping
from nip.run_store.database.origin import PARAMETERS_FILE
from nip.utils.files import read_text, write_atomically


def store_parameters(folder: Path, parameters: Mapping[str, Any]) -> None:
    """Write the parameters, with the version of nip and the plugins that define their names."""
    write_atomically(
        folder / PARAMETERS_FILE, dump({**package_stamp(), **plugin_stamp(), **parameters})
    )


def check_same_parameters(folder: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ``ResumeError`` with each difference if a run would be resumed with other parameters.

    Callbacks that only observe are ignored, because they do not change results.
    """
    stored = _load_parameters(folder)
    differences = _differences(stored, parameters)
    if any(each.old is ABSENT for each in differences):
        # Parameters were added since the run started, maybe without another version of nip.
        with suppress(ParameterError):
            completed = HyperParameters.from_dict(stored).to_dict()
            differences = _differences(completed, parameters)
    if not differences:
        return
    listing = "\n".join(f"  {each}" for each in differences)
    raise ResumeError(
        f"Run {folder.name!r} was started with other parameters (stored → now):\n{listing}\n"
        "Choose another run_id for a new run, or restore the stored values to resume this one."
    )


def _differences(stored: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Difference]:
    return difference(without_observers(stored), without_observers(parameters))


def without_observers(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters without the callbacks that only observe, which do not change results."""
    callbacks = tree.get("callbacks")
    if not isinstance(callbacks, list | tuple):
        return tree
    return {**tree, "callbacks": [entry for entry in callbacks if not _is_observer(entry)]}


def _is_observer(entry: Any) -> bool:
    options = entry if isinstance(entry, Mapping) else {"name": entry}
    name = str(options.get("name"))
    return name in callback_specs and callback_specs[name].only_observes(options)


def _load_parameters(folder: Path) -> dict[str, Any]:
    """Read the stored parameters, migrated to the present version of nip."""
    path = folder / PARAMETERS_FILE
    try:
        stored = load_mapping(read_text(path))
        version = stored.get("_package_version")
        if version in (None, package_stamp()["_package_version"]):
            return stored
        return HyperParameters.from_dict(stored).to_dict()
    except (ParameterError, StorageError) as error:
        raise ResumeError(
            f"The parameters of run {folder.name!r} cannot be read ({path}): {error}\n"
            "Correct the file, or choose another run_id for a new run."
        ) from error
