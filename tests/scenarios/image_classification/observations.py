"""Contexts and observations of image classification agents, for tests."""

from typing import Any

import torch
from torch import Tensor

from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.agents import AgentContext

SHAPE = (2, 12, 8)
"""Channels, height and width of the images here."""


def make_context(
    agent_name: str = "verifier",
    *,
    grid: tuple[int, int] = (6, 4),
    experiment: dict[str, Any] | None = None,
    embedding_shape: tuple[int, int, int] = (5, 3, 2),
    **agent: Any,
) -> AgentContext:
    """Return the context of an agent, whose biases are random unless asked otherwise."""
    fields = {"use_orthogonal_initialisation": False, **agent}
    hyper_params = HyperParameters(
        scenario="image_classification",
        trainer="vanilla_ppo",
        dataset="find_the_plus",
        agents={agent_name: fields},
        **{"image_classification": {"initial_num_channels": 3}, **(experiment or {})},
    )
    shapes = {"image": SHAPE}
    if name := fields.get("pretrained_embeddings_model"):
        shapes[f"pretrained_embeddings/{name}"] = embedding_shape
    return AgentContext(
        hyper_params=hyper_params,
        params=hyper_params.agents[agent_name],
        agent_name=agent_name,
        protocol=build_protocol_handler(hyper_params),
        message_shape=grid,
        observation_shapes=shapes,
    )


def make_observation(context: AgentContext, seed: int = 0, batch: int = 3) -> dict[str, Tensor]:
    """Return random images with a random latent pixel named in every round played so far.

    The first image is in round 0, where nothing is named yet, the others are in the last round.
    """
    generator = torch.Generator().manual_seed(seed)
    rounds = torch.tensor([0, *[context.num_rounds - 1] * (batch - 1)])
    shape = (batch, context.num_rounds, context.num_visible_channels, context.message_size)
    symbols = torch.randint(context.num_symbols, shape, generator=generator)
    history = torch.nn.functional.one_hot(symbols, context.num_symbols)
    played = torch.arange(context.num_rounds) < rounds[:, None]
    history = (history * played.view(*shape[:2], 1, 1, 1)).to(torch.get_default_dtype())
    history = history.unflatten(-1, context.message_shape)
    last = history[torch.arange(batch), (rounds - 1).clamp_min(0)]
    observation = {
        "round": rounds,
        "message_history": history,
        "x": history,
        "message": last * (rounds > 0).view(-1, 1, 1, 1, 1),
    }
    for name, size in context.observation_shapes.items():
        observation[name] = 2 * torch.rand(batch, *size, generator=generator) - 1
    if context.linear_symbols is not None:
        observation["linear_message_history"] = torch.rand(
            *shape, context.linear_symbols, generator=generator
        )
    return observation
