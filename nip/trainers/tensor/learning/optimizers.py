"""Optimizers: one for everything, with a parameter group for each part of each agent."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from nip.errors import ParameterError, warn_user
from nip.parameters import AgentParameters, OptimizerParameters
from nip.scenario_base.agent import Agent, Part
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.learning.joint_adam import JointAdam, JointAdamW

ParameterGroup = dict[str, Any]
"""Parameters with their options: ``params``, ``name``, ``lr`` and others."""

OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    "adam": JointAdam,
    "adamw": JointAdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "radam": torch.optim.RAdam,
    "nadam": torch.optim.NAdam,
}
"""Optimizer classes by the values of ``optimizer.name``."""

NOTHING = "nothing"
"""Name of the group of an experiment in which nothing is trained."""

FUSED = frozenset({"adam", "adamw"})
"""Optimizers that are built with ``fused=True``. Fused SGD fails for a parameter without a gradient
in the first step."""


def build_optimizer(
    agents: CombinedAgents,
    base_lr: float,
    params: OptimizerParameters,
    *,
    eps: float | None = None,
    select: Callable[[Agent, Part], bool] | None = None,
    params_of: Callable[[Agent], AgentParameters] = lambda agent: agent.context.params,
    factory: Callable[[list[ParameterGroup]], Optimizer] | None = None,
    owned: Mapping[str, Mapping[str, nn.Parameter]] | None = None,
) -> Optimizer:
    """Build the optimizer of all agents, and of the parameters of objective and loss terms.

    A part whose learning rate is 0 is frozen permanently, and gets no parameter group.

    Parameters
    ----------
    agents : CombinedAgents
        The agents.
    base_lr : float
        Learning rate of agents without one of their own; multiplied by their factors.
    params : OptimizerParameters
        Parameters of the optimizer.
    eps : float, optional
        Epsilon if the parameters do not set it. None: PyTorch's default.
    select : callable, optional
        Takes an agent and a part, and returns whether the part is optimized. Other parts are left
        unchanged.
    params_of : callable, optional
        Returns the parameters of an agent that determine its factors and options.
    factory : callable, optional
        Builds the optimizer from the groups instead. The groups hold those options of single agents
        that the optimizer named in the parameters knows.
    owned : mapping of str to mapping of str to nn.Parameter, optional
        Parameters of each owner besides the agents, which make a group of that name with the base
        learning rate, except those that are frozen.
    """
    kind = OPTIMIZERS[params.name]
    shared = vars(params) | {"eps": eps if params.eps is None else params.eps}
    groups = []
    for _, name, agent in agents:
        chosen = params_of(agent)
        own = _options(kind, vars(chosen.optimizer), shared)
        for part in agent.parts():
            if not part.parameters or (select is not None and not select(agent, part)):
                continue
            rate = 0.0 if agent.is_random else _learning_rate(base_lr, chosen, part)
            if rate == 0.0:
                for parameter in part.parameters:
                    parameter.requires_grad_(False)
            else:
                group = {"params": list(part.parameters), "name": f"{name}.{part.name}"}
                groups.append(group | own | {"lr": rate})
    for name, parameters in (owned or {}).items():
        learning = [parameter for parameter in parameters.values() if parameter.requires_grad]
        if learning:
            groups.append({"params": learning, "name": name, "lr": base_lr})
    if factory is not None:
        return _built_by(factory, groups or [_nothing()])
    options = _options(kind, shared, shared)
    if params.name in FUSED:
        options["fused"] = True
    return kind(groups or [_nothing()], **options)


def optimizer_state_dict(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> dict[str, Any]:
    """Return the state of an optimizer of any class by the names of its parameters.

    ``state`` holds the moments, as ``<parameter>:<moment>``; ``param_groups`` the numbers of each
    group of parameters, such as learning rates and momenta.
    """
    moments = {
        f"{name}:{key}": _stored(key, value)
        for parameter, name in names.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
    groups = [
        {name: _listed(value) for name, value in group.items() if _is_number_or_pair(value)}
        for group in optimizer.param_groups
    ]
    return {"state": moments, "param_groups": groups}


def load_optimizer_state_dict(
    optimizer: Optimizer, names: Mapping[nn.Parameter, str], state: Mapping[str, Any]
) -> None:
    """Load what ``optimizer_state_dict`` returned, into an optimizer built in the same way.

    Moments are assigned by the names of the parameters, whose order may differ.
    """
    by_name = {name: parameter for parameter, name in names.items()}
    optimizer.state.clear()
    for key, value in state["state"].items():
        name, _, moment = key.rpartition(":")
        parameter = by_name[name]
        optimizer.state[parameter][moment] = value.to(parameter.device, copy=True)
    for group, saved in zip(optimizer.param_groups, state["param_groups"], strict=True):
        for name, value in saved.items():
            group[name] = tuple(value) if isinstance(value, list) else value


def _stored(key: str, value: Any) -> torch.Tensor:
    """Return an entry of the state as files can hold it; steps may be entries of one tensor."""
    tensor = torch.as_tensor(value)
    return tensor.clone() if key == "step" else tensor


def _is_number_or_pair(value: Any) -> bool:
    entries = value if isinstance(value, tuple) else (value,)
    return all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in entries)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _learning_rate(base: float, params: AgentParameters, part: Part) -> float:
    """Return the base learning rate, or the agent's own, times the factors of a part."""
    rate = base if params.optimizer.lr is None else params.optimizer.lr
    for factor in part.factors:
        rate *= getattr(getattr(params, factor), part.role)
    return rate


def _options(
    kind: type[Optimizer], given: Mapping[str, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options that are set and known to the optimizer.

    If only one of the two betas is given, the other is the shared one or PyTorch's default.
    """
    known = inspect.signature(kind).parameters
    is_set = {name: value for name, value in given.items() if value is not None}
    options = {name: value for name, value in is_set.items() if name in known}
    if "betas" in known and is_set.keys() & {"beta1", "beta2"}:
        pair = [given[name] if name in is_set else shared[name] for name in ("beta1", "beta2")]
        default = known["betas"].default
        options["betas"] = tuple(
            own if beta is None else beta for own, beta in zip(default, pair, strict=True)
        )
    return options


def _built_by(
    factory: Callable[[list[ParameterGroup]], Optimizer], groups: list[ParameterGroup]
) -> Optimizer:
    """Return the optimizer of a factory, and warn of parameters that it leaves out."""
    names = {parameter: group["name"] for group in groups for parameter in group["params"]}
    optimizer = factory(groups)
    if not isinstance(optimizer, Optimizer):
        raise ParameterError(
            "The component optimizer must return a torch.optim.Optimizer, got an object of class "
            f"{type(optimizer).__name__}. Return, for example, torch.optim.Adam(groups)."
        )
    kept = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    if lost := list(dict.fromkeys(name for each, name in names.items() if each not in kept)):
        warn_user(
            f"The optimizer that was given leaves out parameters of {', '.join(lost)}: they are "
            "not trained. Pass it all parameter groups, or freeze them with a learning rate of 0."
        )
    return optimizer


def _nothing() -> ParameterGroup:
    """Return a group for an experiment without learning agents: PyTorch refuses an empty list."""
    return {"params": [nn.Parameter(torch.zeros(()))], "lr": 0.0, "name": NOTHING}
