"""Training on an accelerator: frames per second by number of environments, launches and memory.

Each number of environments is measured on compact rows, in fixed shapes, with compiled steps and,
on a GPU, with CUDA graphs. The default networks are trained by PPO on pairs of graphs; every batch
makes ``--minibatches`` updates per epoch. On a CPU there are no launches, and operations of PyTorch
are counted instead.

    python benchmarks/bench_gpu.py --device cuda --json out.json
    python benchmarks/bench_gpu.py --device cpu --environments 128 --modes compact fixed
"""

import argparse
import json
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from bench_tensor import NO_LEARNING, SETTINGS, write_bench_pairs
from torch.profiler import ProfilerActivity, profile

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

MODES = {
    "compact": {"agent_rows": "compact"},
    "fixed": {"agent_rows": "fixed"},
    "compiled": {"compile": "default"},
    "graphs": {"compile": "graphs"},
}
"""Settings of each mode."""

ENVIRONMENTS = (128, 512, 2048, 8192, 16384)
WARM_UP = 3
"""Calls that are not measured: compiling, recording of CUDA graphs, and a first replay."""

LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cudaMemcpyAsync")
"""Beginnings of the names of what the host starts on a GPU."""


class Case(NamedTuple):
    """What is measured."""

    setting: str
    """Name of the hyper-parameters in ``bench_tensor``."""

    mode: str
    """One of ``MODES``."""

    num_environments: int
    """Parallel environments."""

    num_minibatches: int
    """Updates of each epoch."""

    device: str
    """Device of everything."""

    data_dir: Path
    """Folder of the pairs of graphs."""


def build_case(case: Case) -> TensorDictRlTrainer:
    """Build a trainer that is ready to iterate, and learns next to nothing."""
    changes: dict[str, Any] = {"trainer": "vanilla_ppo", **SETTINGS[case.setting]}
    rl = {"num_iterations": 10**6, "rollouts_per_iteration": case.num_environments}
    num_steps = 8
    rl |= {"frames_per_batch": None, "steps_per_env_per_iteration": num_steps, "num_epochs": 1}
    rl["minibatch_size"] = case.num_environments * num_steps // case.num_minibatches
    params = HyperParameters(**changes, rl=rl)
    settings = ExperimentSettings(
        data_dir=str(case.data_dir), progress=False, device=case.device, **MODES[case.mode]
    )
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    for group in trainer.optimizer.param_groups:
        group["lr"] = NO_LEARNING
    return trainer


def seconds(work: Callable[[], Any], rounds: int, device: str) -> float:
    """Return the median time of a call after a warm-up, with the work of the device."""
    times = []
    for number in range(WARM_UP + rounds):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        if number >= WARM_UP:
            times.append(time.perf_counter() - start)
    return median(times)


def count_launches(work: Callable[[], Any], device: str) -> int:
    """Return how many kernels, graphs and copies a call starts; on a CPU, how many operations."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device != "cpu")
    with profile(activities=activities) as profiler:
        work()
    events = profiler.events() or []
    if device == "cpu":
        return sum(each.name.startswith("aten::") and each.cpu_parent is None for each in events)
    return sum(each.name.startswith(LAUNCHES) for each in events)


def count_synchronisations(work: Callable[[], Any], device: str) -> int | None:
    """Return how often a call makes the host wait for a GPU; None on a CPU."""
    if device == "cpu":
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(each.message) for each in caught)


def peak_mb(device: str) -> float:
    """Return the largest memory: of the GPU since the last reset, or of this process so far."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Measure collecting, an update and an iteration of a case."""
    if case.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    trainer = build_case(case)
    num_frames = trainer.scenario_instance.batch_shape.num_frames
    batch = trainer.collect_batch()
    num_bytes = sum(each.numel() * each.element_size() for each in batch.values(True, True))
    trainer.agents.train()
    minibatch = next(iter(trainer.minibatches(batch)))
    update = partial(trainer.train_step, minibatch)
    update_s = seconds(update, rounds, case.device)
    launches = count_launches(update, case.device)
    waits = count_synchronisations(update, case.device)
    trainer.learner.finish_epoch()
    collect_s = seconds(trainer.collect_batch, rounds, case.device)
    numbers = iter(range(10**6))
    iterate = lambda: trainer._run_iteration(next(numbers))  # noqa: E731
    iteration_s = seconds(iterate, rounds, case.device)
    trainer.close()
    return {
        "frames_per_s": num_frames / iteration_s,
        "collected_per_s": num_frames / collect_s,
        "update_ms": 1e3 * update_s,
        "launches": launches,
        "waits": waits,
        "bytes_per_frame": num_bytes / num_frames,
        "peak_mb": peak_mb(case.device),
    }


def measure_all(
    arguments: argparse.Namespace, data_dir: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the results of each number of environments and mode, with a name."""
    for count in arguments.environments:
        for mode in arguments.modes:
            case = Case(
                arguments.setting, mode, count, arguments.minibatches, arguments.device, data_dir
            )
            if "compile" in MODES[mode]:
                import_module("torch._dynamo").reset()
            yield f"{mode} {count}", measure(case, arguments.rounds)


def print_row(name: str, row: dict[str, Any]) -> None:
    """Print one line of the table, in Markdown."""
    mode, count = name.split()
    waits = "" if row["waits"] is None else row["waits"]
    print(
        f"| {count:>6s} | {mode:8s} | {row['frames_per_s']:10.0f} | {row['collected_per_s']:10.0f} "
        f"| {row['update_ms']:9.2f} | {row['launches']:6d} | {waits!s:>5s} "
        f"| {row['bytes_per_frame']:6.0f} | {row['peak_mb']:8.0f} |",
        flush=True,
    )


def main() -> None:
    """Run the benchmark, print the results as a table, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="output file")
    parser.add_argument("--device", default="cuda", help="cuda or cpu (cuda)")
    parser.add_argument("--setting", default="ppo", choices=["ppo", "reinforce", "images"])
    parser.add_argument("--environments", type=int, nargs="*", default=ENVIRONMENTS)
    parser.add_argument("--modes", nargs="*", choices=MODES, help="which (all of the device)")
    parser.add_argument("--minibatches", type=int, default=4, help="updates per epoch (4)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    arguments = parser.parse_args()
    if arguments.device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {arguments.device} is not available here. Use --device cpu.")
    if arguments.modes is None:
        arguments.modes = [mode for mode in MODES if mode != "graphs" or arguments.device != "cpu"]
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    operations = "operations" if arguments.device == "cpu" else "launches"
    with tempfile.TemporaryDirectory() as folder:
        write_bench_pairs(Path(folder))
        print(
            f"| environments | mode | frames/s | collected/s | update ms | {operations} per update",
            end="",
        )
        print(" | waits | bytes per frame | peak MiB |\n" + "|---" * 9 + "|")
        for name, row in measure_all(arguments, Path(folder)):
            print_row(name, row)
            results[name] = row
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
