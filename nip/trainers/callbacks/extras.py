"""Checks for optional packages that callbacks need."""

import importlib.util

from nip.errors import PluginError


def require_extra(package: str, callback: str) -> None:
    """Raise a ``PluginError`` naming the extra if a package, which is not imported, is missing."""
    if importlib.util.find_spec(package) is None:
        raise PluginError(
            f"The callback {callback!r} needs the package {package}, which is not installed. Run "
            f"pip install 'nip[{package}]', or leave {callback} out of callbacks."
        )
