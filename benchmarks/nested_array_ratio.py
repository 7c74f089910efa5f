"""Speed of ``NestedArrayDict`` relative to dictionaries of numpy arrays.

python benchmarks/nested_array_ratio.py --json out.json
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np

from nip.utils.nested_array_dict import NestedArrayDict, concatenate, stack

NUM_ROLLOUTS, NUM_ROUNDS, NUM_AGENTS, NUM_CHANNELS = 1000, 8, 3, 2
STRING = np.dtypes.StringDType(na_object=None)

Plain: TypeAlias = dict[str, Any]
Work: TypeAlias = Callable[[], Any]


def make_entries() -> Plain:
    """Return arrays of 1000 rollouts as in the text trainers."""
    rng = np.random.default_rng(0)
    turns = (NUM_ROLLOUTS, NUM_ROUNDS, NUM_AGENTS)
    message = np.array(["word " * 150, ""], dtype=STRING)
    writes = np.arange(NUM_ROUNDS)[:, None] % NUM_AGENTS == np.arange(NUM_AGENTS)
    text = message[np.broadcast_to(~writes, turns).astype(int)]
    integers = ("position", "datapoint", "copy", "seed", "y", "prover_stance", "verdict")
    counts = ("num_retries", "prompt_tokens", "completion_tokens", "decision")
    return {
        **{name: rng.integers(0, 2, NUM_ROLLOUTS) for name in integers},
        **{name: rng.random(NUM_ROLLOUTS) < 0.1 for name in ("failed", "terminated")},
        "datapoint_id": np.array([f"problem-{n}" for n in range(NUM_ROLLOUTS)], dtype=STRING),
        "verdict_value": rng.random(NUM_ROLLOUTS),
        "agents": {
            **{name: rng.integers(0, 9, turns) for name in counts},
            **{name: rng.random(turns) < 0.5 for name in ("active", "invalid", "cut")},
            "reward": rng.random(turns),
            "text": text,
            "channel_text": np.repeat(text[..., None], NUM_CHANNELS, axis=-1),
        },
    }


def mapped(entries: Plain, change: Callable[[Any], Any]) -> Plain:
    """Apply a function to all arrays of nested plain dictionaries."""
    return {
        name: mapped(entry, change) if isinstance(entry, dict) else change(entry)
        for name, entry in entries.items()
    }


def joined(batches: list[Plain], join: Callable[[list[Any]], Any]) -> Plain:
    """Join all arrays of several nested plain dictionaries."""
    return {
        name: joined([batch[name] for batch in batches], join)
        if isinstance(entry, dict)
        else join([batch[name] for batch in batches])
        for name, entry in batches[0].items()
    }


def make_work() -> dict[str, tuple[Work, Work]]:
    """Return each operation on ``NestedArrayDict`` and on plain dictionaries."""
    plain = make_entries()
    ours = NestedArrayDict(plain, NUM_ROLLOUTS)
    mask = ~plain["failed"]
    rows = np.flatnonzero(plain["y"])[::2]
    thirds = (slice(0, 300), slice(300, 600), slice(600, None))
    our_parts = [ours[third].copy() for third in thirds]
    plain_parts = [mapped(plain, lambda a, third=third: a[third].copy()) for third in thirds]
    reward = plain["agents"]["reward"]

    def set_ours() -> None:
        ours["agents", "reward"] = reward.copy()

    def set_plain() -> None:
        plain["agents"]["reward"] = reward.copy()

    def overwrite_ours() -> None:
        ours[thirds[0]] = our_parts[0]

    def overwrite_plain(target: Plain = plain, source: Plain = plain_parts[0]) -> None:
        for name, entry in target.items():
            if isinstance(entry, dict):
                overwrite_plain(entry, source[name])
            else:
                entry[thirds[0]] = source[name]

    return {
        "get": (
            lambda: ours["agents", "reward"].sum(axis=1),
            lambda: plain["agents"]["reward"].sum(axis=1),
        ),
        "set": (set_ours, set_plain),
        "slice": (lambda: ours[100:900], lambda: mapped(plain, lambda a: a[100:900])),
        "row": (lambda: ours[7], lambda: mapped(plain, lambda a: a[7])),
        "mask": (lambda: ours[mask], lambda: mapped(plain, lambda a: a[mask])),
        "rows": (lambda: ours[rows], lambda: mapped(plain, lambda a: a[rows])),
        "overwrite": (overwrite_ours, overwrite_plain),
        "concatenate": (
            lambda: concatenate(our_parts),
            lambda: joined(plain_parts, np.concatenate),
        ),
        "stack": (
            lambda: stack(our_parts[:2]),
            lambda: joined(plain_parts[:2], np.stack),
        ),
        "copy": (lambda: ours.copy(), lambda: mapped(plain, np.copy)),
    }


def seconds(work: Work, num_calls: int) -> float:
    """Return the total time of a number of calls."""
    start = time.perf_counter()
    for _ in range(num_calls):
        work()
    return time.perf_counter() - start


def measure(num_rounds: int = 15, round_seconds: float = 0.005) -> dict[str, float]:
    """Compare all operations.

    Both sides of a ratio alternate, so that changes in the speed of the machine affect both.
    Reading and setting include a sum or a copy of the array: looking up an entry takes less than a
    microsecond, but only nanoseconds in a plain dictionary.

    Parameters
    ----------
    num_rounds : int
        Number of ratios, whose median is reported.
    round_seconds : float
        Approximate time of one side in each round; at least one call.

    Returns
    -------
    ratios : dict of str to float
        ``nested_array_ratio_<operation>`` for each, and the largest as ``nested_array_ratio``.
    """
    ratios = {}
    for name, (ours, plain) in make_work().items():
        num_calls = max(1, int(round_seconds / max(seconds(plain, 3) / 3, 1e-9)))
        ratios[f"nested_array_ratio_{name}"] = median(
            seconds(ours, num_calls) / seconds(plain, num_calls) for _ in range(num_rounds)
        )
    return {"nested_array_ratio": max(ratios.values()), **ratios}


def main() -> None:
    """Run the benchmark, print the results, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="output file")
    parser.add_argument("--rounds", type=int, default=15, help="number of rounds (15)")
    arguments = parser.parse_args()
    results = measure(arguments.rounds)
    for name, value in results.items():
        print(f"{name:40} {value:6.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
