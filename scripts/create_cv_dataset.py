"""Make a dataset of correct and buggy programs for the code validation scenario."""

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from nip.command_line.script_parser import ScriptParser, dataset_name, exit_code_of

if TYPE_CHECKING:
    from nip.scenarios.code_validation.generation.dataset_builder import (
        DatasetBuilderParameters,
        Splits,
    )
    from nip.scenarios.code_validation.generation.language_model_author import LanguageModelAuthor
    from nip.scenarios.code_validation.problems.problem import Problem

# The rest of the package is imported where it is used, so that --help comes at once.

EPILOG = """\
Half of the programs are correct, the other half have one mistake each. Every program is run on
about 200 inputs in a process that reaches no network, no files and no other processes, so that no
label is a guess.

example:
  python scripts/create_cv_dataset.py my_programs --num-datapoints 2000 --seed 1
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ScriptParser(__doc__, EPILOG)
    add = parser.add_argument
    add("name", type=dataset_name, help="name of the dataset")
    add("--num-datapoints", type=int, metavar="N", help="programs in both splits together (2000)")
    add("--test-share", type=float, metavar="S", help="share of them in the test split (0.2)")
    add("--seed", type=int, help="the same seed makes the same dataset (0)")
    add(
        "--problems",
        nargs="+",
        default=[],
        metavar="NAME",
        help="topics, or names of problems, to choose from (all)",
    )
    add(
        "--language-model",
        metavar="PROVIDER:MODEL",
        help="let a language model write the programs, such as openai:gpt-4o-mini (none)",
    )
    add("--base-url", metavar="URL", help="address of the model's service (the provider's own)")
    add("--workers", type=int, metavar="N", help="processes that run programs (one per core)")
    add("--data-dir", type=Path, default=Path("data"), metavar="DIR", help="where to put it (data)")
    add("--overwrite", action="store_true", help="replace a dataset of this name")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Make the dataset and report what is in it."""
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: create(options), "Interrupted; nothing was written.")


def create(options: argparse.Namespace) -> None:
    """Make both splits, then write them."""
    from nip.scenario_base.dataset_files import refuse_existing
    from nip.scenarios.code_validation.generation.dataset_writer import write_dataset
    from nip.scenarios.code_validation.problems.collection import choose_problems

    folder = options.data_dir / "code_validation" / options.name
    refuse_existing(folder, options.overwrite)
    problems = choose_problems(options.problems)
    parameters = generation_parameters(options)
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    with author_of(options) as author:
        splits = generate(problems, parameters, workers, author)
    write_dataset(
        folder,
        splits,
        parameters,
        options.problems,
        overwrite=options.overwrite,
        language_model=options.language_model,
    )
    report(folder, splits)


def generation_parameters(options: argparse.Namespace) -> "DatasetBuilderParameters":
    """Take what was given; the rest has its defaults in one place, the dataclass."""
    from nip.scenarios.code_validation.generation.dataset_builder import DatasetBuilderParameters

    names = [field.name for field in fields(DatasetBuilderParameters)]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return DatasetBuilderParameters(**given)


def author_of(
    options: argparse.Namespace,
) -> "AbstractContextManager[LanguageModelAuthor | None]":
    """Return the language model that writes the programs, if one shall."""
    from nip.errors import ParameterError

    if options.language_model is None:
        if options.base_url is not None:
            raise ParameterError(
                f"--base-url {options.base_url} has no model to reach there. Give "
                "--language-model as well, or leave it out."
            )
        return nullcontext()
    from nip.scenarios.code_validation.generation.language_model_author import (
        LanguageModelAuthor,
        parse_model,
    )

    return LanguageModelAuthor(parse_model(options.language_model, options.base_url))


def generate(
    problems: "tuple[Problem, ...]",
    parameters: "DatasetBuilderParameters",
    workers: int,
    author: "LanguageModelAuthor | None",
) -> "Splits":
    """Make the programs of both splits under a progress bar."""
    from nip.scenarios.code_validation.generation.dataset_builder import make_dataset
    from nip.utils.progress import ProgressBar

    with ProgressBar("verified programs", parameters.num_datapoints) as progress:
        return make_dataset(problems, parameters, workers, progress.advance, author)


def report(folder: Path, splits: "Splits") -> None:
    """Show how many programs there are of each topic, and what is wrong with the buggy ones."""
    from rich.console import Console
    from rich.table import Table

    from nip.scenarios.code_validation.generation.dataset_writer import statistics

    counts = [statistics(datapoints) for datapoints in splits.values()]
    table = Table("programs", *splits)
    for column in table.columns[1:]:
        column.justify = "right"
    for group in ("topics", "kinds_of_bugs", "tests_failed_share"):
        for name in dict.fromkeys(name for count in counts for name in count[group]):
            label = f"share of tests failed: {name}" if group == "tests_failed_share" else name
            table.add_row(
                label.replace("_", " "), *(str(count[group].get(name, 0)) for count in counts)
            )
        table.add_section()
    for name in ("num_problems", "num_correct", "num_datapoints"):
        label = name.removeprefix("num_").replace("datapoints", "all")
        table.add_row(label, *(str(count[name]) for count in counts))
    console = Console()
    console.print(table)
    console.print(f"Written to {folder}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
