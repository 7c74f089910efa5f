"""Speed and memory of the training of language models, relative to lower bounds.

N rollouts of R sequential calls at latency L with C concurrent calls take at least
max(R L, N R L / C).

engine   the engine with a model that sleeps: time relative to this bound, by the clock, and as if
         no other process were running
own      overhead per message: whole dialogues, stored in run.db, with a model without latency
tree     a tree of responses: time relative to its longest path
http     the official SDK over HTTP against the mock server in another process
memory   growth of the process over many rollouts, sampled and stored as by a trainer

    python benchmarks/bench_text.py --json out.json
"""

import argparse
import asyncio
import json
import re
import resource
import selectors
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import (
    ChatMessage,
    Completion,
    ModelSpec,
    Sampling,
    TokenUsage,
)
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.call import Call
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.journal import MemoryJournal
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.stats import EngineStats
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    register_chat_provider,
)
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.run_store import Run
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.play import Complete, play_rollout
from nip.scenario_base.text.response_tree import play_response_tree
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.trainers.text.sampling import RolloutSampler

Seconds = float
Metrics = dict[str, float]
WORDS = " ".join(["word"] * 150)
MESSAGES_IN_MEMORY_PART = 4
TREE_DEPTH, TREE_RESPONSES = 6, 2

TARGETS = {
    "makespan_ratio_c8": 1.15,
    "makespan_ratio_c32": 1.15,
    "makespan_ratio_c100": 1.15,
    "makespan_ratio_c200": 1.15,
    "alone_ratio_c8": 1.1,
    "alone_ratio_c32": 1.1,
    "alone_ratio_c100": 1.1,
    "alone_ratio_c200": 1.1,
    "own_ms_per_message": 1.0,
    "tree_ratio": 1.3,
    "http_ratio_c50": 1.25,
    "http_ratio_c200": 1.25,
    "rss_growth_mb": 16.0,
}
"""Upper limits of some metrics; the others are informative."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the benchmarks."""

    num_rollouts: int
    num_rounds: int
    num_repeats: int
    num_rollouts_for_memory: int
    engine_concurrencies: Sequence[int]
    http_concurrencies: Sequence[int]
    latency_s: Seconds
    http_latency_s: Seconds

    def bound(self, latency_s: Seconds, concurrency: int) -> Seconds:
        """Return the lower bound on the time of any schedule."""
        one = self.num_rounds * latency_s
        return max(one, self.num_rollouts * one / concurrency)


@register_chat_provider("benchmark")
class SleepingModel(ProvidedChatModel):
    """Answers with 150 words after a latency given by its name, and decides in the last round."""

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:
        """Accept any specification."""

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Sleep, then answer."""
        await asyncio.sleep(float(self._spec.model_name))
        must_decide = "must decide now" in messages[-1]["content"]
        text = f"{WORDS}\n\nDecision: accept" if must_decide else WORDS
        usage = TokenUsage(200 * len(messages), 200)
        return Completion(text, "stop", usage, self._spec.model_name)


async def play_calls(engine: Engine, spec: ModelSpec, number: int, num_rounds: int) -> None:
    """Run a conversation that grows by one answer per round, without a protocol."""
    messages: list[ChatMessage] = [{"role": "system", "content": WORDS}]
    for round in range(num_rounds):
        key = f"train/0/{number}/{round}/prover/0"
        call = Call(spec, list(messages), Sampling(seed=number), "prover", key)
        completion = await engine.complete(call)
        messages.append({"role": "user", "content": completion.text})


async def time_calls(sizes: Sizes, spec: ModelSpec, concurrency: int) -> tuple[Seconds, Seconds]:
    """Return wall time and CPU time of all rollouts, run concurrently."""
    options = EngineOptions(max_concurrency=concurrency)
    async with Engine(None, options, journal=MemoryJournal()) as engine:
        clock = asyncio.get_running_loop()
        start, cpu_start = clock.time(), time.process_time()
        rollouts = range(sizes.num_rollouts)
        await asyncio.gather(*(play_calls(engine, spec, i, sizes.num_rounds) for i in rollouts))
        return clock.time() - start, time.process_time() - cpu_start


class SkippingSelector(selectors.DefaultSelector):
    """Does not wait for timers, and adds up what it would have waited."""

    skipped_s: Seconds = 0.0

    def select(self, timeout: Seconds | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events that are there already."""
        if timeout is None:
            return super().select()
        self.skipped_s += max(timeout, 0.0)
        return super().select(0)


class AloneLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while the processor computes for other processes.

    This clock takes ten times as long to read as that of other loops, which is subtracted.
    """

    def __init__(self) -> None:
        self._waits = SkippingSelector()
        self._seconds_per_reading = seconds_per_call(time.process_time) - seconds_per_call(
            time.monotonic
        )
        self._reading_s = 0.0
        super().__init__(self._waits)

    def time(self) -> Seconds:
        """Return the processor time of this process and all waits for timers."""
        self._reading_s += self._seconds_per_reading
        return time.process_time() + self._waits.skipped_s - self._reading_s


def seconds_per_call(function: Callable[[], object]) -> Seconds:
    """Return the processor time of a short call: the minimum of several rounds."""
    return min(timeit.repeat(function, timer=time.process_time, number=1000, repeat=20)) / 1000


def measure_engine(sizes: Sizes) -> Metrics:
    """Measure the engine relative to the lower bound."""
    spec = ModelSpec("benchmark", str(sizes.latency_s))
    loops = {"makespan": asyncio.new_event_loop, "alone": AloneLoop}
    metrics = {}
    for concurrency in sizes.engine_concurrencies:
        bound = sizes.bound(sizes.latency_s, concurrency)
        for name, new_loop in loops.items():
            seconds = []
            for _ in range(sizes.num_repeats):
                with asyncio.Runner(loop_factory=new_loop) as runner:
                    seconds.append(runner.run(time_calls(sizes, spec, concurrency))[0])
            metrics[f"{name}_ratio_c{concurrency}"] = median(seconds) / bound
    return metrics


def measure_http(sizes: Sizes) -> Metrics:
    """Measure the SDK over HTTP relative to the lower bound."""
    metrics = {}
    num_calls = sizes.num_rollouts * sizes.num_rounds
    with serve(sizes.http_latency_s) as address:
        spec = ModelSpec("openai", "gpt-4o-mini", base_url=address)
        # The first call imports the client, which takes most of a second.
        asyncio.run(time_calls(replace(sizes, num_rollouts=1, num_rounds=1), spec, 1))
        for concurrency in sizes.http_concurrencies:
            seconds, cpu_seconds = asyncio.run(time_calls(sizes, spec, concurrency))
            bound = sizes.bound(sizes.http_latency_s, concurrency)
            metrics[f"http_ratio_c{concurrency}"] = seconds / bound
            metrics[f"cpu_ms_per_call_c{concurrency}"] = 1e3 * cpu_seconds / num_calls
    return metrics


@contextmanager
def serve(latency_s: Seconds) -> Iterator[str]:
    """Run the mock server in another process; yield its address."""
    module = ["-m", "nip.language_models.server"]
    options = ["--port", "0", "--brain", "echo", "--latency", str(latency_s)]
    command = [sys.executable, *module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+?/v1", process.stdout.readline())
            if found is None:
                raise RuntimeError(f"The mock server did not start: {' '.join(command)}")
            yield found.group()
        finally:
            process.terminate()


@dataclass(frozen=True)
class Dialogues:
    """Rules and agents of dialogues with a given number of rounds and latency."""

    rules: DialogueRules
    agents: dict[str, TextAgent]


def datapoint(number: int) -> TextDatapoint:
    """Return a datapoint with a question and a solution of 150 words each."""
    return TextDatapoint(str(number), WORDS, WORDS, y=number % 2, prover_stance=1)


def make_dialogues(settings: ExperimentSettings, num_rounds: int, latency_s: Seconds) -> Dialogues:
    """Return dialogues between a prover and a verifier, who writes the last message."""
    params = {"model_provider": "benchmark", "model_name": str(latency_s)}
    hyper_params = HyperParameters(
        scenario="code_validation",
        trainer="pure_text_ei",
        dataset="test",
        interaction_protocol="nip",
        nip_protocol={"max_message_rounds": num_rounds},
        protocol_common={"verifier_first": num_rounds % 2 == 1},
        agents={"prover": params, "verifier": params},
    )
    protocol = build_protocol_handler(hyper_params)
    scenario = scenario_registry["code_validation"](hyper_params, settings)
    return Dialogues(scenario.dialogue_rules(protocol), scenario.build_agents(protocol))


async def time_tree(latency_s: Seconds) -> Seconds:
    """Return the time of a whole tree."""
    dialogues = make_dialogues(ExperimentSettings(), TREE_DEPTH, latency_s)
    plan = RolloutPlan(position=0, datapoint=0, seed=1, key_prefix="train/0/0")
    async with Engine(None, EngineOptions(), journal=MemoryJournal()) as engine:
        start = time.perf_counter()
        root = await play_response_tree(
            dialogues.rules,
            dialogues.agents,
            datapoint(0),
            plan,
            engine.complete,
            num_responses=TREE_RESPONSES,
        )
        seconds = time.perf_counter() - start
    assert len(list(root.leaves())) == TREE_RESPONSES**TREE_DEPTH
    return seconds


def measure_tree(sizes: Sizes) -> Metrics:
    """Measure a tree of responses relative to its longest path."""
    seconds = [asyncio.run(time_tree(sizes.latency_s)) for _ in range(sizes.num_repeats)]
    return {"tree_ratio": median(seconds) / (TREE_DEPTH * sizes.latency_s)}


def sample(
    num_rollouts: int, num_rounds: int, on_rollout: Callable[[EngineStats], None]
) -> tuple[Seconds, float]:
    """Sample and store rollouts in a new run, as the trainers do, without latency.

    Returns
    -------
    seconds, megabytes
        Time, and size of the database.
    """
    plans = [
        RolloutPlan(position=i, datapoint=i, seed=i, key_prefix=f"train/0/{i}")
        for i in range(num_rollouts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = ExperimentSettings(runs_dir=folder)
        dialogues = make_dialogues(settings, num_rounds, 0.0)
        with Run.open(settings, "bench", {}) as run:
            sampler = RolloutSampler(run, EngineOptions(), ConnectionContext(), UsageTracker())

            async def play(plan: RolloutPlan, complete: Complete) -> tuple[Rollout, ...]:
                rollout = await play_rollout(
                    dialogues.rules, dialogues.agents, datapoint(plan.position), plan, complete
                )
                return (rollout,)

            start = time.perf_counter()
            asyncio.run(sampler.sample("train", 0, plans, play, on_rollout))
            seconds = time.perf_counter() - start
            stored = run.rollouts.load("train", 1)
            assert all(len(record["messages"]) == num_rounds for record in stored)
        megabytes = (Path(folder) / "bench" / "run.db").stat().st_size / 2**20
    return seconds, megabytes


def ignore(_: EngineStats) -> None:
    """Ignore the progress."""


def measure_own(sizes: Sizes) -> Metrics:
    """Measure the overhead per message."""
    seconds = [
        sample(sizes.num_rollouts, sizes.num_rounds, ignore)[0] for _ in range(sizes.num_repeats)
    ]
    return {"own_ms_per_message": 1e3 * median(seconds) / sizes.num_rollouts / sizes.num_rounds}


def measure_memory(sizes: Sizes) -> Metrics:
    """Measure the growth of the process after the first tenth of the rollouts."""
    megabytes: list[float] = []
    seconds, file_megabytes = sample(
        sizes.num_rollouts_for_memory,
        MESSAGES_IN_MEMORY_PART,
        lambda _: megabytes.append(resident_megabytes()),
    )
    return {
        "rss_growth_mb": megabytes[-1] - megabytes[len(megabytes) // 10],
        "kb_per_rollout": file_megabytes * 2**10 / sizes.num_rollouts_for_memory,
        "ms_per_rollout": 1e3 * seconds / sizes.num_rollouts_for_memory,
    }


def resident_megabytes() -> float:
    """Return the resident memory of this process; its peak where the current value is unknown."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


