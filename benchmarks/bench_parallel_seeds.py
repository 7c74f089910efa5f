"""Time of several seeds that train together, relative to that of one run.

training  runs in this process, of one seed and of all, in turns: the time of whole runs, with
          their folders, evaluations, checkpoints and plots
process   the same as commands, each with a Python process of its own, which first imports PyTorch

The setting is ``experiment=toy``. Processor time is reported beside wall time, which other
processes lengthen. The ratio of as many single runs one after the other would be the number of
seeds.

    python benchmarks/bench_parallel_seeds.py --json out.json
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from nip import HyperParameters, run_experiment, run_parallel_seeds

REPOSITORY = Path(__file__).resolve().parents[1]
TOY: dict[str, Any] = {
    "scenario": "toy",
    "dataset": "witness",
    "interaction_protocol": "adp",
    "rl": {"frames_per_batch": 512, "minibatch_size": 256, "lr": 0.05},
}
"""Parameters of ``experiment=toy``, except for the trainer and the number of iterations."""

TRAINERS = ("vanilla_ppo", "reinforce")
MEASURES = ("training", "process")


class Times(NamedTuple):
    """Times of one call, in seconds."""

    cpu: float
    """Processor time of this process and of those that it has waited for."""

    wall: float
    """Elapsed time."""


def timed(work: Callable[[], Any]) -> Times:
    """Return the times of a call."""
    cpu, wall = processor_time(), time.perf_counter()
    work()
    return Times(processor_time() - cpu, time.perf_counter() - wall)


def processor_time() -> float:
    """Return the processor time of this process and of its children, in seconds."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(one: Callable[[], Any], all_: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Time two functions alternately; return the medians of their times and of the ratios."""
    pairs = [(timed(one), timed(all_)) for _ in range(rounds)]
    return {
        "one_cpu_s": median(first.cpu for first, _ in pairs),
        "all_cpu_s": median(second.cpu for _, second in pairs),
        "cpu_ratio": median(second.cpu / first.cpu for first, second in pairs),
        "wall_ratio": median(second.wall / first.wall for first, second in pairs),
    }


def measure_training(trainer: str, options: argparse.Namespace, runs: Path) -> dict[str, float]:
    """Compare runs in this process."""
    rl = {**TOY["rl"], "num_iterations": options.iterations}
    hyper_params, numbers = HyperParameters(**{**TOY, "trainer": trainer, "rl": rl}), count()
    where: dict[str, Any] = {"runs_dir": str(runs), "progress": False}

    def one() -> None:
        run_experiment(hyper_params, run_id=f"{trainer}-{next(numbers)}", **where)

    def together() -> None:
        name = f"{trainer}-{next(numbers)}"
        run_parallel_seeds(hyper_params, options.seeds, run_id=name, **where)

    one()  # Imports what only a run needs.
    return compare(one, together, options.rounds)


def measure_process(trainer: str, options: argparse.Namespace, runs: Path) -> dict[str, float]:
    """Compare commands."""
    words = (
        "experiment=toy",
        f"trainer={trainer}",
        f"rl.num_iterations={options.iterations}",
        f"settings.runs_dir={runs}",
        "settings.progress=false",
    )
    numbers = count()

    def run(num_seeds: int) -> None:
        name = f"{trainer}-process-{next(numbers)}"
        more = (f"num_parallel_seeds={num_seeds}", f"run_id={name}")
        script = str(REPOSITORY / "scripts" / "run_experiment.py")
        subprocess.run([sys.executable, script, *words, *more], check=True, cwd=REPOSITORY)

    return compare(lambda: run(1), lambda: run(options.seeds), options.rounds)


def main() -> None:
    """Measure, print a table, and write the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8, help="number of seeds")
    parser.add_argument("--iterations", type=int, default=100, help="iterations of each run")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is measured")
    parser.add_argument("--trainers", nargs="+", default=TRAINERS, help="trainers to measure")
    parser.add_argument("--only", choices=MEASURES, help="measure only one of both")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    result: dict[str, Any] = {"seeds": options.seeds, "iterations": options.iterations}
    print(f"{'':22} {'one, s':>8} {f'{options.seeds} seeds, s':>12} {'ratio':>7} {'wall':>7}")
    with tempfile.TemporaryDirectory() as folder:
        measures = dict(zip(MEASURES, (measure_training, measure_process), strict=True))
        for trainer, name in product(options.trainers, MEASURES):
            if options.only in (None, name):
                found = measures[name](trainer, options, Path(folder))
                result[f"{trainer} {name}"] = found
                print(
                    f"{trainer} {name:10} {found['one_cpu_s']:8.2f} {found['all_cpu_s']:12.2f} "
                    f"{found['cpu_ratio']:7.2f} {found['wall_ratio']:7.2f}",
                    flush=True,
                )
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
