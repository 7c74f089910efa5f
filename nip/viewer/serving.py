"""``serve``: the viewer on a port of this machine, until it is stopped."""

import socket
from collections.abc import Callable

import uvicorn

from nip.errors import ParameterError
from nip.viewer.app import build_app
from nip.viewer.web.options import ViewerOptions

HOST = "127.0.0.1"
"""The only address on which the viewer listens: that of this machine."""

DEFAULT_PORT = 8765
"""The first port that is tried."""

NUM_PORTS = 20
"""Number of ports that are tried if none is asked for."""


def serve(options: ViewerOptions, port: int | None, announce: Callable[[str], object]) -> None:
    """Serve the viewer until the process is asked to stop.

    Parameters
    ----------
    options : ViewerOptions
        What is shown.
    port : int or None
        Port to listen on, 0 for any; None: the first free one from ``DEFAULT_PORT``.
    announce : callable
        Called with the address when the viewer listens.

    Raises
    ------
    ParameterError
        If the port is taken.
    """
    with listening_socket(port) as listener:
        config = uvicorn.Config(build_app(options), log_level="warning", access_log=False)
        announce(f"http://{HOST}:{listener.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listener])


def listening_socket(port: int | None) -> socket.socket:
    """Return a socket that listens on a port of this machine; see ``serve``."""
    tried = range(DEFAULT_PORT, DEFAULT_PORT + NUM_PORTS) if port is None else [port]
    for each in tried:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A port whose last server has just stopped is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, each))
            listener.listen()
        except OSError as error:
            listener.close()
            problem = error.strerror
            continue
        return listener
    raise ParameterError(
        f"The viewer cannot listen on port {tried[-1]}: {problem}. Choose another one with --port."
    )
