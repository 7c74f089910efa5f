"""Speed of the tensor trainers relative to plain PyTorch in the same process.

The setting is that of the public reference: default networks, protocol ``nip``, 1000 frames per
iteration (``--frames``), 4 epochs, minibatches of 64, on pairs of graphs, also
(``zero_knowledge_...``) with the agents of zero knowledge, and (``images_...``) on images; updates
also with all other protocols.
``zero_knowledge_update_factor`` is the time of an update with zero knowledge relative to one
without. Both sides of a ratio alternate, so that changes in the speed of the machine affect both;
the median over all rounds is reported.

    python benchmarks/bench_tensor.py --json out.json
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tensordict import TensorDict

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.protocols import protocol_registry
from nip.rl_objectives.ppo import PpoObjective
from nip.scenario_base.actions import ActionMask, Choice, choose, entropy, log_prob
from nip.scenario_base.combined_agents import NESTED_KEYS, readable
from nip.scenarios.graph_isomorphism.generation import generate_pairs
from nip.scenarios.graph_isomorphism.pair_files import write_dataset
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

Seconds = float


SETTINGS = {
    "": {"scenario": "graph_isomorphism", "dataset": "bench"},
    "zero_knowledge_": {
        "scenario": "graph_isomorphism",
        "dataset": "bench",
        "protocol_common": {"zero_knowledge": True},
    },
    "images_": {"scenario": "image_classification", "dataset": "find_the_plus"},
}
"""What is measured, by the prefix of its metrics."""


def write_bench_pairs(data_dir: Path) -> None:
    """Write the pairs of graphs that are measured."""
    splits = {split: generate_pairs(1000, split, seed=0) for split in ("train", "test")}
    write_dataset(data_dir / "graph_isomorphism" / "bench", splits, metadata={"seed": 0})


SHAPING_VARIANTS = ("psos", "pspg")
"""Variants of ``spg`` whose updates are compared with those of PPO."""


@dataclass(frozen=True)
class Bench:
    """Where and how much is measured."""

    data_dir: Path
    device: str
    rounds: int
    """Rounds of each comparison."""

    frames: int
    """Frames per iteration."""


def build_bench_trainer(
    bench: Bench, setting: str = "", trainer_name: str = "vanilla_ppo", **changes: Any
) -> TensorDictRlTrainer:
    """Build a trainer of a setting, ready to iterate."""
    rl = {"num_iterations": 10**6, "frames_per_batch": bench.frames}
    hyper_params = HyperParameters(trainer=trainer_name, rl=rl, **SETTINGS[setting], **changes)
    settings = ExperimentSettings(data_dir=str(bench.data_dir), progress=False, device=bench.device)
    instance = build_scenario_instance(hyper_params, settings)
    trainer = build_trainer(hyper_params, instance, settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    return trainer


def timed(work: Callable[[], Any], device: str) -> Seconds:
    """Return the time of a call."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


