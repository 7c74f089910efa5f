"""Export dialogues and curves of runs as one HTML file, or as a log of Inspect."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    import_plugins,
    output_file,
    positive_integer,
)
from nip.errors import shown

if TYPE_CHECKING:
    from nip.viewer.web.place import Place

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
A file that ends with .html opens from the disk, without a network and without nip; one that ends
with .json is a log of Inspect, of one run. Dialogues are chosen by filters, or one by one.

examples:
  {export} my_run --outcome wrong --output wrong.html
  {export} my_run/test/3/0 my_run/test/7/0 --output question.html
  {export} my_run --phase test --iteration 7 --output log.json
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("export", EPILOG)
    add = parser.add_argument
    add(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run ids, or single dialogues as RUN/PHASE/ITERATION/POSITION",
    )
    add(
        "--output",
        type=output_file(".html", ".json"),
        required=True,
        metavar="FILE",
        help="file, .html or .json",
    )
    add("--phase", choices=("train", "test"), default="", help="training or test (both)")
    add("--iteration", type=positive_integer, metavar="N", help="iteration (all)")
    add("--outcome", metavar="O", default="", help="right, wrong, undecided, failed, … (any)")
    add("--label", choices=("accept", "reject"), help="true label (any)")
    add("--question", metavar="ID", default="", help="part of the id of the question (any)")
    add("--limit", type=positive_integer, metavar="N", default=100, help="most of a run (100)")
    add("--metric", dest="metrics", nargs="+", metavar="M", default=[], help="curves (main ones)")
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: export(options), "export")


def export(options: argparse.Namespace) -> None:
    """Choose the dialogues, and write them and the curves of their runs."""
    from nip.utils.files import make_folder, write_atomically
    from nip.utils.unicode_text import visible
    from nip.viewer.dialogues.experiments import TextExperiments
    from nip.viewer.export.documents import Exporter
    from nip.viewer.runs.catalogue import RunCatalogue

    import_plugins(options)
    places = [place for word in options.runs for place in _chosen(word, options)]
    exporter = Exporter(RunCatalogue(options.runs_dir), TextExperiments(options.data_dir))
    if options.output.suffix == ".json":
        text, rest = exporter.inspect(places), ""
    else:
        run_ids = list(dict.fromkeys(word.split("/")[0] for word in options.runs))
        text = exporter.html(places, run_ids, options.metrics)
        rest = f", curves of {', '.join(run_ids)}"
    make_folder(options.output.parent)
    write_atomically(options.output, text)
    print(visible(f"Written to {options.output}: {len(places)} dialogues{rest}"))


def _chosen(word: str, options: argparse.Namespace) -> "list[Place]":
    """Return the dialogues that an argument stands for; none of a run of networks."""
    from nip.errors import ParameterError
    from nip.run_store import open_database
    from nip.run_store.run_id import describe_existing, is_run_folder
    from nip.viewer.dialogues.selection import DialogueFilter, list_places
    from nip.viewer.web.place import Place

    place = Place.parse(word) if "/" in word else None
    run_id = word if place is None else place.run
    if not is_run_folder(options.runs_dir / run_id):
        raise ParameterError(
            f"There is no run {shown(run_id)} in {options.runs_dir}. "
            f"{describe_existing(run_id, options.runs_dir)}"
        )
    if place is not None:
        return [place]
    wanted = DialogueFilter(
        phase=options.phase,
        iteration=options.iteration,
        outcome=options.outcome,
        label={"accept": 1, "reject": 0, None: None}[options.label],
        question=options.question,
    )
    with open_database(options.runs_dir / run_id) as database:
        found = list_places(database, run_id, wanted)
    if not found and wanted != DialogueFilter():
        raise ParameterError(f"No dialogue of run {run_id!r} matches. Change the filters.")
    if len(found) > options.limit:
        print(f"{run_id}: the first {options.limit} of {len(found)} dialogues; see --limit")
    return found[: options.limit]
