"""Answers that go wrong on their way."""

import asyncio

import httpx2
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class CutConnectionError(httpx2.RemoteProtocolError):
    """Ends a request: a server then closes the connection, a client in process sees this."""


class CutResponse(Response):
    """An answer of which half is sent before the connection is closed.

    Parameters
    ----------
    whole : Response
        The answer that should have been sent.
    """

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half, then fail."""
        await _start(self, send)
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise CutConnectionError("The connection was cut in the middle of the answer.")


class StalledResponse(Response):
    """An answer that never comes.

    Parameters
    ----------
    seconds : float
        How long the connection is held. Clients over HTTP give up before, by their own clock. For
        a client in the same process, where no such clock runs, its time is over then.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(b" ")
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait until the client has gone, or let it time out."""
        try:
            async with asyncio.timeout(self._seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            # Without a start the framework would answer in our place.
            await _start(self, send)
            raise httpx2.ReadTimeout("No answer came in time.") from None


def mangled(whole: Response) -> Response:
    """Return an answer whose body breaks off, so that it is no JSON, though it looks complete."""
    body = bytes(whole.body)
    headers = {
        name: value for name, value in whole.headers.items() if name.lower() != "content-length"
    }
    return Response(body[: len(body) // 2], whole.status_code, headers)


async def _start(response: Response, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
