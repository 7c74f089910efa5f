"""Registry class for everything that can be chosen by name."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from nip.errors import PluginError, UnknownNameError, unknown_name

T = TypeVar("T")
Value = TypeVar("Value")


class Registry(Generic[T]):
    """Mapping from names to registered values, with lazy import of the built-in ones.

    Parameters
    ----------
    kind : str
        What an entry is, in the singular, for error messages: ``"trainer"``.
    package : str or sequence of str, optional
        Dotted names of the packages whose modules register the built-in entries. They are imported
        on demand. Looking up one name imports only the module or sub-package of that name (of a
        sub-package, only its module named after the kind, if there is one). Listing all names, or
        looking up a name that no module has, imports every module of the package, and for each
        sub-package the same as a lookup would.
    light : str, optional
        Suffix of light modules. If a module ``<name>_<light>.py`` stands beside ``<name>.py``, or a
        module ``<light>.py`` in the sub-package ``<name>``, only that one is imported. Specs are
        read in this way without importing PyTorch.
    """

    def __init__(
        self, kind: str, package: str | Sequence[str] = (), light: str | None = None
    ) -> None:
        self.kind = kind
        self.packages = (package,) if isinstance(package, str) else tuple(package)
        self.light = light
        self._entries: dict[str, T] = {}
        self._is_loaded = not self.packages

    @overload
    def register(self, name: str) -> Callable[[Value], Value]: ...

    @overload
    def register(self, name: str, value: T) -> T: ...

    def register(self, name: str, value: Any = None) -> Any:
        """Register a value under a name, directly or as a decorator.

        A module that is imported again (a notebook cell run twice, ``importlib.reload``) may
        register its classes again. Another value under the name raises ``PluginError``.
        """
        if value is None:
            return lambda decorated: self.register(name, decorated)
        if isinstance(value, type) and not value.__module__.startswith(self.packages):
            # A class from outside must not take the name of a built-in that is not imported yet.
            self._import_named(name)
        present = self._entries.get(name)
        if present is not None and not _is_same(present, value):
            raise PluginError(
                f"The {self.kind} {name!r} is already registered as {present!r}, so {value!r} "
                f"cannot take that name. Choose another name for it."
            )
        self._entries[name] = value
        return value

    def unregister(self, name: str) -> None:
        """Remove a name; do nothing if it is not registered."""
        self._entries.pop(name, None)

    def get(self, name: str) -> T:
        """Return the value registered under a name.

        An ``UnknownNameError`` lists the known names and the closest one. A class that cannot be
        instantiated, because it lacks methods, raises ``PluginError``: here, when it is chosen,
        rather than when it is first used, which may be after something has been paid.
        """
        if name not in self:
            raise UnknownNameError(unknown_name(self.kind, name, self._entries))
        value = self._entries[name]
        require_complete(f"{self.kind} {name!r}", value)
        return value

    def __getitem__(self, name: str) -> T:
        """Return the value registered under a name, as ``get`` does."""
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        """Return whether a name is registered."""
        if name not in self._entries:
            self._import_named(name)
        if name not in self._entries:
            self._import_all()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in alphabetical order."""
        return iter(self.names())

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.names())

    def names(self) -> list[str]:
        """Return all names in alphabetical order."""
        self._import_all()
        return sorted(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """Return all pairs of name and value in the alphabetical order of the names."""
        return [(name, self._entries[name]) for name in self.names()]

    def _import_named(self, name: object) -> None:
        """Import the module or sub-package that has the name of an entry, if there is one."""
        if self._is_loaded:
            return
        for package in self.packages:
            if name in self._names_in(package):
                self._import_from(package, str(name))

    def _import_all(self) -> None:
        """Import all modules of the packages, once."""
        if self._is_loaded:
            return
        # Set first: the modules may look up a name here while they are being imported.
        self._is_loaded = True
        try:
            for package in self.packages:
                for name in self._names_in(package):
                    self._import_from(package, name)
        except BaseException:
            self._is_loaded = False
            raise

    def _names_in(self, package: str) -> list[str]:
        """List the modules and sub-packages, a light module under the name of its companion."""
        suffix = f"_{self.light}" if self.light is not None else ""
        return list(dict.fromkeys(name.removesuffix(suffix) for name in _modules_in(package)))

    def _import_from(self, package: str, name: str) -> None:
        """Import the light module of a name if there is one, otherwise the module itself."""
        modules = _modules_in(package)
        if self.light is not None and f"{name}_{self.light}" in modules:
            importlib.import_module(f"{package}.{name}_{self.light}")
        elif modules[name]:
            self._import_sub_package(f"{package}.{name}")
        else:
            importlib.import_module(f"{package}.{name}")

    def _import_sub_package(self, package: str) -> None:
        """Import the module that registers the entry, or all modules if none is named so."""
        modules = _modules_in(package)
        for main in (self.light, self.kind.replace(" ", "_")):
            if main in modules:
                importlib.import_module(f"{package}.{main}")
                return
        for module in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            importlib.import_module(module.name)


def require_derived(what: str, value: Any, *bases: type) -> None:
    """Raise ``PluginError`` if a value is no class that is derived from one of the bases.

    Parameters
    ----------
    what : str
        What the value is, for the message.
    value : Any
        What was given to a decorator.
    *bases : type
        The bases.
    """
    if not (inspect.isclass(value) and issubclass(value, bases)):
        names = " or ".join(f"{base.__module__}.{base.__name__}" for base in bases)
        raise PluginError(
            f"The {what} must be a class derived from {names}, got {value!r}. Derive it from there."
        )


def require_name(decorator: str, name: Any) -> None:
    """Raise ``PluginError`` if a decorator was given something else than a name."""
    if not isinstance(name, str) or not name:
        raise PluginError(
            f"{decorator} must be given a name, got {name!r}. Write for example "
            f'@{decorator}("my_name").'
        )


def require_complete(what: str, value: Any, base: type | None = None) -> None:
    """Raise ``PluginError`` if a class lacks abstract methods, its own or those of ``base``."""
    if not inspect.isclass(value):
        return
    own: frozenset[str] = getattr(value, "__abstractmethods__", frozenset())
    required: frozenset[str] = getattr(base, "__abstractmethods__", frozenset())
    missing = sorted(own | {name for name in required if not hasattr(value, name)})
    if missing:
        raise PluginError(
            f"The {what} is incomplete: the class {value.__qualname__} does not define "
            f"{', '.join(missing)}. Define {'it' if len(missing) == 1 else 'them'} as "
            f"{base.__name__ if base else 'its base class'} says."
        )


def _modules_in(package: str) -> dict[str, bool]:
    """Map the names of the modules directly in a package to whether each is a package itself."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return {module.name: module.ispkg for module in found}


def _is_same(present: Any, new: Any) -> bool:
    """Return whether two values are the same, possibly defined twice by the same source."""
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
    if isinstance(present, tuple) and isinstance(new, tuple) and len(present) == len(new):
        return all(map(_is_same, present, new))
    return bool(present == new)
