"""Show dialogues of a run, which may still be running."""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from nip.command_line.script_parser import ScriptParser, exit_code_of

# The rest of the package is imported where it is used, so that --help comes at once.

EPILOG = """\
examples:
  python scripts/show_transcripts.py my_run --limit 3
  python scripts/show_transcripts.py my_run --iteration 2 --phase test --wrong
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ScriptParser(__doc__, EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", help="run id, or the folder of a run")
    add("--iteration", type=int, nargs="+", metavar="N", help="iterations, counted from 1 (all)")
    add("--phase", choices=("train", "test"), help="dialogues to learn from, or of tests (both)")
    add("--wrong", action="store_true", help="only those without the right decision")
    add("--failed", action="store_true", help="only those that an error ended")
    add("--datapoint", metavar="ID", help="only those about this question")
    add("--limit", type=_positive, metavar="N", help="show at most so many (10)", default=10)
    add("--raw", action="store_true", help="answers as they came, before they were parsed")
    add("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="(runs)")
    add("--data-dir", metavar="DIR", help="where the datasets are (where the run had them)")
    add("--plugins", nargs="+", default=[], metavar="P", help="modules that the run needs")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Show what was asked for.

    Returns
    -------
    exit_code : int
        0, 2 after a mistake of the user, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: show(options), "Stopped.")


def show(options: argparse.Namespace) -> None:
    """Print the dialogues that fit."""
    from rich.console import Console

    from nip.plugins import load_installed_plugins, load_plugins
    from nip.rollout_analysis.text_run import PHASES, open_text_run
    from nip.rollout_analysis.transcript_view import (
        TranscriptFilter,
        chosen_transcripts,
        render_transcript,
    )

    load_installed_plugins()
    load_plugins(options.plugins)
    # A run id has no separator, so anything with one is the path of a folder.
    is_path = Path(options.run).name != options.run
    folder = Path(options.run) if is_path else options.runs_dir / options.run
    chosen = TranscriptFilter(options.wrong, options.failed, options.datapoint)
    console = Console()
    with open_text_run(folder, options.data_dir) as run:
        agent_names = run.instance.protocol_handler.agent_names
        stages = run.stages([options.phase] if options.phase else PHASES, options.iteration)
        found = (
            (stage, transcript)
            for stage in stages
            for transcript in chosen_transcripts(run, stage, chosen)
        )
        num_shown = 0
        for stage, transcript in islice(found, options.limit):
            console.print(render_transcript(transcript, stage, agent_names, raw=options.raw))
            num_shown += 1
        is_more = next(found, None) is not None
    if not num_shown:
        console.print("No dialogue fits.")
    elif is_more:
        console.print(f"There are more; --limit shows more than {num_shown}.", highlight=False)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