class PlainStep:
    """One PPO step of the same networks on the same minibatch in plain PyTorch.

    All agents process all frames, without TensorDicts.
    """

    def __init__(self, trainer: TensorDictRlTrainer, minibatch: TensorDict) -> None:
        self.agents = trainer.agents
        self.params = trainer.hyper_params.ppo
        self.optimizer = torch.optim.Adam(self.agents.parameters(), lr=1e-9)
        observed = {k: minibatch[k] for k in minibatch.keys() if k not in NESTED_KEYS}
        self.observation = readable(observed)
        self.played = dict(minibatch["agents"].items())

    def __call__(self) -> None:
        """Run forward, backward and an Adam step."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self.played["value"].device)
        for index, _, agent in self.agents:
            mine = {name: value[:, index] for name, value in self.played.items()}
            output = agent(self.observation)
            choice = Choice(mine[self.agents.message_key], mine["decision"], None)
            turn = ActionMask(mine["active"], mine["decides"])
            ratio = (log_prob(output, choice, turn) - mine["sample_log_prob"]).exp()
            advantage = mine["advantage"]
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
            epsilon = self.params.clip_epsilon
            clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
            loss = loss - torch.minimum(ratio * advantage, clipped * advantage).mean()
            loss = loss + torch.nn.functional.smooth_l1_loss(output.value, mine["value_target"])
            loss = loss - self.params.entropy_eps * entropy(output, turn).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.agents.parameters(), 1.0)
        self.optimizer.step()


class PlainCollection:
    """The forward passes of one batch in a plain loop: all agents on all rows."""

    def __init__(self, trainer: TensorDictRlTrainer) -> None:
        self.agents = trainer.agents
        self.environment = trainer.scenario_instance.train_environment.fresh_copy(0)
        self.num_steps = trainer.scenario_instance.batch_shape.num_steps
        self.generator = torch.Generator(self.environment.device).manual_seed(0)

    @torch.no_grad()
    def __call__(self) -> None:
        """Run all agents on all environments, and write their messages into the state."""
        state = self.environment.initial_state()
        rows = torch.arange(self.environment.num_environments, device=self.environment.device)
        kept = []
        for step in range(self.num_steps):
            observation = readable(state)
            for index, _, agent in self.agents:
                output = agent(observation)
                choice = choose(output, self.generator, greedy=False)
                kept.append((choice, output.value, output.message_logits.log_softmax(-1)))
                if index == step % 2:
                    flat = state["x"].view(len(rows), self.num_steps, -1).clone()
                    flat[rows, step, choice.message[:, 0, 0]] = 1.0
                    state["x"] = flat.view_as(state["x"])


def compare(
    ours: Callable[[], Any], plain: Callable[[], Any], rounds: int, device: str
) -> dict[str, float]:
    """Time two functions alternately; return the medians of times in ms and of their ratio."""
    for work in (ours, plain):
        work()
    pairs = [(timed(ours, device), timed(plain, device)) for _ in range(rounds)]
    return {
        "ours_ms": 1e3 * median(a for a, _ in pairs),
        "plain_ms": 1e3 * median(b for _, b in pairs),
        "ratio": median(a / b for a, b in pairs),
    }


def update_of(trainer: TensorDictRlTrainer) -> Callable[[], Any]:
    """Return a function that repeats the update of one minibatch, almost without an effect."""
    batch = trainer.collect_batch()
    trainer.agents.train()
    minibatch = next(trainer.minibatches(batch))
    for group in trainer.optimizer.param_groups:
        group["lr"] = 1e-9
    return lambda: trainer.train_step(minibatch)


def measure_protocols(bench: Bench, protocols: Sequence[str]) -> dict[str, float]:
    """Compare the update of each protocol with a plain step of all its agents."""
    ratios = {}
    for protocol in protocols:
        trainer = build_bench_trainer(bench, interaction_protocol=protocol)
        batch = trainer.collect_batch()
        trainer.agents.train()
        minibatch = next(trainer.minibatches(batch))
        for group in trainer.optimizer.param_groups:
            group["lr"] = 1e-9
        ours = partial(trainer.train_step, minibatch)
        plain = PlainStep(trainer, minibatch)
        rounds = max(1, bench.rounds // 5)
        ratios[f"{protocol}_update_ratio"] = compare(ours, plain, rounds, bench.device)["ratio"]
    return ratios


def measure_shaping(bench: Bench) -> dict[str, float]:
    """Compare the updates of opponent-aware learning with those of PPO."""
    plain = update_of(build_bench_trainer(bench))
    updates = {
        variant: update_of(build_bench_trainer(bench, trainer_name="spg", spg={"variant": variant}))
        for variant in SHAPING_VARIANTS
    }
    return {
        f"{variant}_ratio_to_ppo": compare(update, plain, bench.rounds, bench.device)["ratio"]
        for variant, update in updates.items()
    }


def measure(bench: Bench, setting: str) -> dict[str, float]:
    """Run all measurements of a setting."""
    trainer, rounds, device = build_bench_trainer(bench, setting), bench.rounds, bench.device
    trainer.agents.train()
    num_frames = trainer.scenario_instance.batch_shape.num_frames
    iterations = max(1, rounds // 10)
    trainer._run_iteration(0)
    seconds = [timed(lambda i=i: trainer._run_iteration(i + 1), device) for i in range(iterations)]

    trainer.agents.eval()
    batch = trainer.collector.collect()
    assert trainer.gae is not None
    trainer.gae(batch)
    trainer.agents.train()
    minibatch = next(iter(trainer.minibatches(batch)))
    assert isinstance(trainer.loss_module, PpoObjective)
    for group in trainer.optimizer.param_groups:
        group["lr"] = 1e-9
    update = compare(
        lambda: trainer.train_step(minibatch), PlainStep(trainer, minibatch), rounds, device
    )
    trainer.agents.eval()
    collect = compare(
        trainer.collector.collect, PlainCollection(trainer), max(1, rounds // 5), device
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "frames_per_s": num_frames / median(seconds),
        "update_ratio": update["ratio"],
        "update_ms": update["ours_ms"],
        "plain_update_ms": update["plain_ms"],
        "collect_ratio": collect["ratio"],
        "collect_ms": collect["ours_ms"],
        "plain_collect_ms": collect["plain_ms"],
        # Linux counts in kilobytes, macOS in bytes.
        "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
    }


def main() -> None:
    """Run the benchmark, print the results, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="output file")
    parser.add_argument("--rounds", type=int, default=50, help="rounds of each comparison")
    parser.add_argument("--frames", type=int, default=1000, help="frames per iteration (1000)")
    parser.add_argument(
        "--protocols",
        nargs="*",
        default=protocol_registry.names(),
        help="protocols whose updates are compared with a plain step (all)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.device, arguments.rounds, arguments.frames)
        write_bench_pairs(bench.data_dir)
        results = {
            f"{setting}{name}": value
            for setting in SETTINGS
            for name, value in measure(bench, setting).items()
        }
        results |= measure_protocols(bench, arguments.protocols)
        results |= measure_shaping(bench)
    results["zero_knowledge_update_factor"] = (
        results["zero_knowledge_update_ms"] / results["update_ms"]
    )
    for name, value in results.items():
        print(f"{name:24s} {value:10.3f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
