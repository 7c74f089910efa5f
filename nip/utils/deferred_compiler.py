"""Importing PyTorch's compiler when something is compiled, and not before.

When TensorDict and TorchRL are imported, and when an optimizer of PyTorch is built, they mark
functions for ``torch.compile``, and import ``torch._dynamo`` for that; connecting processes clears
a cache of it. This takes a quarter of the time until the first rollout of a run that compiles
nothing. So importing this module puts a :class:`DeferredCompiler` in its place, unless the compiler
has been imported before.
"""

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo"


class DeferredCompiler(ModuleType):
    """What stands for ``torch._dynamo`` until somebody needs more of it than marks.

    The functions below mark a function as the compiler does, or keep its mark until the compiler
    is imported. Any other attribute, and the import of any submodule, imports the compiler. Safe
    with several threads.
    """

    def __init__(self) -> None:
        super().__init__(_NAME, self.__doc__)
        self._lock = threading.RLock()
        self._compiler: ModuleType | None = None
        self._allowed: list[Any] = []
        self.trace_rules = DeferredTraceRules(self)

    @property
    def is_loaded(self) -> bool:
        """Whether the compiler has been imported."""
        return self._compiler is not None

    def assume_constant_result(self, fn: Any) -> Any:
        """Mark a function whose result is a constant in compiled code."""
        fn._dynamo_marked_constant = True
        return fn

    def allow_in_graph(self, fn: Any) -> Any:
        """Mark a function that the compiler is not to look into."""
        with self._lock:
            if self._compiler is None:
                self._allowed.append(fn)
                return fn
        return self._compiler.allow_in_graph(fn)

    def disable(
        self, fn: Callable[..., Any] | None = None, recursive: bool = True, **options: Any
    ) -> Any:
        """Mark a function that is not to be compiled."""
        if self._compiler is not None:
            return self._compiler.disable(fn, recursive, **options)
        if fn is None:
            return functools.partial(self.disable, recursive=recursive, **options)

        @functools.wraps(fn)
        def called(*args: Any, **kwargs: Any) -> Any:
            return (fn if self._compiler is None else marked())(*args, **kwargs)

        @functools.cache
        def marked() -> Any:
            return self._load().disable(fn, recursive, **options)

        return called

    def graph_break(self, msg: str = "") -> None:
        """Do nothing, as outside of compiled code."""

    def __getattr__(self, name: str) -> Any:
        # Code that goes through all modules asks for names such as __file__.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
        return getattr(self._load(), name)

    def _load(self) -> ModuleType:
        with self._lock:
            if self._compiler is None:
                if sys.modules.get(_NAME) is self:
                    del sys.modules[_NAME]
                compiler = importlib.import_module(_NAME)
                for fn in self._allowed:
                    compiler.allow_in_graph(fn)
                self._compiler = compiler
            return self._compiler


class DeferredTraceRules(ModuleType):
    """What stands for ``torch._dynamo.trace_rules`` until somebody needs more of it.

    Connecting processes clears the cache of these rules, which is empty before they are imported.
    """

    def __init__(self, compiler: DeferredCompiler) -> None:
        super().__init__(f"{_NAME}.trace_rules", self.__doc__)
        self._compiler = compiler

    def clear_lru_cache(self) -> None:
        """Forget what was looked up, if anything was."""
        if self._compiler.is_loaded:
            self.__getattr__("clear_lru_cache")()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._compiler._load().trace_rules, name)


if _NAME not in sys.modules:
    sys.modules[_NAME] = DeferredCompiler()
