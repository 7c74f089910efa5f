"""Compilation of whole steps by PyTorch's compiler, with CUDA graphs on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch.utils._pytree import tree_map_only

from nip.errors import ParameterError

P = ParamSpec("P")
T = TypeVar("T")

BACKEND = "inductor"
"""Backend of the compiler."""

GRAPHS_MODE = "reduce-overhead"
"""Mode of the compiler in which it records CUDA graphs of forward and backward passes."""


@dataclass(frozen=True)
class Compilation:
    """How functions of tensors are compiled.

    Each becomes one graph for one set of shapes, without breaks.
    """

    with_graphs: bool = False
    """Whether their kernels are recorded as CUDA graphs and launched together."""

    @classmethod
    def of(cls, chosen: Literal["off", "default", "graphs"]) -> Compilation | None:
        """Return what ``settings.compile`` says; None without compilation."""
        return None if chosen == "off" else cls(with_graphs=chosen == "graphs")

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of ``torch.compile``."""
        mode = {"mode": GRAPHS_MODE} if self.with_graphs else {}
        return {"backend": BACKEND, "fullgraph": True, "dynamic": False, **mode}

    def compiled(self, function: Callable[P, T], name: str) -> Callable[P, T]:
        """Return a function that computes the same.

        Parameters
        ----------
        function : callable
            Takes and returns tensors, nested in dictionaries, lists and tuples.
        name : str
            What it computes, for messages.

        Raises
        ------
        ParameterError
            When it is called, if it is not one graph.
        """
        call = torch.compile(function, **self.options)

        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            # Imported now, because it takes a second. An import of the submodule would leave two of
            # them if the compiler has been deferred until then.
            errors = import_module("torch._dynamo").exc
            if self.with_graphs:
                torch.compiler.cudagraph_mark_step_begin()
            try:
                result = call(*args, **kwargs)
            except (errors.Unsupported, errors.UserError) as error:
                raise ParameterError(
                    f"{name} cannot be compiled as one graph: {str(error).splitlines()[0]}. Set "
                    "settings.compile=off."
                ) from error
            except errors.BackendCompilerFailed as error:
                raise ParameterError(
                    f"{name} cannot be compiled ({str(error).splitlines()[0]}). PyTorch's compiler "
                    "needs a C++ compiler, such as g++, which CXX may name. Install one, or set "
                    "settings.compile=off."
                ) from error
            # The next replay of a graph overwrites its results.
            return tree_map_only(torch.Tensor, torch.clone, result) if self.with_graphs else result

        return run
