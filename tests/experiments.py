"""Small experiments for tests that build or run whole ones."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nip.errors import NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import (
    GraphIsomorphismAgentParameters,
    HyperParameters,
    ImageClassificationAgentParameters,
    scenario_specs,
)
from nip.scenario_instance import ScenarioInstance
from nip.scenarios.graph_isomorphism.pair_files import PairArrays, write_dataset
from nip.trainers.core.trainer import Trainer
from nip.trainers.registry import build_trainer, trainer_registry
from tests.text_experiments import make_text_params

TENSOR_SCENARIOS = [name for name, spec in scenario_specs.items() if spec.data == "tensordict"]
"""Scenarios whose agents are networks."""

DATASETS = {
    "graph_isomorphism": "tiny",
    "image_classification": "find_the_plus",
    "matrix_games": "tandem",
    "toy": "witness",
}
"""A dataset of each scenario."""

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "reinforce": {"": {}, "critic": {"reinforce": {"use_advantage_and_critic": True}}},
    "spg": {"psos": {}, "spg": {"spg": {"variant": "spg"}}},
    "vanilla_ppo": {"clip": {}, "kl": {"ppo": {"loss_type": "kl_penalty"}}},
}
"""Ways in which a trainer can learn, for those which have more than one."""

NUM_ROUNDS = {"max_message_rounds": 4}
"""Shorter episodes for the protocols whose length is a parameter."""

ISOMORPHIC = -1


def make_params(
    scenario: str = "toy", trainer: str = "vanilla_ppo", protocol: str = "adp", **changes: Any
) -> HyperParameters:
    """Return a small experiment: four environments, two minibatches, two epochs, two iterations.

    Some tests set what has no effect on purpose, so warnings about it are left out.

    Parameters
    ----------
    scenario, trainer, protocol : str
        What to run.
    **changes : Any
        Other parameters of the root. What is given for ``rl`` is added to the small sizes.
    """
    rl = {
        "frames_per_batch": None,
        "rollouts_per_iteration": 4,
        "minibatch_size": 4,
        "num_epochs": 2,
        "num_iterations": 2,
        "num_test_iterations": 1,
        "num_normalization_steps": 20,
        **changes.pop("rl", {}),
    }
    groups: dict[str, Any] = {
        "dataset": DATASETS[scenario],
        "seed": 3,
        "agents": {"_default": tiny_graph_agent()} if scenario == "graph_isomorphism" else None,
        "rl": rl,
        "solo_agent": {"num_epochs": 2, "batch_size": 2, "learning_rate": 0.01},
        "test_size": 0.3,
        **changes,
    }
    if scenario == "graph_isomorphism":
        groups.setdefault("d_representation", 4)
    if scenario == "image_classification":
        groups["agents"] = groups["agents"] or {"_default": tiny_image_agent()}
        groups.setdefault("d_representation", 4)
        groups.setdefault("dataset_options", {"max_train_size": 8})
        groups.setdefault(
            "image_classification", {"num_block_groups": 2, "initial_num_channels": 1}
        )
    if f"{protocol}_protocol" in ("nip_protocol", "debate_protocol", "mnip_protocol"):
        groups.setdefault(f"{protocol}_protocol", NUM_ROUNDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters(
            scenario=scenario, trainer=trainer, interaction_protocol=protocol, **groups
        )


def trainer_variants() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return every way in which a registered trainer of networks can learn: name, parameters."""
    return {
        f"{name}-{variant}".rstrip("-"): (name, changes)
        for name, trainer in trainer_registry.items()
        for variant, changes in VARIANTS.get(name, {"": {}}).items()
        if trainer.data == "tensordict"
    }


def small_experiment(trainer: str, **changes: Any) -> HyperParameters:
    """Return a small experiment for any trainer, in a scenario of what it learns from."""
    if trainer_registry[trainer].data == "text":
        if trainer in ("pure_text_grpo", "pure_text_malt"):
            # A tree has several dialogues. A single group has enough examples for a job.
            changes["rl"] = {"rollouts_per_iteration": 8, **changes.get("rl", {})}
            changes.setdefault("every_agent", {"shared_model_group": "all"})
        if trainer == "pure_text_grpo":
            changes.setdefault("fine_tuning", {"backend": "local"})
        return make_text_params(trainer, **changes)
    return make_params(trainer=trainer, **changes)


def tiny_graph_agent(**changes: Any) -> GraphIsomorphismAgentParameters:
    """Return a network with one layer of everything and enough width to learn something."""
    fields = {
        "num_gnn_layers": 1,
        "d_gnn": 4,
        "d_gin_mlp": 4,
        "num_heads": 2,
        "num_transformer_layers": 1,
        "d_transformer": 4,
        "d_transformer_mlp": 4,
        "d_node_selector": 4,
        "d_decider": 4,
        "d_value": 4,
    }
    return GraphIsomorphismAgentParameters(**{**fields, **changes})


def tiny_image_agent(**changes: Any) -> ImageClassificationAgentParameters:
    """Return a network with one block in each group and enough width to learn something."""
    fields = {
        "num_blocks_per_group": 1,
        "stride": 2,
        "d_latent_pixel_selector": 4,
        "d_decider": 4,
        "d_value": 4,
    }
    return ImageClassificationAgentParameters(**{**fields, **changes})


def make_settings(
    folder: Path, data_dir: Path | str = "data", **changes: Any
) -> ExperimentSettings:
    """Return settings without progress bars, with the runs in a folder."""
    return ExperimentSettings(
        runs_dir=folder, data_dir=data_dir, **{"progress": False, "checkpoint_period": 1, **changes}
    )


def make_instance(hyper_params: HyperParameters, data_dir: Path | str = "data") -> ScenarioInstance:
    """Build all parts of an experiment."""
    settings = ExperimentSettings(data_dir=data_dir, progress=False)
    return build_scenario_instance(hyper_params, settings)


def make_trainer(hyper_params: HyperParameters, data_dir: Path | str = "data") -> Trainer:
    """Build a trainer that stores nothing."""
    settings = ExperimentSettings(data_dir=data_dir, progress=False)
    return build_trainer(hyper_params, build_scenario_instance(hyper_params, settings), settings)


def write_tiny_graphs(data_dir: Path) -> Path:
    """Write the dataset ``tiny``, eight pairs of graphs of three or four nodes; return data_dir."""
    rng = np.random.default_rng(0)
    sizes = np.array([[3, 3], [4, 4]] * 4)
    is_isomorphic = np.arange(8) % 4 < 2
    adjacency = np.zeros((8, 2, 4, 4), dtype=bool)
    for pair, (size, _) in enumerate(sizes):
        path = np.eye(size, k=1, dtype=bool) | np.eye(size, k=-1, dtype=bool)
        order = rng.permutation(size)
        adjacency[pair, 0, :size, :size] = path
        adjacency[pair, 1, :size, :size] = path[np.ix_(order, order)]
        if not is_isomorphic[pair]:
            adjacency[pair, 1, :size, :size] = ~np.eye(size, dtype=bool)
    scores = np.where(is_isomorphic, ISOMORPHIC, 1)
    pairs = PairArrays(adjacency, sizes, scores)
    folder = data_dir / "graph_isomorphism" / "tiny"
    write_dataset(folder, {"train": pairs, "test": pairs}, metadata={})
    return data_dir


def same_tensors(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Tell whether two mappings hold the same names and, bit by bit, the same numbers."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )
