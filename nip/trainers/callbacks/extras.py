"""Checks for optional packages that callbacks need."""

import importlib.util

from nip.errors import PluginError


def require_extra(package: str, callback: str) -> None:
    """Raise an error if the package of a callback is not installed, without importing it.

    Raises
    ------
    PluginError
        If it is not there. The message names the extra, which is called like the package.
    """
    if importlib.util.find_spec(package) is None:
        raise PluginError(
            f"The callback {callback!r} needs the package {package}, which is not installed. Run "
            f"pip install 'nip[{package}]', or leave {callback} out of callbacks."
        )
