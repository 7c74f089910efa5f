"""TorchRL specs of the environment: shapes, types and ranges of its tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torchrl.data import Binary, Categorical, Composite, TensorSpec, Unbounded

from nip.scenario_base.agents import NUM_DECISIONS


def make_observation_spec(
    example: Mapping[str, Tensor], num_values: Mapping[str, int], device: torch.device
) -> Composite:
    """Describe observations like an example, given the number of values of each categorical one."""
    specs = {
        name: _spec_like(value, num_values.get(name), device) for name, value in example.items()
    }
    return Composite(specs, shape=example["round"].shape)


def make_action_spec(
    num_values: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]], device: torch.device
) -> Composite:
    """Describe the actions of all agents, each of shape (batch, agent, ...)."""
    return _under_agents(
        {
            name: Categorical(number, shape=shapes[name], device=device)
            for name, number in num_values.items()
        }
    )


def make_reward_spec(num_environments: int, num_agents: int, device: torch.device) -> Composite:
    """Describe the rewards of all agents."""
    return _under_agents({"reward": Unbounded(shape=(num_environments, num_agents), device=device)})


def make_done_spec(num_environments: int, num_agents: int, device: torch.device) -> Composite:
    """Describe the flags of ended episodes, for the environments and for each agent."""
    flag = Binary(shape=(num_environments,), dtype=torch.bool, device=device)
    agent_flag = Binary(shape=(num_environments, num_agents), dtype=torch.bool, device=device)
    return Composite(
        done=flag,
        terminated=flag.clone(),
        agents=Composite(done=agent_flag, terminated=agent_flag.clone(), shape=(num_environments,)),
        shape=(num_environments,),
    )


def check_actions(actions: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise a ``ValueError`` if an action is missing or does not have its shape of ``shapes``."""
    for name, shape in shapes.items():
        found = tuple(actions[name].shape) if name in actions else None
        if found != shape:
            dims = ("episode", "agent", "channel", "position")[: len(shape)]
            raise ValueError(
                f"actions[{name!r}] must have the shape {shape}: one entry for each "
                f"({', '.join(dims)}), got {'no such key' if found is None else found}. Agents "
                "whose turn it is not have entries too, which are not read."
            )


def check_decisions(decision: Tensor, counts: Tensor) -> None:
    """Raise a ``ValueError`` if a decision that counts, both (batch, agent), is not 0, 1 or 2."""
    wrong = counts & ((decision < 0) | (decision >= NUM_DECISIONS))
    if bool(wrong.any()):
        raise ValueError(
            "actions['decision'] must be 0 (reject), 1 (accept) or 2 (continue) where it counts, "
            f"got {int(decision[wrong][0])}. Entries of other agents are not read."
        )


def _under_agents(specs: Mapping[str, TensorSpec]) -> Composite:
    batch_size = next(iter(specs.values())).shape[:1]
    return Composite(agents=Composite(dict(specs), shape=batch_size), shape=batch_size)


def _spec_like(value: Tensor, num_values: int | None, device: torch.device) -> TensorSpec:
    if num_values is not None:
        return Categorical(num_values, shape=value.shape, dtype=value.dtype, device=device)
    if value.dtype == torch.bool:
        return Binary(shape=value.shape, dtype=torch.bool, device=device)
    return Unbounded(shape=value.shape, dtype=value.dtype, device=device)
