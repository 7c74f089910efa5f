"""Create a dataset of graph pairs for the graph isomorphism scenario."""

import argparse
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nip.command_line.script_parser import (
    command_parser,
    dataset_name,
    exit_code_of,
    given_fields,
)

if TYPE_CHECKING:
    import numpy as np

    from nip.scenarios.graph_isomorphism.generation import GenerationParameters
    from nip.scenarios.graph_isomorphism.graph_pool import Split
    from nip.scenarios.graph_isomorphism.pair_files import PairArrays

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
Half of the pairs are isomorphic. The score of any other pair is the first round of colour
refinement that distinguishes its graphs: a graph network needs as many layers to distinguish them.

example:
  {dataset graph-isomorphism} my_graphs --num-train 10000 --num-test 1000 --seed 1
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("dataset graph-isomorphism", EPILOG)
    add = parser.add_argument
    add("name", type=dataset_name, help="name of the dataset")
    add("--num-train", type=int, default=10000, metavar="N", help="training pairs (10000)")
    add("--num-test", type=int, default=1000, metavar="N", help="test pairs (1000)")
    add("--seed", type=int, default=0, help="random seed; determines the dataset (0)")
    add("--sizes", type=int, nargs="+", metavar="N", help="numbers of nodes (7 8 9 10 11)")
    add(
        "--edge-probabilities",
        type=float,
        nargs="+",
        metavar="P",
        help="probabilities of an edge between two nodes (0.2 0.4 0.6 0.8)",
    )
    add(
        "--score-fractions",
        type=float,
        nargs=2,
        metavar=("S1", "S2"),
        help="fractions of scores 1 and 2 among non-isomorphic pairs; the others have higher "
        "scores (0.1 0.2; 0.08 0.2 in the public files)",
    )
    add("--max-rounds", type=int, metavar="K", help="highest score of a pair (5)")
    parser.add_dataset_arguments()
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Create the dataset and print its statistics."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: create(options), "dataset graph-isomorphism", parser=parser)


def create(options: argparse.Namespace) -> None:
    """Generate both splits and write them."""
    from nip.scenario_base.dataset_files import refuse_existing
    from nip.scenarios.graph_isomorphism.generation import (
        GenerationParameters,
        check_memory,
        check_num_pairs,
    )
    from nip.scenarios.graph_isomorphism.pair_files import write_dataset

    folder = options.data_dir / "graph_isomorphism" / options.name
    refuse_existing(folder, options.overwrite)
    parameters = GenerationParameters(**given_fields(GenerationParameters, options))
    counts: dict[Split, int] = {"train": options.num_train, "test": options.num_test}
    for split, count in counts.items():
        check_num_pairs(count, split)
    check_memory(counts, parameters)
    splits = generate(counts, options.seed, parameters)
    write_dataset(
        folder, splits, metadata(counts, options.seed, parameters), overwrite=options.overwrite
    )
    report(folder, splits)


def generate(
    counts: "dict[Split, int]", seed: int, parameters: "GenerationParameters"
) -> "dict[str, PairArrays]":
    """Generate the pairs of both splits, with a progress bar."""
    from rich.progress import Progress

    from nip.scenarios.graph_isomorphism.generation import generate_pairs
    from nip.utils.console import open_console

    splits: dict[str, PairArrays] = {}
    with Progress(transient=True, console=open_console()) as progress:
        for split, count in counts.items():
            task = progress.add_task(f"{split} pairs", total=count)
            splits[split] = generate_pairs(
                count, split, seed, parameters, partial(progress.advance, task)
            )
    return splits


def metadata(
    counts: "dict[Split, int]", seed: int, parameters: "GenerationParameters"
) -> dict[str, object]:
    """Return what is needed to reproduce the dataset."""
    return {
        "scenario": "graph_isomorphism",
        "package_version": version("nip"),
        "seed": seed,
        **{f"num_{split}": count for split, count in counts.items()},
        **asdict(parameters),
    }


def report(folder: Path, splits: "dict[str, PairArrays]") -> None:
    """Print the number of pairs by score and size."""
    import numpy as np
    from rich.table import Table

    from nip.utils.console import open_console

    def add_rows(name: str, columns: "list[np.ndarray]") -> None:
        for value in np.unique(np.concatenate(columns)):
            label = "isomorphic" if value == -1 else f"{name} {value}"
            table.add_row(label, *(str((column == value).sum()) for column in columns))
        table.add_section()

    table = Table("pairs")
    for split in splits:
        table.add_column(split, justify="right")
    add_rows("score", [pairs.wl_scores for pairs in splits.values()])
    add_rows("nodes", [pairs.sizes[:, 0] for pairs in splits.values()])
    table.add_row("all", *(str(len(pairs)) for pairs in splits.values()))
    console = open_console()
    console.print(table)
    console.print(f"Written to {folder}", soft_wrap=True)
