"""Samples of complete rollouts, and files of rollouts."""

import json
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from tensordict import TensorDict, TensorDictBase

from nip.errors import CheckpointError, ParameterError
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.utils.files import regular, write_atomically

_SEPARATOR = "/"
"""Separator of nested keys in a file."""


def sample_rollouts(
    instance: TensorDictScenarioInstance,
    *,
    num_rollouts: int,
    seed: int,
    split: Literal["train", "test"] = "test",
    greedy: bool = False,
) -> TensorDict:
    """Play complete episodes, without an effect on the environments of training.

    Put the networks into evaluation mode and disable gradients first, as the test context of a
    trainer does.

    Parameters
    ----------
    seed : int
        Determines the questions, the episode seeds and the actions.
    greedy : bool
        Whether the agents take their most probable actions instead of sampling.

    Returns
    -------
    rollouts : TensorDict
        The entries of the collector, of batch size (episode, step), with as many steps as the
        longest possible episode. ``mask`` marks the steps of the episode; after its end everything
        is 0.

    Raises
    ------
    ParameterError
        If the agents exchange no messages, or an argument is invalid.
    """
    if num_rollouts < 1:
        raise ParameterError(f"num_rollouts must be at least 1, got {num_rollouts}. Raise it.")
    if split not in ("train", "test"):
        raise ParameterError(
            f"split must be 'train' or 'test', got {split!r}. Name one of the splits."
        )
    if any(agent.policy_head is None for _, _, agent in instance.agents):
        raise ParameterError(
            "These agents were built to answer alone (trainer=solo_agent), so they play no "
            "episodes. Choose a trainer of reinforcement learning to sample rollouts."
        )
    environments = {"train": instance.train_environment, "test": instance.test_environment}
    collector = RolloutCollector(
        environments[split].fresh_copy(stable_seed(seed, "environment", split), num_rollouts),
        instance.agents,
        num_steps=instance.protocol_handler.num_episode_rounds,
        seed=stable_seed(seed, "actions", split),
        greedy=greedy,
        with_values=False,
    )
    rollouts = collector.collect()
    done = rollouts["next", "done"].long()
    mask = done.cumsum(dim=1) == done
    rollouts = rollouts.masked_fill(~mask, 0)
    rollouts["mask"] = mask
    return rollouts


def save_rollouts(path: Path | str, rollouts: TensorDictBase) -> None:
    """Write rollouts to a safetensors file, with nested keys joined by ``/``."""
    flat = rollouts.flatten_keys(_SEPARATOR)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in flat.items()}
    shape = {"batch_size": json.dumps(list(rollouts.batch_size))}
    write_atomically(path, save(tensors, metadata=shape))


def load_rollouts(path: Path | str) -> TensorDict:
    """Load a file written by ``save_rollouts``, onto the CPU.

    Raises
    ------
    CheckpointError
        If the file does not exist, or holds no rollouts.
    """
    try:
        with safe_open(regular(path), framework="pt") as file:
            batch_size = json.loads(file.metadata()["batch_size"])
            flat = {name: file.get_tensor(name).clone() for name in file.keys()}
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as rollouts: {error}. Give a file that save_rollouts wrote."
        ) from error
    return TensorDict(flat, batch_size=torch.Size(batch_size)).unflatten_keys(_SEPARATOR)
