"""Runs with and without compilation, for a process in which no shapes are checked.

PyTorch's compiler cannot look into the checks of shapes that other tests have.
"""

from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.scenario_base import compilation
from nip.scenario_base.compiled_collector import CompiledCollector
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from tests.experiments import make_params, write_tiny_graphs

NUM_ITERATIONS = 3


def compare(
    folder: str, scenario: str, trainer_name: str, changes: dict[str, Any], backend: str
) -> dict[str, Any]:
    """Return the metrics of both runs, how far their weights differ, and what was compiled."""
    # Importing the submodule would leave two of them, because the compiler has been deferred.
    counters = import_module("torch._dynamo").utils.counters
    torch.set_num_threads(1)
    data_dir = write_tiny_graphs(Path(folder))
    experiment = (data_dir, scenario, trainer_name, changes)
    metrics, weights = _train(*experiment, compile_="off")
    with patch.object(compilation, "BACKEND", backend):
        compiled_metrics, compiled_weights = _train(*experiment, compile_="default")
    distances = [
        float((compiled_weights[name].double() - weight.double()).abs().max())
        for name, weight in weights.items()
    ]
    return {
        "metrics": metrics,
        "compiled_metrics": compiled_metrics,
        "distance": max(distances),
        "num_graphs": counters["stats"]["unique_graphs"],
        "breaks": dict(counters["graph_break"]),
    }


def _train(
    data_dir: Path, scenario: str, trainer_name: str, changes: dict[str, Any], *, compile_: str
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Return the metrics of each iteration, and the weights at the end."""
    params = make_params(scenario, trainer_name, "nip", **changes)
    settings = ExperimentSettings(
        data_dir=str(data_dir), progress=False, agent_rows="fixed", compile=compile_
    )
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    assert isinstance(trainer.collector, CompiledCollector) == (compile_ != "off")
    metrics = [trainer._run_iteration(number) for number in range(NUM_ITERATIONS)]
    trainer.close()
    return metrics, trainer.agents.state_dict()
