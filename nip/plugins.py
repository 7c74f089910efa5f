"""Loading of plugins: modules that register their own trainers, protocols or scenarios."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from nip.errors import PluginError
from nip.parameters.tree.plugin_names import note_plugin

ENTRY_POINT_GROUP = "nip.plugins"


def load_plugins(names: Iterable[str | Path]) -> None:
    """Import the plugins that a user names.

    Parameters
    ----------
    names : Iterable[str | Path]
        Dotted names of modules on the path or in the current folder, or paths of ``.py`` files.

    Raises
    ------
    PluginError
        If a module or file does not exist, or its import fails.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        # Last, so that a file in this folder never shadows an installed module.
        sys.path.append(here)
    for name in names:
        _guarded(str(name), lambda name=name: _import(str(name)))  # type: ignore[misc]
        note_plugin(str(name))


def load_installed_plugins() -> None:
    """Import the plugins of installed packages (entry point group ``nip.plugins``).

    Raises
    ------
    PluginError
        If the import of one of them fails.
    """
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        _guarded(f"{entry_point.name} = {entry_point.value}", entry_point.load)


def _import(name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        return _import_file(Path(name))
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """Import a file under its stem, once."""
    if not path.is_file():
        raise PluginError(f"There is no file {str(path)!r} to load as a plugin.")
    loaded = sys.modules.get(path.stem)
    if loaded is not None:
        if Path(getattr(loaded, "__file__", None) or "").resolve() == path.resolve():
            return loaded
        raise PluginError(
            f"The plugin {str(path)!r} cannot be imported as {path.stem!r}, because a module of "
            "this name is already imported. Rename the file."
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _guarded(name: str, load: Callable[[], object]) -> None:
    """Load a plugin, and turn any error in it into a ``PluginError``."""
    try:
        load()
    except PluginError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise PluginError(
                f"There is no module {name!r} to load as a plugin: {error}. Give the dotted name "
                f"of a module in the current folder or on PYTHONPATH, or the path of a .py file."
            ) from error
        raise PluginError(_describe(name, error)) from error
    except (Exception, SystemExit) as error:
        raise PluginError(_describe(name, error)) from error


def _describe(name: str, error: BaseException) -> str:
    """Describe an error in a plugin, with the line on which it occurred."""
    machinery = ("<frozen", str(Path(importlib.__file__).parent), __file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(machinery)
    ]
    where = f" ({frames[0].filename}, line {frames[0].lineno})" if frames else ""
    return f"The plugin {name!r} could not be loaded{where}: {type(error).__name__}: {error}"
