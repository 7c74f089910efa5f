"""Speed of the tensor trainers relative to plain PyTorch in the same process.

The setting is that of the public reference: default networks, 1000 frames per iteration
(``--frames``), 4 epochs, minibatches of 64, on pairs of graphs, or on images. The yardstick are
the same networks in plain PyTorch (``plain_networks.py``), which share no code with the package,
so that a faster package lowers the ratio. Both sides alternate, so that changes in the speed of the
machine affect both. The processor time of the process is reported beside wall time, which other
processes lengthen.

    python benchmarks/bench_tensor.py --json out.json
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import torch
from plain_training import PlainCollection, PlainIteration, PlainStep
from tensordict import TensorDictBase

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.protocols import protocol_registry
from nip.scenarios.graph_isomorphism.generation import generate_pairs
from nip.scenarios.graph_isomorphism.pair_files import write_dataset
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

GRAPHS = {"scenario": "graph_isomorphism", "dataset": "bench"}
SETTINGS: dict[str, dict[str, Any]] = {
    "ppo": GRAPHS,
    "reinforce": {**GRAPHS, "trainer": "reinforce"},
    "zero_knowledge": {**GRAPHS, "protocol_common": {"zero_knowledge": True}},
    "images": {"scenario": "image_classification", "dataset": "find_the_plus"},
}
"""Hyper-parameters of which an update, a collection and an iteration are measured, by name."""

SHAPING = {
    variant: {**GRAPHS, "trainer": "spg", "spg": {"variant": variant}}
    for variant in ("spg", "psos", "pspg")
}
"""Opponent-aware learning, of which an update is compared with a step and an update of PPO."""

NO_LEARNING = 1e-9
"""Learning rate of what is repeated, so that the work stays the same."""


class Times(NamedTuple):
    """Times of one call."""

    cpu_ms: float
    """Processor time of this process, all threads together."""

    wall_ms: float
    """Elapsed time."""


@dataclass(frozen=True)
class Bench:
    """Where and how much is measured."""

    data_dir: Path
    device: str
    rounds: int
    """Rounds of each comparison of updates; there are fewer of longer calls."""

    frames: int
    """Frames per iteration."""


def write_bench_pairs(data_dir: Path) -> None:
    """Write the pairs of graphs that are measured."""
    splits = {split: generate_pairs(1000, split, seed=0) for split in ("train", "test")}
    write_dataset(data_dir / "graph_isomorphism" / "bench", splits, metadata={"seed": 0})


def build_bench_trainer(bench: Bench, changes: dict[str, Any]) -> TensorDictRlTrainer:
    """Build a trainer that is ready to iterate, and learns next to nothing."""
    rl = {"num_iterations": 10**6, "frames_per_batch": bench.frames}
    hyper_params = HyperParameters(**{"trainer": "vanilla_ppo", "rl": rl, **changes})
    settings = ExperimentSettings(data_dir=str(bench.data_dir), progress=False, device=bench.device)
    instance = build_scenario_instance(hyper_params, settings)
    trainer = build_trainer(hyper_params, instance, settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    for group in trainer.optimizer.param_groups:
        group["lr"] = NO_LEARNING
    return trainer


def first_minibatch(trainer: TensorDictRlTrainer) -> TensorDictBase:
    """Collect a batch; return a minibatch of it, and leave the agents in training mode."""
    batch = trainer.collect_batch()
    trainer.agents.train()
    return next(iter(trainer.minibatches(batch)))


def timed(work: Callable[[], Any], device: str) -> Times:
    """Return the times of a call."""
    if device != "cpu":
        torch.cuda.synchronize()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return Times(1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall))


def quartiles(values: Sequence[float]) -> list[float]:
    """Return first quartile, median and third quartile."""
    if len(values) == 1:
        return [values[0]] * 3
    return quantiles(values, n=4, method="inclusive")


def compare(
    ours: Callable[[], Any], plain: Callable[[], Any], rounds: int, device: str
) -> dict[str, list[float]]:
    """Time two functions alternately; return quartiles of their times and of the ratios."""
    for work in (ours, plain):
        work()
    pairs = [(timed(ours, device), timed(plain, device)) for _ in range(max(1, rounds))]
    return {
        "cpu_ms": quartiles([one.cpu_ms for one, _ in pairs]),
        "plain_cpu_ms": quartiles([other.cpu_ms for _, other in pairs]),
        "cpu_ratio": quartiles([one.cpu_ms / other.cpu_ms for one, other in pairs]),
        "wall_ratio": quartiles([one.wall_ms / other.wall_ms for one, other in pairs]),
    }


def measure_setting(bench: Bench, name: str) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Compare an update, a collection and a whole iteration of a setting with plain PyTorch."""
    trainer, device = build_bench_trainer(bench, SETTINGS[name]), bench.device
    minibatch = first_minibatch(trainer)
    step, collection = PlainStep(trainer, minibatch), PlainCollection(trainer)
    update = partial(trainer.train_step, minibatch)
    yield f"{name} update", compare(update, step, bench.rounds, device)
    trainer.agents.eval()
    collect = trainer.collector.collect
    yield f"{name} collection", compare(collect, collection, bench.rounds // 3, device)
    assert trainer._minibatches is not None
    iteration = PlainIteration(collection, step, len(trainer._minibatches))
    numbers = iter(range(10**6))
    run = lambda: trainer._run_iteration(next(numbers))  # noqa: E731
    yield f"{name} iteration", compare(run, iteration, bench.rounds // 10, device)


def measure_protocol(bench: Bench, protocol: str) -> dict[str, list[float]]:
    """Compare an update of PPO in a protocol with a plain step of all its agents."""
    trainer = build_bench_trainer(bench, {**GRAPHS, "interaction_protocol": protocol})
    minibatch = first_minibatch(trainer)
    update, step = partial(trainer.train_step, minibatch), PlainStep(trainer, minibatch)
    return compare(update, step, bench.rounds // 3, bench.device)


def measure_shaping(bench: Bench, variant: str) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Compare an update of opponent-aware learning with a plain step and an update of PPO."""
    ppo = build_bench_trainer(bench, GRAPHS)
    trainer = build_bench_trainer(bench, SHAPING[variant])
    update = partial(trainer.train_step, first_minibatch(trainer))
    minibatch = first_minibatch(ppo)
    for other, work in (
        ("", PlainStep(ppo, minibatch)),
        (" by ppo", partial(ppo.train_step, minibatch)),
    ):
        yield f"{variant} update{other}", compare(update, work, bench.rounds // 3, bench.device)


def peak_mb(bench: Bench) -> float:
    """Run two iterations of PPO; return the largest resident memory of the process, in MiB."""
    trainer = build_bench_trainer(bench, GRAPHS)
    for number in range(2):
        trainer._run_iteration(number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def print_row(name: str, row: dict[str, list[float]]) -> None:
    """Print one line of the table, in Markdown."""
    low, ratio, high = row["cpu_ratio"]
    wall, ours, plain = (median(row[key]) for key in ("wall_ratio", "cpu_ms", "plain_cpu_ms"))
    spread = f"{ratio:.2f} ({low:.2f}–{high:.2f})"
    print(f"| {name:29s} | {ours:8.1f} | {plain:8.1f} | {spread:18s} | {wall:5.2f} |", flush=True)


def measure_all(
    bench: Bench, settings: Sequence[str], protocols: Sequence[str]
) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Yield each comparison with its name."""
    for name in settings:
        if name in SETTINGS:
            yield from measure_setting(bench, name)
    for protocol in protocols:
        yield f"{protocol} update", measure_protocol(bench, protocol)
    for name in settings:
        if name in SHAPING:
            yield from measure_shaping(bench, name)


def main() -> None:
    """Run the benchmark, print the results as a table, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="output file")
    parser.add_argument("--rounds", type=int, default=50, help="rounds of each comparison")
    parser.add_argument("--frames", type=int, default=1000, help="frames per iteration (1000)")
    names = [*SETTINGS, *SHAPING]
    parser.add_argument("--settings", nargs="*", choices=names, default=names, help="which (all)")
    parser.add_argument(
        "--protocols",
        nargs="*",
        default=[name for name in protocol_registry.names() if name != "nip"],
        help="protocols whose updates are compared with a plain step, beside nip (all)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.device, arguments.rounds, arguments.frames)
        write_bench_pairs(bench.data_dir)
        results["peak_mb"] = peak_mb(bench)
        print("| what | CPU ms | plain CPU ms | CPU ratio (quartiles) | wall ratio |")
        print("|---|---|---|---|---|")
        for name, row in measure_all(bench, arguments.settings, arguments.protocols):
            print_row(name, row)
            results[name] = row
    print(f"\nPeak memory of PPO: {results['peak_mb']:.0f} MiB")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