PARTS: dict[str, Callable[[Sizes], Metrics]] = {
    "engine": measure_engine,
    "own": measure_own,
    "tree": measure_tree,
    "http": measure_http,
    "memory": measure_memory,
}


def table(metrics: Metrics) -> str:
    """Format the metrics with their targets."""
    lines = [f"{'':24s} {'measured':>10s} {'target':>8s}"]
    for name, value in metrics.items():
        target = TARGETS.get(name)
        verdict = (
            "" if target is None else f" {target:>8.2f}{'' if value <= target else '  missed'}"
        )
        lines.append(f"{name:24s} {value:10.3f}{verdict}")
    return "\n".join(lines)


def read_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--json", type=Path, help="output file")
    add("--parts", nargs="+", choices=[*PARTS], default=[*PARTS], help="benchmarks to run (all)")
    add("--rollouts", type=int, default=200, help="concurrent rollouts, N (200)")
    add("--rounds", type=int, default=9, help="calls per rollout, R (9)")
    add("--repeats", type=int, default=3, help="number of repeats; the median is reported (3)")
    add("--latency", type=float, default=0.05, help="latency in seconds, L (0.05)")
    add("--concurrency", type=int, nargs="+", default=[8, 32, 100, 200], help="concurrent calls, C")
    add("--http-latency", type=float, default=1.0, help="latency over HTTP in seconds (1)")
    add(
        "--http-concurrency",
        type=int,
        nargs="+",
        default=[50, 200],
        help="concurrent HTTP calls",
    )
    add(
        "--memory-rollouts",
        type=int,
        default=10_000,
        help="rollouts for memory (10000)",
    )
    return parser.parse_args()


def main() -> None:
    """Run the benchmarks, print the metrics, and write them to a file."""
    arguments = read_arguments()
    sizes = Sizes(
        num_rollouts=arguments.rollouts,
        num_rounds=arguments.rounds,
        num_repeats=arguments.repeats,
        num_rollouts_for_memory=arguments.memory_rollouts,
        engine_concurrencies=arguments.concurrency,
        http_concurrencies=arguments.http_concurrency,
        latency_s=arguments.latency,
        http_latency_s=arguments.http_latency,
    )
    metrics: Metrics = {}
    for part in arguments.parts:
        metrics |= PARTS[part](sizes)
    print(table(metrics))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
