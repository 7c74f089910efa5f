"""Migration of trees that older versions wrote.

Versions are MAJOR.MINOR.PATCH.

- PATCH: a fix; the parameters are the same.
- MINOR: parameters were added; older trees are read as they are, with defaults for what they lack.
- MAJOR: a parameter was renamed, removed, or means something else; a migration translates older
  trees. While MAJOR is 0, MINOR may do the same.
"""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from nip.errors import ParameterError

PACKAGE_KEYS = ("_package_name", "_package_version")
"""Keys of a stored tree that name the package and the version that wrote it."""

Tree = dict[str, Any]
Version = tuple[int, int, int]


class MigrationChain:
    """Migrations between versions of the tree, applied in the order of the versions."""

    def __init__(self) -> None:
        self._steps: dict[Version, Callable[[Tree], Tree]] = {}

    def migration(self, version: str) -> Callable[[Callable[[Tree], Tree]], Callable[[Tree], Tree]]:
        """Register a function that converts trees written before a version to its form.

        Parameters
        ----------
        version : str
            First version that does not need the migration, for example ``"0.2.0"``.
        """

        def enter(step: Callable[[Tree], Tree]) -> Callable[[Tree], Tree]:
            key = parse_version(version)
            if key in self._steps:
                raise ValueError(f"There is already a migration to version {version}.")
            self._steps[key] = step
            return step

        return enter

    def migrate(self, data: Mapping[str, Any]) -> Tree:
        """Convert a stored tree to the present form; a tree without a version is not changed."""
        tree = copy.deepcopy(dict(data))
        stored = tree.pop("_package_version", None)
        tree.pop("_package_name", None)
        if stored is None:
            return tree
        for version in sorted(self._steps):
            if parse_version(str(stored)) < version:
                tree = self._steps[version](tree)
        return tree


def parse_version(text: str) -> Version:
    """Parse ``MAJOR.MINOR.PATCH``; ignore what follows.

    Raises ``ParameterError`` if the text does not start with three numbers.
    """
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    if numbers is None:
        raise ParameterError(
            f"_package_version must look like 0.1.0, got {text!r}. Correct it, or remove it to "
            f"read the tree as one of this version."
        )
    major, minor, patch = map(int, numbers.groups())
    return major, minor, patch


chain = MigrationChain()
"""The migrations of this package."""

migration = chain.migration
"""Decorator that registers a migration: ``@migration("0.2.0")``."""

migrate = chain.migrate


def package_stamp() -> dict[str, str]:
    """Return the name and version of this package, as they are stored with a tree."""
    # Imported here because it takes time and only writers need it.
    from importlib.metadata import version

    return dict(zip(PACKAGE_KEYS, ("nip", version("nip")), strict=True))
