"""Refusing classes that define methods which nothing calls any more."""

from collections.abc import Mapping

from nip.errors import PluginError


def refuse_replaced(cls: type, replaced: Mapping[str, str]) -> None:
    """Raise ``PluginError`` if a class defines a method or attribute that was replaced by another.

    ``replaced`` says what to write instead, by the old name.
    """
    for name, advice in replaced.items():
        if name in vars(cls):
            raise PluginError(f"{cls.__name__}.{name} is no longer used. {advice}")
