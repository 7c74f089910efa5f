"""One registry for everything that can be chosen by name."""

import dataclasses
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, overload

from nip.errors import PluginError, UnknownNameError, unknown_name

T = TypeVar("T")
Value = TypeVar("Value")


class Registry(Generic[T]):
    """Names and what they stand for.

    Parameters
    ----------
    kind : str
        What the entries are, in the singular, for error messages: ``"trainer"``.
    package : str, optional
        Dotted name of the package whose modules hold the built-in entries. All of its modules, also
        those in sub-packages, are imported the first time that a name is not found or all are asked
        for, so nobody keeps a list of them. A name is looked for first in the module that is called
        like it, or in the sub-package: in its module that is called like the kind, then in all of
        them. So choosing one entry need not import all the others.
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
        self._is_loaded = package is None

    @overload
    def register(self, name: str) -> Callable[[Value], Value]: ...

    @overload
    def register(self, name: str, value: T) -> T: ...

    def register(self, name: str, value: Any = None) -> Any:
        """Enter a value under a name, directly or as a decorator.

        A module that is imported anew (a notebook cell run twice, ``importlib.reload``) may enter
        its classes again.

        Raises
        ------
        PluginError
            If the name already stands for something else.
        """
        if value is None:
            return lambda decorated: self.register(name, decorated)
        present = self._entries.get(name)
        if present is not None and not _is_same(present, value):
            raise PluginError(
                f"The {self.kind} {name!r} is already registered as {present!r}, so {value!r} "
                f"cannot take that name. Choose another name for it."
            )
        self._entries[name] = value
        return value

    def unregister(self, name: str) -> None:
        """Forget a name; one that is not there is no error."""
        self._entries.pop(name, None)

    def get(self, name: str) -> T:
        """Look a name up.

        Raises
        ------
        UnknownNameError
            If nobody entered it; the message lists the known names and the closest.
        """
        if name not in self:
            raise UnknownNameError(unknown_name(self.kind, name, self._entries))
        return self._entries[name]

    def __getitem__(self, name: str) -> T:
        """Look a name up, as ``get`` does."""
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        """Tell whether a name is known."""
        if name not in self._entries:
            self._load_namesake(name)
        if name not in self._entries:
            self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Go through the names in alphabetical order."""
        return iter(self.names())

    def __len__(self) -> int:
        """Count the entries."""
        return len(self.names())

    def names(self) -> list[str]:
        """All names in alphabetical order."""
        self._load()
        return sorted(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """All entries in the alphabetical order of their names."""
        return [(name, self._entries[name]) for name in self.names()]

    def _load_namesake(self, name: object) -> None:
        """Import the module or sub-package that is called like an entry, if there is one."""
        if self._is_loaded or self.package is None or not str(name).isidentifier():
            return
        full_name = f"{self.package}.{name}"
        if importlib.util.find_spec(full_name) is None:
            return
        module = importlib.import_module(full_name)
        if name in self._entries or not hasattr(module, "__path__"):
            return
        main = f"{full_name}.{self.kind.replace(' ', '_')}"
        if importlib.util.find_spec(main) is not None:
            importlib.import_module(main)
        if name not in self._entries:
            _import_all(full_name)

    def _load(self) -> None:
        """Import the modules of the package, once."""
        if self._is_loaded or self.package is None:
            return
        # Set first: the modules may look something up here while they are being imported.
        self._is_loaded = True
        try:
            _import_all(self.package)
        except BaseException:
            self._is_loaded = False
            raise


def _import_all(name: str) -> None:
    """Import a module, and if it is a package all modules in it."""
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
        importlib.import_module(found.name)


def _is_same(present: Any, new: Any) -> bool:
    """Tell whether two values are one thing, possibly defined twice by the same source."""
    if present is new:
        return True
    if isinstance(present, type) or callable(present):
        origin = (getattr(present, "__module__", None), getattr(present, "__qualname__", None))
        return origin == (getattr(new, "__module__", None), getattr(new, "__qualname__", None))
    if dataclasses.is_dataclass(present) and type(present) is type(new):
        return all(
            _is_same(getattr(present, field.name), getattr(new, field.name))
            for field in dataclasses.fields(present)
        )
    return bool(present == new)
