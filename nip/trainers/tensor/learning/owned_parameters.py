"""Parameters that are trained beside those of the agents: of the objective and of loss terms."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from nip.rl_objectives import Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.learning.loss_terms import LossTerm

OBJECTIVE = "objective"
"""Name of the objective among the owners of parameters, and of its parameter group."""


def owner_modules(objective: Objective, loss_terms: Sequence[LossTerm]) -> dict[str, nn.Module]:
    """Return the modules, besides the agents, on which the loss may depend, by name.

    These are the objective, loss terms that are modules, and modules in attributes of loss terms.
    """
    owners: dict[str, nn.Module] = {OBJECTIVE: objective}
    for number, term in enumerate(loss_terms, start=1):
        for name, module in _modules_of(term.function):
            owners[".".join(filter(None, (f"loss_term_{number}", term.name, name)))] = module
    return owners


def owned_parameters(
    agents: CombinedAgents, owners: Mapping[str, nn.Module]
) -> dict[str, dict[str, nn.Parameter]]:
    """Return the parameters of each owner by their full names, without those of the agents.

    A parameter that several owners share belongs to the first of them.
    """
    taken = set(agents.parameters())
    owned: dict[str, dict[str, nn.Parameter]] = {}
    for owner, module in owners.items():
        own = {n: p for n, p in module.named_parameters(prefix=owner) if p not in taken}
        taken |= set(own.values())
        owned[owner] = own
    return owned


def owned_state_dict(agents: CombinedAgents, module: nn.Module) -> dict[str, Any]:
    """Return the state dict of an owner without the agents, which it may contain."""
    of_agents = {id(tensor) for tensor in agents.state_dict(keep_vars=True).values()}
    by_name = module.state_dict(keep_vars=True)
    own = [name for name, tensor in by_name.items() if id(tensor) not in of_agents]
    state = module.state_dict()
    return {name: state[name] for name in own}


def load_owned_state_dict(module: nn.Module, state: Mapping[str, Any]) -> None:
    """Load what ``owned_state_dict`` returned; the agents stay as they are."""
    module.load_state_dict({**module.state_dict(), **state})


def plain_tensors(owners: Mapping[str, nn.Module], loss_terms: Sequence[LossTerm]) -> set[Tensor]:
    """Return the tensors in attributes of modules and loss terms that require gradients.

    These are no parameters of modules.
    """
    modules = dict.fromkeys(each for owner in owners.values() for each in owner.modules())
    holders = [*modules, *(_holder(term.function) for term in loss_terms)]
    values = (value for each in holders for value in getattr(each, "__dict__", {}).values())
    return {each for each in values if isinstance(each, Tensor) and each.requires_grad}


def parameters_in_graph(losses: Sequence[Tensor], plain: Collection[Tensor] = ()) -> list[Tensor]:
    """Return the parameters that a backward pass from some losses would reach, in a fixed order.

    Parameters
    ----------
    losses : sequence of Tensor
        Scalars.
    plain : collection of Tensor
        Tensors that count as parameters, although they are none.
    """
    waiting = [loss.grad_fn for loss in losses if loss.grad_fn is not None]
    seen, found = set(waiting), dict[Tensor, None]()
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None and (isinstance(leaf, nn.Parameter) or leaf in plain):
            found[leaf] = None
        following = [each for each, _ in node.next_functions if each is not None]
        new = [each for each in dict.fromkeys(following) if each not in seen]
        seen.update(new)
        waiting += new
    return list(found)


def _holder(function: object) -> object:
    """Return the object of a method, or the function itself."""
    return getattr(function, "__self__", function)


def _modules_of(function: object) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(function, nn.Module):
        yield "", function
        return
    for name, value in getattr(_holder(function), "__dict__", {}).items():
        if isinstance(value, nn.Module):
            yield name, value
