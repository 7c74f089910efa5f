"""Table of all commands of ``nip``, and how each of them is typed.

Messages name commands too, so that this table imports nothing: the module of a command is imported
when the command is used.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_RESUMED = "Stopped. Run the same command again to resume."
_NOTHING_WRITTEN = "Interrupted; nothing was written."


@dataclass(frozen=True)
class Command:
    """One command: ``nip NAME``, and the script of a clone that does the same."""

    summary: str
    """What it does, in one sentence."""

    module: str
    """Module with its function ``main``, which receives the arguments."""

    script: str
    """What is typed after ``python`` in a clone."""

    when_stopped: str = "Stopped."
    """Message if a signal arrives before the work has begun."""


COMMANDS = {
    "run": Command(
        "Run an experiment.",
        "nip.commands.run",
        "scripts/run_experiment.py",
        "Stopped before the run was started.",
    ),
    "sweep": Command(
        "Run many experiments from one file; the same command continues.",
        "nip.commands.sweep",
        "scripts/sweep.py",
        "Stopped. The same command continues.",
    ),
    "plot": Command(
        "Plot metrics of several runs in one figure.",
        "nip.commands.plot",
        "scripts/plot_learning_curves.py",
    ),
    "compare": Command(
        "Compare groups of runs that differ in their seeds only: tables, intervals, figures.",
        "nip.commands.compare",
        "scripts/compare_runs.py",
    ),
    "transcripts": Command(
        "Show the dialogues of a run, which may still be running.",
        "nip.commands.transcripts",
        "scripts/show_transcripts.py",
    ),
    "view": Command(
        "Show runs and their dialogues in the browser: a local page, which only reads.",
        "nip.commands.view",
        "scripts/view_runs.py",
    ),
    "export": Command(
        "Export dialogues and curves of runs as one HTML file, or as a log of Inspect.",
        "nip.commands.export",
        "-m nip export",
        _NOTHING_WRITTEN,
    ),
    "analyse": Command(
        "Analyse the dialogues of a run by questions that a language model or code answers.",
        "nip.commands.analyse",
        "scripts/run_analysers.py",
        _RESUMED,
    ),
    "attack": Command(
        "Attack the trained verifiers of runs with provers that learn to mislead them.",
        "nip.commands.attack",
        "scripts/attack.py",
        _RESUMED,
    ),
    "robustness-table": Command(
        "Tabulate attacks on the runs of several experiments, with means over runs and intervals.",
        "nip.commands.robustness_table",
        "scripts/robustness_table.py",
    ),
    "draw-images": Command(
        "Draw episodes of a run with images: what the agents named, and what the verifier decided.",
        "nip.commands.draw_images",
        "scripts/draw_image_episodes.py",
    ),
    "dataset graph-isomorphism": Command(
        "Create a dataset of graph pairs for the graph isomorphism scenario.",
        "nip.commands.graph_isomorphism_dataset",
        "scripts/create_gi_dataset.py",
        _NOTHING_WRITTEN,
    ),
    "dataset code-validation": Command(
        "Create a dataset of correct and buggy programs for the code validation scenario.",
        "nip.commands.code_validation_dataset",
        "scripts/create_cv_dataset.py",
        _NOTHING_WRITTEN,
    ),
    "quotes-models": Command(
        "Make two tiny language models, a prover and a verifier, for the scenario quotes.",
        "nip.commands.quotes_models",
        "scripts/create_quotes_models.py",
        _NOTHING_WRITTEN,
    ),
    "completion": Command(
        "Print the code that lets a shell complete commands, options and parameters.",
        "nip.commands.completion",
        "-m nip completion",
    ),
    "serve-mock": Command(
        "Serve a mock of a hosted language model API over HTTP, to rehearse experiments.",
        "nip.language_models.server.__main__",
        "-m nip.language_models.server",
    ),
}
"""All commands that run experiments or work on their results, by name."""


def find_command(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Split a command line into the name of a command and its arguments.

    Names have one or two words, in which underscores stand for hyphens. The name is None if there
    is no such command.
    """
    for length in (2, 1):
        name = " ".join(words[:length]).replace("_", "-")
        if len(words) >= length and name in COMMANDS:
            return name, list(words[length:])
    return None, list(words)


def commands_of_group(word: str) -> list[str]:
    """Return the names of all commands of two words that begin with this one."""
    return [name for name in COMMANDS if name.split()[0] == word and name != word]


def typed(name: str) -> str:
    """Return how a command is typed: ``nip attack``, or ``python scripts/attack.py``.

    The latter is for users of a clone who have not started this process as ``nip``.
    """
    is_nip = is_started_as_nip() or not _is_clone()
    return f"nip {name}" if is_nip else f"python {COMMANDS[name].script}"


def program_name(name: str) -> str:
    """Return the name of a command in its own messages: ``nip attack``, or ``attack.py``."""
    return typed(name).removeprefix("python scripts/")


def is_started_as_nip() -> bool:
    """Return whether this process was started as ``nip`` or ``python -m nip``."""
    program = Path((sys.argv or [""])[0])
    return program.stem == "nip" or program.parts[-2:] == ("nip", "__main__.py")


def _is_clone() -> bool:
    """Return whether this package lies in a clone of the repository, beside the scripts."""
    return (Path(__file__).parents[1] / COMMANDS["run"].script).is_file()
