"""Supervised pretraining of the agents' bodies, with a cache that runs share."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nip.errors import warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.data import TensorDataset
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.learning.metric_means import mean_over_rows
from nip.trainers.tensor.learning.optimizers import build_optimizer
from nip.trainers.tensor.learning.update_step import UpdateStep
from nip.trainers.tensor.solo_training import (
    TRAINED_PARTS,
    SoloDataset,
    SoloObjective,
    answer_alone,
    solo_rules,
)
from nip.utils.files import regular, write_atomically
from nip.utils.ranks import current_ranks

METRIC_PREFIX = "pretrain_"

IRRELEVANT_GROUPS = (
    "trainer",
    "ppo",
    "reinforce",
    "pretrain_agents",
    "lr_scheduler",
    "update_step",
    "loss_terms",
    "eval_every",
    "callbacks",
)
"""Parameters without influence on the result of pretraining."""

RELEVANT_RL_FIELDS = ("normalize_observations", "num_normalization_steps")
"""Fields of ``rl`` that determine the scaling of observations."""


def pretrain_agents(
    instance: TensorDictScenarioInstance,
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    on_epoch: Callable[[dict[str, float]], object],
) -> dict[str, float]:
    """Train all bodies to answer the question alone, or load them from the cache.

    The agents, which have solo heads, are changed in place. A separate body of the critic gets the
    weights of the actor's body. ``runs_dir`` holds the cache, which ``ignore_cache`` disables for
    loading. ``on_epoch`` gets the metrics of each epoch, unless the bodies are loaded. Loss and
    accuracy of each agent are returned, prefixed with ``pretrain_``.
    """
    path, ranks = cache_path(instance.train_dataset, hyper_params, settings), current_ranks()
    (is_cached,) = ranks.first([path.exists() and not settings.ignore_cache])
    if is_cached:
        stored = ranks.share(load_file(regular(path)) if ranks.is_first else {})
        metrics = json.loads(bytes(stored.pop("metrics").tolist()))
        _load_parts(instance.agents, stored)
    else:
        metrics = _train(instance, hyper_params, settings, on_epoch)
        tensors = _part_tensors(instance.agents)
        encoded = json.dumps(metrics, sort_keys=True).encode()
        tensors["metrics"] = torch.tensor(list(encoded), dtype=torch.uint8)
        if ranks.is_first:
            _store(path, save(tensors))
    for _, _, agent in instance.agents:
        if agent.value_body is not None:
            agent.value_body.load_state_dict(agent.body.state_dict())
    return metrics


def _store(path: Path, content: bytes) -> None:
    """Write to the cache, which in a shared folder may belong to another user."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        warn_user(
            f"The pretrained bodies are not kept for other runs, because {path} cannot be written "
            f"({error}). Make the folder writable, or choose another settings.runs_dir."
        )


def cache_path(
    dataset: TensorDataset, hyper_params: HyperParameters, settings: ExperimentSettings
) -> Path:
    """Return the cache file for bodies pretrained on this data with these parameters."""
    tree = hyper_params.to_dict(stamp=True)
    relevant = {key: value for key, value in tree.items() if key not in IRRELEVANT_GROUPS}
    relevant["rl"] = {name: tree["rl"][name] for name in RELEVANT_RL_FIELDS}
    relevant["train dataset"] = dataset.fingerprint()
    digest = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode())
    name = f"{digest.hexdigest()[:32]}.safetensors"
    return Path(settings.runs_dir) / ".cache" / "pretrained" / name


def _train(
    instance: TensorDictScenarioInstance,
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    on_epoch: Callable[[dict[str, float]], object],
) -> dict[str, float]:
    metrics: dict[str, float] = {}
    with _own_randomness(hyper_params, settings), _unfrozen(instance.agents):
        params = hyper_params.solo_agent
        dataset = SoloDataset(instance.train_environment, hyper_params)
        minibatches = dataset.minibatches()
        objective = SoloObjective(instance.agents)
        optimizer = build_optimizer(
            instance.agents,
            params.learning_rate,
            hyper_params.optimizer,
            **solo_rules(params),
        )
        train_learning_parts(instance.agents)
        update_step = UpdateStep(max_grad_norm=params.max_grad_norm)
        learner = Learner(instance.agents, objective, optimizer, update_step=update_step)
        for _ in range(params.num_epochs):
            metrics = mean_over_rows(
                [
                    (learner.step(dataset.questions(rows)), len(rows))
                    for rows in minibatches.of(dataset.train_rows)
                ]
            )
            on_epoch(metrics)
        instance.agents.eval()
        with torch.no_grad():
            tested = answer_alone(objective, dataset, held_out=True)
        metrics |= {f"test_{name}": value for name, value in tested.items()}
        instance.agents.train()
    return {f"{METRIC_PREFIX}{name}": value for name, value in metrics.items()}


@contextmanager
def _own_randomness(hyper_params: HyperParameters, settings: ExperimentSettings) -> Iterator[None]:
    """Draw dropout and noise from a separate seed.

    Later draws are thus the same whether the bodies were trained or loaded.
    """
    device = torch.device(settings.device)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(stable_seed(hyper_params.seed, "pretraining"))
        yield


@contextmanager
def _unfrozen(agents: CombinedAgents) -> Iterator[None]:
    """Unfreeze all parameters, also those that reinforcement learning keeps frozen.

    ``solo_agent.body_lr_factor_override`` is meant for bodies that are frozen afterwards.
    """
    frozen = [parameter for parameter in agents.parameters() if not parameter.requires_grad]
    agents.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in agents.parameters():
            parameter.grad = None
        for parameter in frozen:
            parameter.requires_grad_(False)


def _part_tensors(agents: CombinedAgents) -> dict[str, Tensor]:
    return {
        f"{name}.{part_name}.{key}": value
        for name, part_name, part in _trained_parts(agents)
        for key, value in part.state_dict().items()
    }


def _load_parts(agents: CombinedAgents, tensors: dict[str, Tensor]) -> None:
    for name, part_name, part in _trained_parts(agents):
        prefix = f"{name}.{part_name}."
        part.load_state_dict(
            {
                key.removeprefix(prefix): value
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
        )


def _trained_parts(agents: CombinedAgents) -> Iterator[tuple[str, str, nn.Module]]:
    """Yield the agent's name, the part's name and the part."""
    for _, name, agent in agents:
        for part_name in TRAINED_PARTS:
            part = getattr(agent, part_name)
            if part is not None:
                yield name, part_name, part
