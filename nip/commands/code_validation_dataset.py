"""Create a dataset of correct and buggy programs for the code validation scenario."""

import argparse
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from nip.command_line.script_parser import (
    command_parser,
    dataset_name,
    exit_code_of,
    given_fields,
)

if TYPE_CHECKING:
    from nip.scenarios.code_validation.generation.dataset_builder import (
        DatasetBuilderParameters,
        Splits,
    )
    from nip.scenarios.code_validation.generation.language_model_author import LanguageModelAuthor
    from nip.scenarios.code_validation.generation.sandbox.isolation import IsolationMode
    from nip.scenarios.code_validation.problems.problem import Problem

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
Half of the programs are correct, the other half have one bug each. Every label is verified by
running the program on about 200 inputs, isolated from files, the network and other processes as
well as the kernel can (see --isolation).

example:
  {dataset code-validation} my_programs --num-datapoints 2000 --seed 1
  {dataset code-validation} by_a_model --language-model openai:gpt-4o-mini --max-cost 5
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("dataset code-validation", EPILOG)
    add = parser.add_argument
    add("name", type=dataset_name, help="name of the dataset")
    add("--num-datapoints", type=int, metavar="N", help="total number of programs (2000)")
    add("--test-share", type=float, metavar="S", help="fraction in the test split (0.2)")
    add("--seed", type=int, help="random seed; determines the dataset (0)")
    add(
        "--problems",
        nargs="+",
        default=[],
        metavar="NAME",
        help="topics, or names of problems, to include (all)",
    )
    add(
        "--language-model",
        metavar="PROVIDER:MODEL",
        help="language model that writes the programs, such as openai:gpt-4o-mini (none)",
    )
    add("--base-url", metavar="URL", help="address of the model's service (the provider's)")
    add("--max-cost", type=float, metavar="DOLLARS", help="maximum cost of the model (no limit)")
    add("--prices", metavar="FILE", help="price file, see settings.prices (public prices)")
    add(
        "--isolation",
        choices=["full", "reduced", "minimal"],
        help="how programs are isolated (as well as this machine can; a language model's programs "
        "need at least reduced, unless minimal is given here)",
    )
    add("--workers", type=int, metavar="N", help="processes that run programs (one per core)")
    parser.add_dataset_arguments()
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Create the dataset and print its statistics."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    # A language model's answers are kept, which the table of commands cannot know.
    kept = "Interrupted; answers are kept: run the same command again to go on."
    interrupted = None if options.language_model is None else kept
    return exit_code_of(lambda: create(options), "dataset code-validation", interrupted, parser)


def create(options: argparse.Namespace) -> None:
    """Generate both splits and write them."""
    from nip.scenario_base.dataset_files import refuse_existing
    from nip.scenarios.code_validation.generation.dataset_builder import DatasetBuilderParameters
    from nip.scenarios.code_validation.generation.dataset_writer import write_dataset
    from nip.scenarios.code_validation.problems.collection import choose_problems

    folder = options.data_dir / "code_validation" / options.name
    refuse_existing(folder, options.overwrite)
    problems = choose_problems(options.problems)
    parameters = DatasetBuilderParameters(**given_fields(DatasetBuilderParameters, options))
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    isolation = isolation_of(options)
    answers = folder.parent / ".answers" / f"{options.name}.db"
    with author_of(options, answers) as author:
        splits = generate(problems, parameters, workers, author, isolation)
    write_dataset(
        folder,
        splits,
        parameters,
        options.problems,
        overwrite=options.overwrite,
        language_model=options.language_model,
        isolation=None if author is None else isolation,
    )
    if author is not None:
        report_cost(author)
    answers.unlink(missing_ok=True)
    report(folder, splits)


def isolation_of(options: argparse.Namespace) -> "IsolationMode":
    """Choose how programs are isolated; print it if a language model writes them."""
    from nip.scenarios.code_validation.generation.dataset_builder import choose_isolation
    from nip.scenarios.code_validation.generation.sandbox.isolation import DESCRIPTIONS

    has_author = options.language_model is not None
    isolation = choose_isolation(options.isolation, has_author)
    if has_author:
        print(f"Programs are run in isolation {isolation!r}: {DESCRIPTIONS[isolation]}.")
    return isolation


def author_of(
    options: argparse.Namespace, answers: Path
) -> "AbstractContextManager[LanguageModelAuthor | None]":
    """Return the language model that writes the programs, if one is given.

    Its answers are stored in a file, until the dataset is complete.
    """
    from nip.errors import ParameterError

    if options.language_model is None:
        for name in ("base_url", "max_cost", "prices"):
            if getattr(options, name) is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')} {getattr(options, name)} has no effect without a "
                    "model. Add --language-model, or omit it."
                )
        return nullcontext()
    return paid_author(options, answers)


@contextmanager
def paid_author(options: argparse.Namespace, answers: Path) -> "Iterator[LanguageModelAuthor]":
    """Yield a language model with its budget, whose answers are stored in a file."""
    from nip.language_models.costs.budget import check_price_is_known
    from nip.language_models.costs.price_file import read_prices
    from nip.language_models.costs.usage_tracker import UsageTracker
    from nip.run_store.database.journal_file import JournalFile
    from nip.scenarios.code_validation.generation.language_model_author import (
        LanguageModelAuthor,
        parse_model,
    )

    model, prices = (
        parse_model(options.language_model, options.base_url),
        read_prices(options.prices),
    )
    check_price_is_known(prices, model, options.max_cost, "--max-cost")
    usage = UsageTracker(prices, options.max_cost)
    with (
        JournalFile(answers) as file,
        LanguageModelAuthor(model, journal=file.journal, usage=usage) as author,
    ):
        yield author


def generate(
    problems: "tuple[Problem, ...]",
    parameters: "DatasetBuilderParameters",
    workers: int,
    author: "LanguageModelAuthor | None",
    isolation: "IsolationMode",
) -> "Splits":
    """Generate the programs of both splits, with a progress bar."""
    from nip.scenarios.code_validation.generation.dataset_builder import make_dataset
    from nip.utils.progress import ProgressBar

    with ProgressBar("verified programs", parameters.num_datapoints) as progress:
        return make_dataset(problems, parameters, workers, progress.advance, author, isolation)


def report_cost(author: "LanguageModelAuthor") -> None:
    """Print the number of tokens of all answers, and their cost as far as it is known."""
    usage = author.usage
    cost = "unknown" if usage.models_without_price else f"${usage.cost:,.4f}"
    print(f"{usage.total.usage.total_tokens:,} tokens, cost {cost}")


def report(folder: Path, splits: "Splits") -> None:
    """Print the number of programs by topic, and the kinds of bugs."""
    from rich.table import Table

    from nip.scenarios.code_validation.generation.dataset_writer import statistics
    from nip.utils.console import open_console

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
    console = open_console()
    console.print(table)
    console.print(f"Written to {folder}", soft_wrap=True)
