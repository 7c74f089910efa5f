"""Serve a mock of a hosted language model API over HTTP, to rehearse experiments."""

from nip.command_table import COMMANDS, program_name
from nip.utils.lasting_output import protect_output
from nip.utils.stop_signals import cancelling, exit_on_signals, handled_signals
from nip.utils.uncaught_errors import show_uncaught_errors_safely

if __name__ == "__main__":
    exit_on_signals(COMMANDS["serve-mock"].when_stopped)
    protect_output()
    show_uncaught_errors_safely()

import argparse
import ipaddress
import logging
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from nip.errors import NipError, ParameterError, shortened
from nip.language_models.server.endpoint import EndpointOptions
from nip.utils.unicode_text import valid_unicode, visible

EPILOG = """\
Clients use the printed address as base URL, with any key:
  OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none python my_program.py

Selectors restrict a fault to some requests:
  --faults "rate_limit?rate=0.5&first=10" "server_error?request=chat&model=gpt-4o"

GET /admin/counters returns the request counters; POST /admin/faults changes the faults. They accept
JSON only, and only the host names localhost, --host, and addresses; so do all other routes, unless
--host is an address that other machines reach. Web pages of other servers are refused.
"""

STALL_S = 3600.0
"""Longer than any client timeout: over HTTP, clients end a hanging request themselves."""

RETRY_AFTER_S = 1.0

_BACKLOG = 2048


class Parser(argparse.ArgumentParser):
    """An argument parser that prints errors in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, visible(f"error: {message}. See {self.prog} --help.\n"))


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = Parser(
        prog=program_name("serve-mock"),
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
    add(
        "--port",
        type=port_number,
        default=8000,
        help="port to listen on; 0 selects a free port (8000)",
    )
    add("--brain", default="dialogue", help="mock model: dialogue, echo, local (dialogue)")
    add("--brain-file", metavar="PATH", help="rules of dialogue, or folder of a local model")
    add(
        "--served-model-name",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names of the models; others are refused (any)",
    )
    add(
        "--adapters",
        action="store_true",
        help="load and unload LoRA adapters, as vLLM does with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1",
    )
    add("--latency", type=float, default=0.0, metavar="S", help="seconds per chat response (0)")
    add("--job-polls", type=int, default=2, metavar="N", help="polls until a job ends (2)")
    add("--job-seconds", type=float, default=0.0, metavar="S", help="minimum duration of a job (0)")
    add("--faults", nargs="+", default=[], metavar="FAULT", help="faults to inject (none)")
    add("--fault-rate", type=float, default=0.2, metavar="P", help="share of requests (0.2)")
    add("--seed", type=int, default=0, help="seed that selects requests for faults (0)")
    add("--state", metavar="FILE", help="SQLite file for the state (in memory)")
    add("--api-key-variable", metavar="NAME", help="environment variable of the required key")
    add("--retry-after", type=float, default=RETRY_AFTER_S, metavar="S", help="Retry-After (1)")
    add("--requests-per-minute", type=int, default=10**6, metavar="N", help="rate limit (1000000)")
    add("--tokens-per-minute", type=int, default=10**9, metavar="N", help="rate limit (1000000000)")
    add("--stall", type=float, default=STALL_S, metavar="S", help="seconds a timeout hangs (3600)")
    return parser


def port_number(text: str) -> int:
    """Parse a port number."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"must be an integer from 0 to 65535, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until Ctrl-C, or another signal that asks to stop."""
    given = build_parser().parse_args(arguments)
    try:
        with handled_signals():
            serve(given)
    except NipError as error:
        sys.stderr.write(f"error: {visible(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        # uvicorn re-raises this after most orderly shutdowns, and returns after the others.
        pass
    sys.stderr.write(f"{COMMANDS['serve-mock'].when_stopped}\n")
    return 0


def serve(given: argparse.Namespace) -> None:
    """Open the port, print the address, and serve requests."""
    import uvicorn

    from nip.language_models.server.app import create_app

    options = EndpointOptions(
        brain=given.brain,
        brain_file=given.brain_file,
        served_models=tuple(given.served_model_name),
        serves_adapters=given.adapters,
        latency_s=given.latency,
        job_polls=given.job_polls,
        job_seconds=given.job_seconds,
        faults=tuple(given.faults),
        fault_rate=given.fault_rate,
        seed=given.seed,
        state_path=given.state,
        api_key_variable=given.api_key_variable,
        retry_after_s=given.retry_after,
        requests_per_minute=given.requests_per_minute,
        tokens_per_minute=given.tokens_per_minute,
        stall_s=given.stall,
        admin_hosts=(given.host.lower(),),
        is_local=is_loopback(given.host),
    )
    with listen(given.host, given.port) as opened:
        config = uvicorn.Config(
            create_app(options),
            log_level="warning",
            access_log=False,
            # The other implementations, used where they are installed, do not limit headers.
            http="h11",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        logging.getLogger("uvicorn.error").addFilter(is_unexpected)
        # The client is told what is wrong with a form.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        port = opened.getsockname()[1]
        sys.stdout.write(f"Serving {address(given.host, port)}; Ctrl-C stops it.\n")
        sys.stdout.flush()
        server = uvicorn.Server(config)
        # Of SIGINT and SIGTERM uvicorn takes care itself, and raises them again in the end.
        with cancelling(lambda: setattr(server, "should_exit", True)):
            server.run(sockets=[opened])


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; raise ``ParameterError`` if that fails, as for a port in use."""
    if not host.strip():
        raise ParameterError(
            f"--host must be an address or a name, got {host!r}, which would be all networks. "
            "Leave it out to listen on this machine only, or give 0.0.0.0 for all networks."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.socket(family)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            # The address is printed before uvicorn starts: clients that connect until then wait in
            # the backlog instead of being refused.
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
    except (OSError, TypeError, UnicodeError) as error:
        # Python raises the latter two for names that IDNA cannot encode.
        reason = getattr(error, "strerror", None) or "it is not the name of a host"
        raise ParameterError(
            f"Cannot listen on {shortened(valid_unicode(host), 200)}, port {port}: {reason}. "
            "Choose another --port (0 selects a free one) or --host."
        ) from error
    return opened


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address or a name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def address(host: str, port: int) -> str:
    """Return the ``base_url`` for clients."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def is_unexpected(record: logging.LogRecord) -> bool:
    """Filter log records: drop errors that injected faults or the shutdown cause."""
    import asyncio

    import httpx2

    from nip.language_models.server.errors import CutConnectionError

    expected = (CutConnectionError, httpx2.ReadTimeout, asyncio.CancelledError)
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, expected)


if __name__ == "__main__":
    sys.exit(main())
