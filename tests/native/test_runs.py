"""Runs with kernels: the same bits when resumed, and the losses of PyTorch up to rounding."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from nip import run_experiment
from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason
from nip.parameters import HyperParameters
from nip.run_store import Run, read_history
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from tests.experiments import make_params, make_trainer, same_tensors, write_tiny_graphs


@pytest.fixture(autouse=True)
def _kernels() -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)


def graph_params() -> HyperParameters:
    """Return a small experiment in the default architecture, but narrower."""
    agent = {"d_gnn": 8, "d_transformer": 8, "num_gnn_layers": 2, "num_transformer_layers": 2}
    return make_params("graph_isomorphism", protocol="nip", agents={"_default": agent})


def run(folder: Path, run_id: str, **settings: Any) -> Path:
    """Train on tiny graphs for two iterations."""
    params = graph_params()
    folders = {"data_dir": str(folder / "data"), "runs_dir": str(folder / "runs")}
    settings = {"progress": False, "checkpoint_period": 1, **folders, **settings}
    return run_experiment(params, run_id=run_id, **settings).folder


def logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    history = read_history(folder)
    return {name: history.values(name) for name in history.names()}


@pytest.mark.whole_run
def test_an_interrupted_run_gives_the_same_bits(tmp_path: Path) -> None:
    write_tiny_graphs(tmp_path / "data")
    straight = run(tmp_path, "straight")
    original = Run.log

    def interrupt(self: Run, iteration: int, metrics: dict[str, float]) -> None:
        if iteration == 2:
            raise KeyboardInterrupt
        original(self, iteration, metrics)

    with patch.object(Run, "log", interrupt), pytest.raises(KeyboardInterrupt):
        run(tmp_path, "resumed")
    resumed = run(tmp_path, "resumed")
    assert logged(resumed) == logged(straight)
    names = [path.relative_to(straight) for path in straight.glob("checkpoints/**/*.safetensors")]
    assert names
    for name in names:
        assert same_tensors(load_file(straight / name), load_file(resumed / name)), name

    # Otherwise this would test PyTorch.
    assert logged(run(tmp_path, "plain", native_kernels="off")) != logged(straight)


@pytest.mark.numerics
def test_the_losses_of_a_minibatch_are_those_of_pytorch(tmp_path: Path) -> None:
    write_tiny_graphs(tmp_path)
    trainer = make_trainer(graph_params(), tmp_path)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    batch = trainer.collect_batch()
    trainer.agents.train()
    minibatch = next(trainer.minibatches(batch))
    with native_kernels(False):
        expected = trainer.loss_module(minibatch)
    with native_kernels(True):
        losses = trainer.loss_module(minibatch)
    for name in expected.keys():
        torch.testing.assert_close(losses[name], expected[name], rtol=1e-6, atol=1e-6)
