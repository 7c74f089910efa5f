"""Ask questions about the dialogues of a run: of a language model, or answered by computing."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nip.command_line.script_parser import ScriptParser, exit_code_of

# The rest of the package is imported where it is used, so that --help comes at once.

EPILOG = """\
Answers are kept in analyses.db in the folder of the run; started again, only what is missing is
asked. The summary is printed, and written to analyses.json.

examples:
  python scripts/run_analysers.py my_run --dry-run
  python scripts/run_analysers.py my_run --analysers prover_holds_role --max-rollouts 100
  python scripts/run_analysers.py my_run --model rehearsal:anything
  python scripts/run_analysers.py my_run --model openai:qwen --base-url http://localhost:8000/v1
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ScriptParser(__doc__, EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="run id, or the folder of a run")
    add("--list", action="store_true", help="list the analysers and leave")
    add("--analysers", nargs="+", metavar="NAME", help="which of them (all)")
    add("--model", metavar="PROVIDER:NAME", help="who is asked (openai:gpt-4o-mini-2024-07-18)")
    add("--base-url", metavar="URL", help="address of the service (the provider's own)")
    add("--api-key-variable", metavar="NAME", help="variable with the key (the provider's own)")
    add("--iterations", type=int, nargs="+", metavar="N", help="counted from 1 (all)")
    add("--phase", choices=("train", "test"), help="dialogues to learn from, or of tests (both)")
    add("--max-rollouts", type=int, metavar="N", help="most dialogues of each stage (all)")
    add("--dry-run", action="store_true", help="tell the number of calls and their cost only")
    add("--max-cost", type=float, metavar="DOLLARS", help="stop when so much is spent (no limit)")
    add("--prices", metavar="FILE", help="prices of your own, as in settings.prices (public ones)")
    add("--max-concurrency", type=int, metavar="N", help="calls under way at once (100)")
    add("--runs-dir", metavar="DIR", help="where the runs are (runs)")
    add("--data-dir", metavar="DIR", help="where the datasets are (where the run had them)")
    add("--plugins", nargs="+", default=[], metavar="P", help="modules with analysers of your own")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse a run and report.

    Returns
    -------
    exit_code : int
        0, 2 after a mistake of the user, or 130 after Ctrl-C.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.run is None and not options.list:
        parser.error("name a run")
    return exit_code_of(
        lambda: analyse(options), "\nStopped. The same command goes on with what is missing."
    )


def analyse(options: argparse.Namespace) -> None:
    """Do what was asked for."""
    from rich.console import Console

    from nip.plugins import load_installed_plugins, load_plugins
    from nip.rollout_analysis import plan_analyses, run_analysers
    from nip.rollout_analysis.summary import summary_tables

    load_installed_plugins()
    load_plugins(options.plugins)
    console = Console()
    if options.list:
        list_analysers(console)
        return
    run_id, chosen = options_of_function(options)
    if options.dry_run:
        print_plan(plan_analyses(run_id, **chosen), console)
        return
    result = run_analysers(run_id, **chosen)
    for table in summary_tables(result.summary):
        console.print(table)
    console.print(f"Written to {result.path}", soft_wrap=True, highlight=False)


def options_of_function(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Name the run, and what was given as ``run_analysers`` takes it; the rest has its default."""
    # A run id has no separator, so anything with one is the path of a folder.
    is_path = Path(options.run).name != options.run
    names = {
        "names": options.analysers,
        "model": options.model,
        "base_url": options.base_url,
        "api_key_variable": options.api_key_variable,
        "iterations": options.iterations,
        "phases": options.phase and (options.phase,),
        "max_rollouts": options.max_rollouts,
        "max_cost": options.max_cost,
        "prices": options.prices,
        "max_concurrency": options.max_concurrency,
        "runs_dir": Path(options.run).parent if is_path else options.runs_dir,
        "data_dir": options.data_dir,
    }
    given = {name: value for name, value in names.items() if value is not None}
    return Path(options.run).name, given


def list_analysers(console: Any) -> None:
    """Print the name of each analyser and its question."""
    from rich.table import Table

    from nip.rollout_analysis import ModelAnalyser, analyser_registry

    table = Table("analyser", "question", "asks a model")
    for name, analyser in analyser_registry.items():
        table.add_row(name, analyser.question, "yes" if issubclass(analyser, ModelAnalyser) else "")
    console.print(table)


def print_plan(plan: Any, console: Any) -> None:
    """Print what would be asked."""
    usage = plan.estimate.usage
    console.print(
        f"{plan.estimate.num_calls:,} calls, {plan.num_computed:,} answers without a call, "
        f"{plan.num_stored:,} stored already.\n"
        f"About {usage.prompt_tokens:,} tokens read and {usage.completion_tokens:,} written, about "
        f"${plan.estimate.cost:,.2f}.",
        highlight=False,
    )
    for model in plan.estimate.models_without_price:
        console.print(f"Not counted: {model.model_name}, no price is known.", highlight=False)
    console.print("Nothing was asked (--dry-run).", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
