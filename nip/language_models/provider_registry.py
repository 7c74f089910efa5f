"""The ways to reach language models, by name, and what all of them are given."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nip.language_models.chat import ChatModel, ModelSpec
from nip.registry import Registry

# What an ASGI server calls for each request.
AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


@dataclass(frozen=True)
class ConnectionContext:
    """What reaching a model takes, apart from which one it is. Never holds a key."""

    timeout_s: float = 600.0
    """Seconds after which a call without an answer fails with a ``ModelTimeoutError``."""

    rehearsal_app: AsgiApp | None = None
    """The application that answers in the place of a service, for the provider ``rehearsal``."""

    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of every request. Not for keys: they belong in the environment."""

    max_batch_size: int = 32
    """Most answers that a model in this process writes at once; 1 keeps rounding independent of
    what else is being asked."""


class ProvidedChatModel(ChatModel):
    """A chat model that a provider makes from a spec.

    Parameters
    ----------
    spec : ModelSpec
        Which model is meant.
    context : ConnectionContext
        What reaching it takes.

    Raises
    ------
    ParameterError
        If ``check_access`` objects.
    """

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        self.check_access(spec, context)
        self._spec = spec
        self._context = context

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:
        """Tell what is missing before anything is asked or paid.

        Raises
        ------
        ParameterError
            If the model certainly cannot be reached like this; the message names the way out.
        """

    @property
    def spec(self) -> ModelSpec:
        """Which model this is."""
        return self._spec

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r})"


Provided = TypeVar("Provided", bound=type[ProvidedChatModel])

chat_provider_registry: Registry[type[ProvidedChatModel]] = Registry(
    "model provider", package="nip.language_models.providers"
)


def register_chat_provider(name: str) -> Callable[[Provided], Provided]:
    """Enter a class of models under a name; capital letters in names make no difference."""
    return chat_provider_registry.register(name.lower())


def find_chat_provider(name: str) -> type[ProvidedChatModel]:
    """Look a provider up; ``OpenAI`` and ``openai`` are the same.

    Raises
    ------
    UnknownNameError
        If there is no such provider.
    """
    return chat_provider_registry.get(name.lower())


def check_access(spec: ModelSpec, context: ConnectionContext | None = None) -> None:
    """Tell what is missing to reach a model, without sending anything.

    Raises
    ------
    UnknownNameError
        If there is no such provider.
    ParameterError
        If the model certainly cannot be reached; the message names the way out.
    """
    find_chat_provider(spec.provider).check_access(spec, context or ConnectionContext())


def build_chat_model(spec: ModelSpec, context: ConnectionContext) -> ChatModel:
    """Make a model that can be asked.

    Raises
    ------
    UnknownNameError
        If there is no such provider.
    ParameterError
        If the model certainly cannot be reached; the message names the way out.
    """
    return find_chat_provider(spec.provider)(spec, context)
