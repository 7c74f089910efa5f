"""Make two tiny language models, a prover and a verifier, for the scenario quotes."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nip.command_line.script_parser import (
    command_parser,
    dataset_name,
    exit_code_of,
    positive_integer,
)

if TYPE_CHECKING:
    from nip.scenarios.quotes.tiny_models.pretraining import TinyModelOptions

# Everything else is imported where it is used, so that --help is fast.


EPILOG = """\
The models have 100,000 weights each and are trained from scratch, in about five minutes on one
core: on dialogues in which both agents behave at fixed random rates, well and badly alike, and on
exercises in copying and comparing. Nothing is selected by reward.

example:
  {quotes-models} tiny
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("quotes-models", EPILOG)
    add = parser.add_argument
    add("name", type=dataset_name, help="name of the folder in DIR/quotes_models")
    add("--seed", type=int, default=0, help="random seed; determines the models (0)")
    add(
        "--num-facts",
        type=positive_integer,
        default=6,
        metavar="N",
        help="facts in a passage, as quotes.num_facts (6)",
    )
    add(
        "--num-dialogues",
        type=positive_integer,
        default=12000,
        metavar="N",
        help="dialogues in the corpus (12000)",
    )
    add(
        "--num-steps",
        type=positive_integer,
        default=800,
        metavar="N",
        help="updates of each model on conversations, after those on exercises (800)",
    )
    add(
        "--max-exercise-steps",
        type=positive_integer,
        default=1500,
        metavar="N",
        help="maximum number of updates on exercises, which end when these are solved (1500)",
    )
    parser.add_dataset_arguments()
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Make both models and print their losses."""
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: create(options), "quotes-models")


def create(options: argparse.Namespace) -> None:
    """Train both models and write them into one folder."""
    from nip.command_table import typed
    from nip.language_models.local_model.folder import require_transformers
    from nip.scenario_base.dataset_files import refuse_existing, write_dataset_folder
    from nip.scenarios.quotes.tiny_models.corpus import ROLES, check_corpus
    from nip.scenarios.quotes.tiny_models.pretraining import TinyModelOptions
    from nip.utils.console import open_console

    folder = options.data_dir / "quotes_models" / options.name
    refuse_existing(folder, options.overwrite)
    require_transformers(typed("quotes-models"))
    check_corpus(options.num_dialogues, options.num_facts)
    training = TinyModelOptions(
        max_exercise_steps=options.max_exercise_steps, num_steps=options.num_steps
    )
    with tempfile.TemporaryDirectory() as made:
        losses = {role: generate(role, Path(made) / role, options, training) for role in ROLES}
        files = {
            str(path.relative_to(made)): path.read_bytes()
            for path in sorted(Path(made).rglob("*"))
            if path.is_file()
        }
    write_dataset_folder(folder, files, overwrite=options.overwrite)
    console = open_console()
    for role, loss in losses.items():
        console.print(f"{role}: {loss:.3f} nats per token", soft_wrap=True)
    console.print(f"Written to {folder}", soft_wrap=True)


def generate(
    role: str, folder: Path, options: argparse.Namespace, training: "TinyModelOptions"
) -> float:
    """Train the model of one role, with a progress bar, and return its loss."""
    from rich.progress import Progress

    from nip.scenarios.quotes.tiny_models.corpus import conversations_of, exercises_of
    from nip.scenarios.quotes.tiny_models.pretraining import pretrain
    from nip.seeding import stable_seed
    from nip.utils.console import open_console

    with Progress(transient=True, console=open_console()) as progress:
        task = progress.add_task(f"{role}: dialogues", total=None)
        sizes = options.num_dialogues, options.num_facts, options.seed
        conversations = conversations_of(role, *sizes)
        exercises = exercises_of(role, *sizes)
        num_steps = training.max_exercise_steps + training.num_steps
        progress.update(task, description=f"{role}: training", total=num_steps)
        seed = stable_seed("tiny model", role, options.seed) % 2**31
        return pretrain(
            exercises, conversations, folder, training, seed, lambda _: progress.advance(task)
        )
