"""A pool of HTTP clients for many concurrent requests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openai import AsyncOpenAI

REQUESTS_PER_CLIENT = 100
"""Limit of concurrent requests of a client, and of its connections, which aiohttp does not exceed
without being told to."""


class ClientPool:
    """Clients of one service, each with a limited number of concurrent requests.

    ``open_client`` is called immediately for the first one, and later as needed.
    """

    def __init__(self, open_client: Callable[[], AsyncOpenAI]) -> None:
        self._open_client = open_client
        self._clients = [open_client()]
        self._num_lent = [0]

    @contextmanager
    def lend(self) -> Iterator[AsyncOpenAI]:
        """Provide a client for one request."""
        # The first client below its limit, so that few requests reuse few connections.
        room = (i for i, lent in enumerate(self._num_lent) if lent < REQUESTS_PER_CLIENT)
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
        """Return the number of clients."""
        return len(self._clients)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()
