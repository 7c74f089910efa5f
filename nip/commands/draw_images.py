"""Draw episodes of a run with images: what the agents named, and what the verifier decided."""

import argparse
from collections.abc import Sequence

from nip.command_line.script_parser import (
    command_parser,
    exit_code_of,
    import_plugins,
    output_file,
    positive_integer,
    run_folder,
)
from nip.utils.unicode_text import visible

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
The episodes are those that the callback rollout_samples has written.

example:
  {run} experiment=plus_nip run_id=plus
  {draw-images} plus --limit 8
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("draw-images", EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", help="run id, or the folder of a run")
    add("--iteration", type=positive_integer, metavar="N", help="iteration, from 1 (the last)")
    add("--limit", type=positive_integer, metavar="N", help="number of episodes (8)", default=8)
    add("--title", help="title of the figure (the name of the run and the iteration)")
    add(
        "--output",
        type=output_file(".png"),
        metavar="FILE",
        help="PNG file to write (episodes.png in the folder of the run)",
    )
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the episodes and print the path of the figure.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: draw(options), "draw-images")


def draw(options: argparse.Namespace) -> None:
    """Write the figure."""
    from nip.run_store.report.plot_style import save_figure
    from nip.scenarios.image_classification.drawing import draw_episodes
    from nip.scenarios.image_classification.stored_episodes import read_episodes
    from nip.utils.files import make_folder

    import_plugins(options)
    folder = run_folder(options.run, options.runs_dir)
    stored = read_episodes(folder, options.data_dir, options.iteration, options.limit)
    title = options.title or f"{folder.name}, iteration {stored.iteration}"
    figure = draw_episodes(stored.episodes, stored.images, stored.grid, title)
    output = options.output or folder / "episodes.png"
    make_folder(output.parent)
    save_figure(figure, output)
    print(visible(f"Episodes: {output}"))
