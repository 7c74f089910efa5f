"""The benchmarks run and write their metrics, whose values are not tested."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from nip.scenario_base.combined_agents import NESTED_KEYS, readable
from tests.command_line_process import RUN_SCRIPT
from tests.fork_server import fork_server

SETTINGS = ("ppo", "reinforce", "zero_knowledge", "images")


def run_benchmark(repository: Path, folder: Path, name: str, *sizes: str) -> dict[str, Any]:
    """Run a benchmark; return what it has written."""
    script, path = repository / "benchmarks" / name, folder / "out.json"
    arguments = [str(script), "--json", str(path), *sizes]
    ending = fork_server().call(RUN_SCRIPT, *arguments, folder=folder)
    assert ending.exit_code == 0, ending.stderr
    return json.loads(path.read_text())


def test_the_tensor_benchmark_writes_its_metrics(repository: Path, tmp_path: Path) -> None:
    sizes = "--rounds 1 --frames 64 --settings ppo psos --protocols debate"
    metrics = run_benchmark(repository, tmp_path, "bench_tensor.py", *sizes.split())
    rows = {
        "ppo update",
        "ppo collection",
        "ppo iteration",
        "debate update",
        "psos update",
        "psos update by ppo",
    }
    assert metrics.keys() == rows | {"peak_mb"}
    for name in rows:
        for key in ("cpu_ms", "plain_cpu_ms", "cpu_ratio", "wall_ratio"):
            low, middle, high = metrics[name][key]
            assert 0 < low <= middle <= high, (name, key)


@pytest.fixture(scope="module")
def bench(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The tensor benchmark as a module, with its pairs of graphs in ``bench.small``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "benchmarks")
        module = importlib.import_module("bench_tensor")
        module.small = module.Bench(tmp_path_factory.mktemp("data"), "cpu", rounds=1, frames=64)
        module.write_bench_pairs(module.small.data_dir)
        yield module


@pytest.mark.numerics
@pytest.mark.parametrize("name", [*SETTINGS, "mnip", "merlin_arthur", "solo_verifier"])
def test_the_yardstick_computes_what_the_agents_compute(bench: ModuleType, name: str) -> None:
    changes = {**bench.GRAPHS, "interaction_protocol": name}
    trainer = bench.build_bench_trainer(bench.small, bench.SETTINGS.get(name, changes))
    frames = bench.first_minibatch(trainer)
    observation = readable({key: frames[key] for key in frames.keys() if key not in NESTED_KEYS})
    generator = torch.Generator().manual_seed(0)
    for _, _, agent in trainer.agents:
        for parameter in agent.parameters():
            parameter.data.normal_(0, 0.3, generator=generator)
        plain = importlib.import_module("plain_networks").PlainAgent(agent)
        for is_training in (True, False):
            expected, given = (each.train(is_training)(observation) for each in (agent, plain))
            for part in ("message_logits", "decision_logits", "value"):
                torch.testing.assert_close(
                    getattr(given, part), getattr(expected, part), rtol=1e-5, atol=1e-5
                )


@pytest.mark.numerics
@pytest.mark.parametrize("name", ["ppo", "reinforce"])
def test_the_yardstick_learns_what_the_agents_learn(bench: ModuleType, name: str) -> None:
    """Where all agents act in all frames, losses and gradients are the same."""
    trainer = bench.build_bench_trainer(
        bench.small, {**bench.SETTINGS[name], "interaction_protocol": "solo_verifier"}
    )
    frames = bench.first_minibatch(trainer)
    step = importlib.import_module("plain_training").PlainStep(trainer, frames)
    step()
    trainer.train_step(frames)
    for ours, plain in zip(trainer.agents.parameters(), step.parameters, strict=True):
        torch.testing.assert_close(plain.grad, ours.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "modes", [("fixed",), pytest.param(("compact", "compiled"), marks=pytest.mark.slow)]
)
def test_the_benchmark_of_accelerators_runs_on_a_cpu(
    modes: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    sizes = "--device cpu --environments 4 --minibatches 2 --rounds 1 --modes"
    metrics = run_benchmark(repository, tmp_path, "bench_gpu.py", *sizes.split(), *modes)
    assert metrics.keys() == {f"{mode} 4" for mode in modes}
    for name, row in metrics.items():
        assert row.pop("waits") is None
        assert min(row.values()) > 0, name
        assert row["bytes_per_frame"] < 1000


def test_the_benchmark_of_seeds_writes_its_metrics(repository: Path, tmp_path: Path) -> None:
    sizes = "--rounds 1 --iterations 1 --seeds 2 --trainers reinforce --only training"
    metrics = run_benchmark(repository, tmp_path, "bench_parallel_seeds.py", *sizes.split())
    assert metrics.keys() == {"seeds", "iterations", "reinforce training"}
    assert all(value > 0 for value in metrics["reinforce training"].values())


def test_the_text_benchmark_writes_its_metrics(repository: Path, tmp_path: Path) -> None:
    sizes = (
        "--rollouts 4 --rounds 3 --repeats 1 --latency 0.001 --http-latency 0.01 "
        "--concurrency 8 200 --http-concurrency 50 --memory-rollouts 20"
    )
    metrics = run_benchmark(repository, tmp_path, "bench_text.py", *sizes.split())
    for name in (
        "makespan_ratio_c8",
        "makespan_ratio_c200",
        "alone_ratio_c200",
        "own_ms_per_message",
        "tree_ratio",
        "http_ratio_c50",
        "cpu_ms_per_call_c50",
        "kb_per_rollout",
    ):
        assert metrics[name] > 0, name
    assert "rss_growth_mb" in metrics
