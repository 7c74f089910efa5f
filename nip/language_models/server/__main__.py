"""Serve an endpoint that speaks as hosted language models do, to rehearse against."""

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from nip.errors import NipError, ParameterError
from nip.language_models.server.options import EndpointOptions

EPILOG = """\
Clients reach it at the address that it prints, whatever key they give:
  OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none python my_program.py

A fault may carry selectors, which say whom it strikes:
  --faults "rate_limit?rate=0.5&first=10" "server_error?request=chat&model=gpt-4o"

GET /admin/counters tells what it did; POST /admin/faults switches faults while it runs.
"""

STALL_S = 3600.0
"""Longer than the clients' patience: over HTTP they end a request that hangs."""

RETRY_AFTER_S = 1.0

_BACKLOG = 2048


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave."""
        self.exit(2, f"error: {message}. See {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = Parser(
        prog="python -m nip.language_models.server",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine only)")
    add(
        "--port",
        type=port_number,
        default=8000,
        help="port to listen at; 0 takes a free one (8000)",
    )
    add("--brain", default="dialogue", help="what answers: dialogue, echo, local (dialogue)")
    add("--brain-file", metavar="PATH", help="rules of dialogue, or folder of a local model")
    add("--latency", type=float, default=0.0, metavar="S", help="seconds per answer (0)")
    add("--job-polls", type=int, default=2, metavar="N", help="questions until a job is done (2)")
    add("--job-seconds", type=float, default=0.0, metavar="S", help="least time of a job (0)")
    add("--faults", nargs="+", default=[], metavar="FAULT", help="faults to show (none)")
    add("--fault-rate", type=float, default=0.2, metavar="P", help="share that meets each (0.2)")
    add("--seed", type=int, default=0, help="decides who meets a fault (0)")
    add("--state", metavar="FILE", help="SQLite file that keeps everything (only in memory)")
    add("--api-key-variable", metavar="NAME", help="environment variable with the key to demand")
    add("--retry-after", type=float, default=RETRY_AFTER_S, metavar="S", help="told at a limit (1)")
    add("--stall", type=float, default=STALL_S, metavar="S", help="length of a timeout (3600)")
    return parser


def port_number(text: str) -> int:
    """Accept a port."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    given = build_parser().parse_args(arguments)
    try:
        serve(given)
    except NipError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        # The server has shut down in order before it passes this on.
        sys.stderr.write("Stopped.\n")
    return 0


def serve(given: argparse.Namespace) -> None:
    """Open the port, say where it is, and answer."""
    import uvicorn

    from nip.language_models.server.app import create_app

    options = EndpointOptions(
        brain=given.brain,
        brain_file=given.brain_file,
        latency_s=given.latency,
        job_polls=given.job_polls,
        job_seconds=given.job_seconds,
        faults=tuple(given.faults),
        fault_rate=given.fault_rate,
        seed=given.seed,
        state_path=given.state,
        api_key_variable=given.api_key_variable,
        retry_after_s=given.retry_after,
        stall_s=given.stall,
    )
    with listen(given.host, given.port) as opened:
        config = uvicorn.Config(
            create_app(options),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        logging.getLogger("uvicorn.error").addFilter(is_unexpected)
        port = opened.getsockname()[1]
        sys.stdout.write(f"Serving {address(given.host, port)}; Ctrl-C stops it.\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[opened])


def listen(host: str, port: int) -> socket.socket:
    """Open a port.

    Raises
    ------
    ParameterError
        If that is impossible, for example because another program has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.socket(family)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            # Whoever reads the address may come at once, before the server is up.
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
    except OSError as error:
        raise ParameterError(
            f"Nothing can listen at {host}, port {port}: {error.strerror}. Choose another --port "
            "(0 takes a free one) or --host."
        ) from error
    return opened


def address(host: str, port: int) -> str:
    """Return what clients take for ``base_url``."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def is_unexpected(record: logging.LogRecord) -> bool:
    """Tell whether an error of the server is none that faults, or the end of it, bring along."""
    import asyncio

    import httpx2

    from nip.language_models.server.broken_responses import CutConnectionError

    expected = (CutConnectionError, httpx2.ReadTimeout, asyncio.CancelledError)
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, expected)


if __name__ == "__main__":
    sys.exit(main())
