"""Show runs and their dialogues in the browser: a local page, which only reads."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nip.command_line.script_parser import command_parser, exit_code_of, import_plugins
from nip.utils.unicode_text import visible

# Everything else is imported where it is used, so that --help is fast.

EPILOG = """\
The page is shown to this machine alone. From another one, forward the port:
ssh -L 8765:127.0.0.1:8765 machine

examples:
  {view}
  {view} my_run --port 9000
  {view} --runs-dir /data/runs --no-browser
"""

_MAX_PORT = 65535


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("view", EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="id of the run to begin with (the list of all)")
    add("--port", type=_port, metavar="N", help="port, 0 for any (the first free one from 8765)")
    add("--index", type=Path, metavar="FILE", help="search index (in the user's cache folder)")
    add("--no-browser", action="store_true", help="open no browser")
    parser.add_run_arguments()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C.

    Returns
    -------
    exit_code : int
        0, 2 after a user error, or 130 after Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    return exit_code_of(lambda: view(options), "view")


def view(options: argparse.Namespace) -> None:
    """Serve the page, and open it in the browser."""
    import webbrowser

    from nip.errors import ParameterError
    from nip.run_store.run_id import describe_existing, is_run_folder
    from nip.viewer.serving import serve
    from nip.viewer.web.options import ViewerOptions, default_index
    from nip.viewer.web.place import run_url

    if options.run is not None and not is_run_folder(options.runs_dir / options.run):
        raise ParameterError(
            f"There is no run {options.run!r} in {options.runs_dir}. "
            f"{describe_existing(options.run, options.runs_dir)}"
        )
    import_plugins(options)
    path = "" if options.run is None else run_url(options.run).lstrip("/")

    def announce(address: str) -> None:
        print(visible(f"Runs in {options.runs_dir}: {address}{path}  (Ctrl-C stops)"), flush=True)
        if not options.no_browser:
            webbrowser.open(f"{address}{path}")

    index = options.index or default_index(options.runs_dir)
    serve(ViewerOptions(options.runs_dir, index, options.data_dir), options.port, announce)


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(_MAX_PORT)) or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} should be a port, from 0 to {_MAX_PORT}")
    return int(text)
