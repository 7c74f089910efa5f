"""Analyse the dialogues of a run by questions that a language model or code answers."""

import argparse
from collections.abc import Sequence
from typing import Any

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    given_fields,
    import_plugins,
    run_folder,
)

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
Answers are stored in analyses.db in the folder of the run; a repeated analysis asks only questions
without a stored answer. The summary is printed and written to analyses.json.

examples:
  {analyse} my_run --dry-run
  {analyse} my_run --analysers prover_holds_role --max-rollouts 100
  {analyse} my_run --model rehearsal:anything
  {analyse} my_run --model openai:qwen --base-url http://localhost:8000/v1
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("analyse", EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="run id, or the folder of a run")
    add("--list", action="store_true", help="list the analysers and exit")
    add("--analysers", dest="names", nargs="+", metavar="NAME", help="analysers to run (all)")
    add("--model", metavar="PROVIDER:NAME", help="model (openai:gpt-4o-mini-2024-07-18)")
    add("--base-url", metavar="URL", help="address of the service (the provider's)")
    add("--api-key-variable", metavar="NAME", help="variable with the key (the provider's)")
    add(
        "--reasoning-effort",
        metavar="E",
        help="effort of a reasoning model, such as low (not sent)",
    )
    add("--no-seed", dest="send_seed", action="store_false", default=None, help="send no seeds")
    add("--iterations", type=int, nargs="+", metavar="N", help="iterations, from 1 (all)")
    add("--phase", choices=("train", "test"), help="training or test dialogues (both)")
    add("--max-rollouts", type=int, metavar="N", help="maximum dialogues per stage (all)")
    add("--dry-run", action="store_true", help="only print the number of calls and their cost")
    add("--max-cost", type=float, metavar="DOLLARS", help="maximum cost (no limit)")
    add("--prices", metavar="FILE", help="price file, see settings.prices (public prices)")
    add(
        "--max-failed-share",
        type=float,
        metavar="S",
        help="share without an answer to stop at (0.2)",
    )
    add("--max-invalid-share", type=float, metavar="S", help="share of unreadable ones (0.2)")
    add("--max-concurrency", type=int, metavar="N", help="maximum concurrent calls (100)")
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse a run and print the summary.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.run is None and not options.list:
        parser.error("name a run")
    return exit_code_of(lambda: analyse(options), "analyse", parser=parser)


def analyse(options: argparse.Namespace) -> None:
    """List the analysers, print the plan, or run the analysis."""
    from nip.rollout_analysis import plan_analyses, run_analysers
    from nip.rollout_analysis.summary import summary_tables
    from nip.utils.console import open_console

    import_plugins(options)
    console = open_console()
    if options.list:
        list_analysers(console)
        return
    run_id, chosen = run_and_options(options)
    if options.dry_run:
        print_plan(plan_analyses(run_id, **chosen), console)
        return
    result = run_analysers(run_id, **chosen)
    for table in summary_tables(result.summary):
        console.print(table)
    console.print(f"Written to {result.path}", soft_wrap=True)


def run_and_options(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the run id and the keyword arguments of ``run_analysers``."""
    from nip.experiment_settings import ExperimentSettings
    from nip.rollout_analysis import AnalysisOptions

    folder = run_folder(options.run, options.runs_dir)
    chosen = given_fields(AnalysisOptions, options) | given_fields(ExperimentSettings, options)
    chosen |= {"runs_dir": str(folder.parent)}
    if options.phase is not None:
        chosen |= {"phases": (options.phase,)}
    return folder.name, chosen


def list_analysers(console: Any) -> None:
    """Print the name and the question of each analyser."""
    from rich.table import Table

    from nip.rollout_analysis import ModelAnalyser, analyser_registry

    table = Table("analyser", "question", "asks a model")
    for name, analyser in analyser_registry.items():
        table.add_row(name, analyser.question, "yes" if issubclass(analyser, ModelAnalyser) else "")
    console.print(table)


def print_plan(plan: Any, console: Any) -> None:
    """Print the number of calls and their estimated cost."""
    usage = plan.estimate.usage
    console.print(
        f"{plan.estimate.num_calls:,} calls, {plan.num_computed:,} answers without a call, "
        f"{plan.num_stored:,} stored already.\n"
        f"About {usage.prompt_tokens:,} prompt tokens and {usage.completion_tokens:,} completion "
        f"tokens, about ${plan.estimate.cost:,.2f}.",
    )
    for model in plan.estimate.models_without_price:
        console.print(f"Not included: {model.model_name}, whose price is unknown.")
    console.print("Nothing was asked (--dry-run).")
