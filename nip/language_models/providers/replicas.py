"""Replicas of one server: the same models at several addresses."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import TypeVar

from openai import AsyncOpenAI

from nip.errors import warn_user
from nip.language_models.chat import ChatMessage, ModelSpec
from nip.language_models.errors import LanguageModelError
from nip.language_models.providers.client_pool import ClientPool

Answer = TypeVar("Answer")

RETRY_S = 30.0
"""Seconds after which one request tries whether an unreachable replica can be reached again."""


class Replica:
    """One of the servers at which a model can be called.

    Parameters
    ----------
    spec : ModelSpec
        Spec of the model with the address of this server alone.
    open_client : Callable[[], AsyncOpenAI]
        Opens a client of this server.
    """

    def __init__(self, spec: ModelSpec, open_client: Callable[[], AsyncOpenAI]) -> None:
        self.spec = spec
        self.clients = ClientPool(open_client)
        self.retry_at: float | None = None
        """Time of the next try on the event loop's clock; None: the server can be reached."""

    @property
    def name(self) -> str:
        """Address of the server."""
        return str(self.spec.base_url or "")


class Replicas:
    """Chooses the replica of each request.

    All requests of a dialogue go to the same replica, which is chosen by rendezvous hashing
    (Thaler and Ravishankar, 1998) of the name of the dialogue. So the choice needs no state, and
    survives a restart. If that replica is unreachable, the dialogue continues at the next one in
    its order, which computes the beginning of the conversation anew; the dialogues of the other
    replicas stay where they are. Every ``RETRY_S`` one request tries an unreachable replica again.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.all = tuple(replicas)

    async def ask(
        self,
        dialogue: str,
        request: Callable[[Replica], Awaitable[Answer | LanguageModelError]],
    ) -> Answer | LanguageModelError:
        """Send a request of a dialogue to the first replica in its order that can be reached.

        Return the answer, or the error of the last replica that was tried.
        """
        answer: Answer | LanguageModelError | None = None
        for replica in self.order_of(dialogue):
            answer = await request(replica)
            if not isinstance(answer, LanguageModelError) or not answer.is_unreachable:
                self._note_reachable(replica)
                break
            self._note_unreachable(replica, answer)
        assert answer is not None, "there is at least one replica"
        return answer

    def order_of(self, dialogue: str) -> list[Replica]:
        """Return the replicas in the order in which a request of a dialogue tries them.

        Those that cannot be reached come last, unless it is time to try them again.
        """
        if len(self.all) == 1:
            return list(self.all)
        now = _now()
        order = sorted(self.all, key=lambda each: _weight(dialogue, each.name))
        order.sort(key=lambda each: each.retry_at is not None and now < each.retry_at)
        if order[0].retry_at is not None:
            # This request tries it, and the others need not wait for the outcome.
            order[0].retry_at = now + RETRY_S
        return order

    def _note_unreachable(self, replica: Replica, error: LanguageModelError) -> None:
        if len(self.all) > 1 and replica.retry_at is None:
            warn_user(
                f"The replica {replica.name} is unreachable. Its dialogues continue at the other "
                f"replicas, which compute the beginnings of the conversations anew: {error}"
            )
        replica.retry_at = _now() + RETRY_S

    def _note_reachable(self, replica: Replica) -> None:
        if len(self.all) > 1 and replica.retry_at is not None:
            warn_user(f"The replica {replica.name} is reachable again.")
        replica.retry_at = None

    async def aclose(self) -> None:
        """Close all connections."""
        for replica in self.all:
            await replica.clients.aclose()


def opening_of(messages: Sequence[ChatMessage]) -> str:
    """Return what stays the same in all requests of a conversation: all before the first answer."""
    opening = takewhile(lambda message: message["role"] != "assistant", messages)
    return "\n".join(f"{message['role']}: {message['content']}" for message in opening)


def _weight(dialogue: str, address: str) -> bytes:
    return hashlib.sha256(f"{dialogue}\n{address}".encode("utf-8", "surrogatepass")).digest()


def _now() -> float:
    return asyncio.get_running_loop().time()
