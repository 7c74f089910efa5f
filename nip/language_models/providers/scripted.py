"""The provider ``scripted``: answers from a Python function or a file of rules, for tests."""

import importlib
import importlib.util
import inspect
import re
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from nip.errors import ParameterError
from nip.language_models.answer_rules import AnswerRules
from nip.language_models.chat import (
    ChatMessage,
    Completion,
    FinishReason,
    ModelSpec,
    Sampling,
    TokenUsage,
)
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    register_chat_provider,
)

Answer = str | Completion
AnswerFunction = Callable[[Sequence[ChatMessage], Sampling], Answer | Awaitable[Answer]]

_RULE_FILES = (".yaml", ".yml", ".json")
_WORD = re.compile(r"\S+")


@register_chat_provider("scripted")
class ScriptedChatModel(ProvidedChatModel):
    """A model whose answers come from a Python function or a file of rules.

    The model name selects one: ``package.module:function`` or ``folder/file.py:function`` names a
    function, sync or async, which takes the messages and the ``Sampling`` and returns a string or a
    ``Completion``. ``folder/file.yaml`` (or ``.yml``, ``.json``) names a file of ``AnswerRules``;
    the seed of the sampling selects among the answers of a rule.

    Every word counts as one token. A text longer than ``max_tokens`` is cut.
    """

    names_code = True

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._answer = load_answers(spec.model_name)

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check that the answers can be loaded, see ``ProvidedChatModel``."""
        load_answers(spec.model_name)

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Call the function, whose exceptions propagate unchanged, or apply the rules."""
        answer = self._answer(messages, sampling)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Completion):
            return answer
        if not isinstance(answer, str):
            raise ParameterError(
                f"The function {self._spec.model_name!r} must return a string or a Completion, got "
                f"{answer!r}."
            )
        return self._complete_with(answer, messages, sampling.max_tokens)

    def _complete_with(
        self, text: str, messages: Sequence[ChatMessage], max_tokens: int | None
    ) -> Completion:
        ends = [word.end() for word in _WORD.finditer(text)]
        finish_reason: FinishReason = "stop"
        if max_tokens is not None and len(ends) > max_tokens:
            finish_reason = "length"
            ends = ends[:max_tokens]
            text = text[: ends[-1]] if ends else ""
        num_read = sum(len(message["content"].split()) for message in messages)
        return Completion(
            text, finish_reason, TokenUsage(num_read, len(ends)), self._spec.model_name
        )


def load_answers(name: str) -> AnswerFunction:
    """Load the function or the rules that a model name specifies, or raise ``ParameterError``."""
    if name.endswith(_RULE_FILES):
        rules = AnswerRules.from_file(name)
        return lambda messages, sampling: rules.answer(messages, sampling.seed or 0)
    source, _, function_name = name.rpartition(":")
    if not source or not function_name:
        raise ParameterError(
            f"The name of a scripted model must be module:function, file.py:function or a file of "
            f"rules with the extension {', '.join(_RULE_FILES)}, got {name!r}."
        )
    function = getattr(_load_module(source, name), function_name, None)
    if not callable(function):
        raise ParameterError(
            f"The scripted model {name!r} needs a function {function_name!r} in {source!r}, which "
            f"does not exist. Define it, or correct the name."
        )
    _check_signature(function, function_name, name)
    answer: AnswerFunction = function
    return answer


def _check_signature(function: Callable[..., object], function_name: str, name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Some functions that are written in C have none.
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise ParameterError(
            f"The function of the scripted model {name!r} must take two arguments, the messages "
            f"and the Sampling, got {function_name}{signature}: {error}. Define it as "
            f"def {function_name}(messages, sampling)."
        ) from error


def _load_module(source: str, name: str) -> object:
    if not source.endswith(".py"):
        try:
            return importlib.import_module(source)
        except ImportError as error:
            raise ParameterError(
                f"The scripted model {name!r} needs the module {source!r}, which cannot be "
                f"imported: {error}. Install it, or give the path of a file that ends in .py."
            ) from error
    if not Path(source).is_file():
        raise ParameterError(
            f"The scripted model {name!r} needs the file {source!r}, which does not exist."
        )
    spec = importlib.util.spec_from_file_location(f"nip_scripted_{Path(source).stem}", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise ParameterError(
            f"The scripted model {name!r} needs the file {source!r}, which cannot be loaded "
            f"({line.filename}, line {line.lineno}): {type(error).__name__}: {error}. Correct it."
        ) from error
    return module
