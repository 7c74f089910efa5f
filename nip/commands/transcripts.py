"""Show the dialogues of a run, which may still be running."""

import argparse
from collections.abc import Sequence
from itertools import islice

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    import_plugins,
    positive_integer,
    run_folder,
)
from nip.errors import ParameterError, shown

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
examples:
  {transcripts} my_run --limit 3
  {transcripts} my_run --iteration 2 --phase test --wrong
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("transcripts", EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", help="run id, or the folder of a run")
    add("--iteration", type=int, nargs="+", metavar="N", help="iterations, counted from 1 (all)")
    add("--phase", choices=("train", "test"), help="training or test dialogues (both)")
    add("--wrong", action="store_true", help="only dialogues without a correct verdict")
    add("--failed", action="store_true", help="only dialogues that ended with an error")
    add("--datapoint", metavar="ID", help="only dialogues about this datapoint")
    add("--limit", type=positive_integer, metavar="N", help="maximum number (10)", default=10)
    add("--raw", action="store_true", help="show the unparsed output of the models")
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the selected dialogues.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: show(options), "transcripts")


def show(options: argparse.Namespace) -> None:
    """Print the selected dialogues."""
    from nip.rollout_analysis.text_run import PHASES, open_text_run
    from nip.rollout_analysis.transcript_view import (
        TranscriptFilter,
        chosen_transcripts,
        render_transcript,
    )
    from nip.utils.console import open_console

    import_plugins(options)
    folder = run_folder(options.run, options.runs_dir)
    chosen = TranscriptFilter(options.wrong, options.failed, options.datapoint)
    console = open_console()
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
    if not num_shown and options.datapoint is not None:
        raise ParameterError(
            f"No dialogue about {shown(options.datapoint)} matches. Give the id of a question of "
            "the run, as its dialogues show it, or change the other filters."
        )
    if not num_shown:
        console.print("No dialogue matches.")
    elif is_more:
        console.print(f"There are more; --limit shows more than {num_shown}.")
