"""Callback for federated averaging of agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, UnknownNameError, unknown_name
from nip.parameters.callbacks import AverageAgentWeightsParameters
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

ANCHOR, VELOCITY = "anchor.", "velocity."

LEARNING_STAGES = ("update", "train")
"""Stages after which the weights of an iteration are updated, but not evaluated yet."""


@register_callback("average_agent_weights", parameters=AverageAgentWeightsParameters)
class AverageAgentWeights(Callback):
    """Replaces the weights of some agents by their mean, as in federated averaging.

    Every ``every`` iterations, with the mean ``m`` of the agents' weights and the weights ``w`` of
    the last averaging (at first, the mean of the initial weights)::

        v <- server_momentum * v + (w - m)
        w <- w - v

    and ``w`` is copied to all agents (McMahan et al., "Communication-efficient learning of deep
    networks from decentralized data", 2017; with momentum, Hsu et al., "Measuring the effects of
    non-identical data distribution for federated visual classification", 2019). Running statistics
    of batch norm are replaced by their mean. The moments of the optimizer are unchanged.

    Parameters
    ----------
    **options : Any
        The fields of ``AverageAgentWeightsParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params = AverageAgentWeightsParameters(**options)
        self._anchor: dict[str, Tensor] = {}
        self._velocity: dict[str, Tensor] = {}
        self._last_iteration: int | None = None

    def check(self, trainer: Any) -> None:
        """Refuse unknown agents, and agents with different networks."""
        if trainer.data != "tensordict":
            raise ParameterError(
                "The callback 'average_agent_weights' needs agents that are networks, but those of "
                f"the trainer {trainer.hyper_params.trainer!r} are not. Leave it out of "
                "callbacks."
            )
        _check_alike(self._agents(trainer))

    def on_iteration_start(self, context: TrainingContext) -> None:
        """Store the mean of the initial weights, after any pretraining."""
        if self.params.server_momentum and not self._anchor:
            agents = self._agents(context.trainer).values()
            self._anchor = _means([dict(agent.named_parameters()) for agent in agents])
            self._velocity = {
                name: mean.new_zeros(mean.shape) for name, mean in self._anchor.items()
            }

    def on_stage_end(self, context: TrainingContext) -> None:
        """Average before the agents are evaluated."""
        if context.stage in LEARNING_STAGES:
            self._average(context)

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Average if the iterations of the trainer have no such stages."""
        self._average(context)

    def state_dict(self) -> Mapping[str, Any]:
        """Return the last averaged weights and their velocity; empty without momentum."""
        return {
            **{f"{ANCHOR}{name}": tensor for name, tensor in self._anchor.items()},
            **{f"{VELOCITY}{name}": tensor for name, tensor in self._velocity.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._anchor = _with_prefix(state, ANCHOR)
        self._velocity = _with_prefix(state, VELOCITY)

    def _average(self, context: TrainingContext) -> None:
        """Average if it is due, at most once in an iteration."""
        is_due = (context.iteration + 1) % self.params.every == 0
        if not is_due or self._last_iteration == context.iteration:
            return
        self._last_iteration = context.iteration
        agents = list(self._agents(context.trainer).values())
        parameters = _means([dict(agent.named_parameters()) for agent in agents])
        buffers = _means([_statistics(agent) for agent in agents])
        if self.params.server_momentum:
            parameters = self._with_momentum(parameters)
        for agent in agents:
            _overwrite(dict(agent.named_parameters()), parameters)
            _overwrite(_statistics(agent), buffers)

    def _agents(self, trainer: Any) -> dict[str, Module]:
        known = {name: agent for _, name, agent in trainer.agents}
        for name in self.params.agents:
            if name not in known:
                raise UnknownNameError(
                    f"callbacks.average_agent_weights.agents: {unknown_name('agent', name, known)}"
                )
        return {name: known[name] for name in self.params.agents}

    def _with_momentum(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        for name, mean in means.items():
            anchor = self._anchor[name].to(mean.device)
            velocity = self._velocity[name].to(mean.device)
            self._velocity[name] = self.params.server_momentum * velocity + (anchor - mean)
            self._anchor[name] = anchor - self._velocity[name]
        return self._anchor


def _check_alike(agents: Mapping[str, Module]) -> None:
    shapes = {
        name: {key: tuple(p.shape) for key, p in agent.named_parameters()}
        for name, agent in agents.items()
    }
    (first, expected), *others = shapes.items()
    for name, found in others:
        different = sorted(
            key for key in {*expected, *found} if expected.get(key) != found.get(key)
        )
        if different:
            key = different[0]
            raise ParameterError(
                f"Only agents with the same networks can be averaged, but {first!r} and {name!r} "
                f"differ in {len(different)} weights: {key} has the shape {expected.get(key)} in "
                f"the one and {found.get(key)} in the other. Give them the same parameters, or "
                "leave one out of callbacks.average_agent_weights.agents."
            )


def _statistics(agent: Module) -> dict[str, Tensor]:
    """Return the buffers that are estimated from data, by name."""
    kept = agent.state_dict().keys()
    return {
        name: buffer
        for name, buffer in agent.named_buffers()
        if name in kept and buffer.is_floating_point()
    }


def _means(clients: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    import torch

    return {
        name: torch.stack([client[name].detach() for client in clients]).mean(0)
        for name in clients[0]
    }


def _overwrite(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    import torch

    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(values[name])


def _with_prefix(state: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
