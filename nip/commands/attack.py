"""Attack the trained verifiers of runs with provers that learn to mislead them."""

import argparse
from collections.abc import Sequence
from typing import Any

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    given_fields,
    import_plugins,
    positive_integer,
    run_folder,
)

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
The verifier is frozen. For each label that a prover gains from misjudging, fresh provers are
trained against it; each attack is a run of its own, which the same command resumes. The accuracy
that survives is printed, and written to attack.json and attack.png in the folder of the run.

examples:
  {attack} demo
  {attack} demo --seeds 1 2 3 4 5 --num-iterations 50
  {attack} demo --architecture wide d_gnn=32 d_transformer=32
  {attack} demo --dataset other_graphs --no-training
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("attack", EPILOG)
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run id, or the folder of a run")
    add("--seeds", type=int, nargs="+", metavar="N", help="seeds of the attacks (1 2 3)")
    add(
        "--no-training",
        dest="seeds",
        action="store_const",
        const=(),
        help="train no attacks: measure the provers of the run, random ones and the best answers",
    )
    add(
        "--num-iterations",
        type=positive_integer,
        metavar="N",
        help="iterations of training of each attack (as many as the run had)",
    )
    add("--checkpoint", metavar="C", help="latest, best or an iteration (best if there is one)")
    add(
        "--architecture",
        dest="given_architectures",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME",
        help="a name and NAME=VALUE parameters of attackers; can be repeated (those of the run)",
    )
    add("--num-repeats", type=positive_integer, metavar="N", help="episodes per datapoint (4)")
    add(
        "--sampled",
        action="store_true",
        default=None,
        help="sample actions also if the test of the run was greedy",
    )
    add("--dataset", metavar="D", help="attack on the test split of this dataset (that of the run)")
    add("--max-datapoints", type=positive_integer, metavar="N", help="datapoints per label (all)")
    add("--no-search", dest="search", action="store_false", help="do not try all answers")
    add(
        "--given",
        nargs="+",
        action="extend",
        metavar="NAME=VALUE",
        help="parameters instead of the run's, such as a file that a run from somebody else names",
    )
    add("--device", metavar="D", help="device, such as cuda (cpu)")
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack runs and print what their verifiers keep.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: attack(options), "attack", parser=parser)


def attack(options: argparse.Namespace) -> None:
    """Attack each run, and print its report."""
    from nip.experiment_settings import ExperimentSettings
    from nip.robustness import AttackOptions, attack_run
    from nip.robustness.report import JSON_FILE, PICTURE, file_name
    from nip.utils.console import open_console

    import_plugins(options)
    chosen = given_fields(AttackOptions, options)
    if options.given_architectures:
        chosen["architectures"] = parse_architectures(options.given_architectures)
    own_settings = given_fields(ExperimentSettings, options)
    given = load_words(options.given or (), "--given")
    console = open_console()
    for run in options.runs:
        folder = run_folder(run, options.runs_dir)
        settings = own_settings | {"runs_dir": str(folder.parent)}
        report = attack_run(folder.name, AttackOptions(**chosen), given=given, **settings)
        console.print(report.table())
        if report.note:
            console.print(f"All answers were not tried: {report.note}")
        names = [file_name(name, report.dataset) for name in (JSON_FILE, PICTURE)]
        console.print(f"Written to {folder}/{names[0]} and {names[1]}", soft_wrap=True)


def parse_architectures(given: Sequence[Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Parse all architectures; raise ``ParameterError`` also if two have one name."""
    from nip.errors import ParameterError

    architectures: dict[str, dict[str, Any]] = {}
    for words in given:
        name, parameters = parse_architecture(words)
        if name in architectures:
            raise ParameterError(
                f"--architecture {name} is given twice. Give each architecture a name of its own."
            )
        architectures[name] = parameters
    return architectures


def parse_architecture(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Parse a name and parameters such as ``d_gnn=32``.

    Raises
    ------
    ParameterError
        If a word is no parameter with a value, or the value cannot be read.
    """
    from nip.errors import ParameterError

    name, *parameters = words
    if "=" in name:
        raise ParameterError(
            f"--architecture must begin with a name, got {name!r}. For example: "
            f"--architecture wide {name}"
        )
    return name, load_words(parameters, f"--architecture {name}")


def load_words(words: Sequence[str], option: str) -> dict[str, Any]:
    """Parse parameters such as ``d_gnn=32``.

    Raises
    ------
    ParameterError
        If a word is no parameter with a value, or the value cannot be read.
    """
    from nip.errors import ParameterError
    from nip.parameters.tree.yaml_text import load_mapping

    for word in words:
        if "=" not in word:
            raise ParameterError(
                f"{option}: {word!r} must be a parameter and a value, as d_gnn=32."
            )
    pairs = (word.partition("=") for word in words)
    return load_mapping("\n".join(f"{key}: {value}" for key, _, value in pairs) or "{}")
