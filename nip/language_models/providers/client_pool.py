"""Many requests at once through several clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openai import AsyncOpenAI

# A client looks at all of its connections for every request, even asking the system whether each
# idle one is still open: with 200 connections that costs as much as everything else together.
_REQUESTS_PER_CLIENT = 16


class ClientPool:
    """Clients of one service, each of which carries only so many requests at once.

    Parameters
    ----------
    open_client : Callable[[], AsyncOpenAI]
        Opens a client; called at once for the first, and for others when they are needed.
    """

    def __init__(self, open_client: Callable[[], AsyncOpenAI]) -> None:
        self._open_client = open_client
        self._clients = [open_client()]
        self._num_lent = [0]

    @contextmanager
    def lend(self) -> Iterator[AsyncOpenAI]:
        """Give a client for one request."""
        # The first that has room, so that few requests share few connections.
        room = (i for i, lent in enumerate(self._num_lent) if lent < _REQUESTS_PER_CLIENT)
        index = next(room, len(self._clients))
        if index == len(self._clients):
            self._clients.append(self._open_client())
            self._num_lent.append(0)
        self._num_lent[index] += 1
        try:
            yield self._clients[index]
        finally:
            self._num_lent[index] -= 1

    def __len__(self) -> int:
        """Count the clients."""
        return len(self._clients)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()
