"""Stacking modules of several runs, so that one call computes all of them.

The rows of all runs lie in one batch, those of the first run first, equally many of each. Whatever
treats rows independently works on such a batch unchanged; only layers with weights must apply those
of each run to its own rows.
"""

import copy
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

MIXING = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
"""Layers without a stacked form: they mix the rows of a batch, or draw random numbers."""


class StackingError(Exception):
    """Raised where modules have no stacked form; the message is the reason."""


class StackedLinear(nn.Module):
    """Linear layers of several runs, each applied to the rows of its own run."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _stacked_parameter([layer.weight for layer in layers])
        self.bias: nn.Parameter | None = None
        if layers[0].bias is not None:
            self.bias = _stacked_parameter([layer.bias for layer in layers])

    def forward(self, rows: Float[Tensor, "rows ... d_in"]) -> Float[Tensor, "rows ... d_out"]:
        """Return the outputs of all rows."""
        num_runs, d_out, d_in = self.weight.shape
        of_runs = rows.reshape(num_runs, -1, d_in)
        if self.bias is None:
            outputs = torch.bmm(of_runs, self.weight.mT)
        else:
            outputs = torch.baddbmm(self.bias.unsqueeze(1), of_runs, self.weight.mT)
        return outputs.view(*rows.shape[:-1], d_out)


def stack_modules(
    modules: Sequence[nn.Module], stacked: dict[nn.Module, nn.Module] | None = None
) -> nn.Module:
    """Return a module that computes all of the given ones, which differ in their weights only.

    It has the names and attributes of the first one. Its weights are copies; see
    ``StackedWeights``. Buffers of floats are stacked; all others must be equal.

    Parameters
    ----------
    modules : sequence of nn.Module
        The same module of each run.
    stacked : dict, optional
        Modules of the first run whose stacked forms are known. Further ones are added.

    Raises
    ------
    StackingError
        If a layer has no stacked form.
    """
    stacked = {} if stacked is None else stacked
    first = modules[0]
    if first in stacked:
        return stacked[first]
    if type(first) is nn.Linear:
        stacked[first] = StackedLinear(modules)  # type: ignore[arg-type]
        return stacked[first]
    if isinstance(first, MIXING) or first._parameters:
        raise StackingError(f"a layer of class {type(first).__name__} has no stacked form")
    twin = copy.copy(first)
    twin.__dict__["_buffers"] = {
        name: _stacked_buffer(name, [module._buffers[name] for module in modules])
        for name in first._buffers
    }
    twin.__dict__["_modules"] = {
        name: None
        if child is None
        else stack_modules([module._modules[name] for module in modules], stacked)  # type: ignore[misc]
        for name, child in first._modules.items()
    }
    stacked[first] = twin
    return twin


class StackedWeights:
    """Copies weights and buffers of runs into a stacked module, and buffers back.

    Parameters
    ----------
    stacked : nn.Module
        The stacked module.
    of_runs : sequence of nn.Module
        The module of each run from which it was made.
    """

    def __init__(self, stacked: nn.Module, of_runs: Sequence[nn.Module]) -> None:
        own = [dict(_named_tensors(module)) for module in of_runs]
        self.parameters: dict[nn.Parameter, list[Tensor]] = {}
        """The parameters of the runs, by the stacked one."""
        self._buffers: list[tuple[Tensor, list[Tensor]]] = []
        for name, tensor in _named_tensors(stacked):
            of_tensor = [of_run[name] for of_run in own]
            if isinstance(tensor, nn.Parameter):
                self.parameters[tensor] = of_tensor
            elif tensor.is_floating_point():
                self._buffers.append((tensor, of_tensor))

    def load(self) -> None:
        """Copy weights and buffers of all runs, and which weights are frozen."""
        self.load_parameters()
        for stacked, own in self.parameters.items():
            stacked.requires_grad_(own[0].requires_grad)
        for buffer, own in self._buffers:
            torch.stack(own, out=buffer)

    @torch.no_grad()
    def load_parameters(self) -> None:
        """Copy the weights of all runs."""
        for stacked, own in self.parameters.items():
            torch.stack(own, out=stacked.detach())

    def store_buffers(self) -> None:
        """Copy the buffers back to all runs."""
        for buffer, own in self._buffers:
            torch._foreach_copy_(own, list(buffer.unbind()))


def _named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield parameters and buffers, also of modules that hide some, as loss modules do."""
    for prefix, each in module.named_modules():
        for name, tensor in (*each._parameters.items(), *each._buffers.items()):
            if tensor is not None:
                yield f"{prefix}.{name}", tensor


def _stacked_parameter(parameters: Sequence[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([each.detach() for each in parameters]))


def _stacked_buffer(name: str, buffers: Sequence[Tensor | None]) -> Tensor | None:
    first = buffers[0]
    if first is None:
        return None
    if first.is_floating_point():
        return torch.stack([each for each in buffers if each is not None])
    if not all(each is not None and torch.equal(each, first) for each in buffers):
        raise StackingError(f"the buffer {name} differs between the runs")
    return first
