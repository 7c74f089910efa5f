"""Registry of model providers, and the base class of their chat models."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from nip.language_models.chat import ChatModel, ModelSpec
from nip.registry import Registry, require_complete, require_derived, require_name

# An ASGI application: called with scope, receive and send for each request.
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
    """Connection settings that are shared by all models. Never contains an API key."""

    timeout_s: float = 600.0
    """Seconds after which a call fails with a ``ModelTimeoutError``."""

    rehearsal_app: AsgiApp | None = None
    """The mock API, an ASGI application, which the provider ``rehearsal`` calls in process."""

    headers: dict[str, str] = field(default_factory=dict)
    """Additional headers of every request. Not for API keys, which belong in the environment."""

    max_batch_size: int = 64
    """Maximum batch size of the provider ``local``; 1 makes rounding independent of other calls."""

    run_folder: Path | None = None
    """Folder of the run, in which the fine-tuning backend ``local`` keeps its jobs."""

    num_threads: int = 1
    """Threads of PyTorch in the processes of these jobs."""


class ProvidedChatModel(ChatModel):
    """Base class of chat models that are registered as a provider.

    Parameters
    ----------
    spec : ModelSpec
        Spec of the model.
    context : ConnectionContext
        Connection settings.

    Raises
    ------
    ParameterError
        If ``check_access`` raises it.
    """

    names_code: ClassVar[bool] = False
    """Whether the name of a model names code, which is then never taken from a stored run."""

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        self.check_access(spec, context)
        self._spec = spec
        self._context = context

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:
        """Check address, API key and files, without sending a request.

        Raises
        ------
        ParameterError
            If calls of the model would certainly fail; the message says what to change.
        """

    @property
    def spec(self) -> ModelSpec:
        """Spec of this model."""
        return self._spec

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r})"


Provided = TypeVar("Provided", bound=type[ProvidedChatModel])

chat_provider_registry: Registry[type[ProvidedChatModel]] = Registry(
    "model provider", package="nip.language_models.providers"
)


def register_chat_provider(name: str) -> Callable[[Provided], Provided]:
    """Register a provider class under a name; names are case-insensitive."""
    require_name("register_chat_provider", name)

    def register(provider: Provided) -> Provided:
        require_derived(f"model provider {name!r}", provider, ProvidedChatModel)
        chat_provider_registry.register(name.lower(), provider)
        return provider

    return register


def find_chat_provider(name: str) -> type[ProvidedChatModel]:
    """Return the provider class with a name; names are case-insensitive.

    Raise ``PluginError`` if the class is incomplete.
    """
    provider = chat_provider_registry.get(name.lower())
    require_complete(f"model provider {name!r}", provider, ProvidedChatModel)
    return provider


def names_code(provider: str) -> bool:
    """Return whether the names of a provider's models name code; False if it is not registered."""
    name = provider.lower()
    return name in chat_provider_registry and chat_provider_registry[name].names_code


def check_access(spec: ModelSpec, context: ConnectionContext | None = None) -> None:
    """Check that a model can be reached, without sending a request.

    Raise ``ParameterError`` if calls would certainly fail, saying what to change.
    """
    find_chat_provider(spec.provider).check_access(spec, context or ConnectionContext())


def build_chat_model(spec: ModelSpec, context: ConnectionContext) -> ChatModel:
    """Build the chat model of a spec.

    Raises
    ------
    UnknownNameError
        If the provider does not exist.
    ParameterError
        If calls of the model would certainly fail; the message says what to change.
    """
    return find_chat_provider(spec.provider)(spec, context)
