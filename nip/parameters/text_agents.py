"""Parameters of agents that are language models, and of the mock API for rehearsals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from annotated_types import Ge, Gt, Le

from nip.errors import shown
from nip.parameters.agents import BaseAgentParameters
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.outside_names import PLAIN_TEXT, NamesOutside
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import (
    Count,
    CountOrZero,
    JsonObject,
    NameOrPath,
    PathText,
    Positive,
    ReasoningEffort,
    TokenLimitName,
    UnitInterval,
)
from nip.parameters.update_schedule import UpdateSchedule

TOKENS_PER_WORD = 2
"""Tokens per word. English takes about 4/3; code and markup take more."""

SPARE_TOKENS = 64
"""Additional tokens for headers and the line of the decision."""

REASONING_TOKENS = 8192
"""Additional tokens for the reasoning of a model with a ``reasoning_effort``, which counts towards
the limit."""

_MAX_STOPS = 4
"""Maximum number of stop texts that OpenAI and vLLM accept."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


# Fields of requests that must not be set twice, or that would change what an answer is.
_OWN_FIELDS = frozenset({"messages", "model", "n", "stream", "tools"})
_OWN_FIELDS_HINT = {"model": "Set model_name."}
_TOKEN_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})


def _is_called(agent: TextAgentParameters) -> bool:
    """Return whether provider and address count; a rehearsal uses neither."""
    return not agent.use_dummy_api


def _is_called_elsewhere(agent: TextAgentParameters) -> bool:
    """Return whether the provider is not the default, which only sends the name of the model."""
    return _is_called(agent) and agent.model_provider.lower() != "openai"


@register_parameter_class
@dataclass
class TextAgentParameters(BaseAgentParameters):
    """Parameters shared by all agents that are language models."""

    model_provider: Annotated[
        str, NamesOutside("providers that are called", when=_is_called_elsewhere)
    ] = "OpenAI"
    """Provider: ``OpenAI`` (also any server with its API), ``vllm``, ``local``, ``scripted``."""

    model_name: Annotated[
        NameOrPath,
        NamesOutside("files that are read or executed", when=_is_called_elsewhere),
    ] = "gpt-4o-mini-2024-07-18"
    """Name of the model at its provider, or its folder (``local``) or file (``scripted``)."""

    base_url: Annotated[
        str | tuple[str, ...] | None, NamesOutside("addresses that are called", when=_is_called)
    ] = None
    """Address of the API, or those of its replicas; None: ``OPENAI_BASE_URL``, or the usual one."""

    api_key_variable: Annotated[str | None, NamesOutside("keys that are sent", when=_is_called)] = (
        None
    )
    """Environment variable that holds the key; None: ``OPENAI_API_KEY``, at its own host only."""

    use_dummy_api: bool = False
    """Rehearse: send requests to a mock API inside this process, which costs nothing."""

    shared_model_group: Annotated[str | None, PLAIN_TEXT] = None
    """Agents that name the same group share one model; None: a group of its own."""

    temperature: Annotated[float, Ge(0), Le(2)] | None = None
    """Sampling temperature; None: the provider's default."""

    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    """Probability mass of nucleus sampling; None: the provider's default."""

    fine_tune_from_scratch: bool = True
    """Start each fine-tuning from the base model instead of the last fine-tuned one."""

    freeze_agent: bool = False
    """Never fine-tune the model."""

    update_schedule: Group[UpdateSchedule] = GROUP_DEFAULT
    """Iterations in which the agent learns; by default all."""

    rollout_window: Count | None = None
    """Number of latest iterations whose rollouts it learns from; None: as ``text_rl`` says."""

    n_epochs: Count | None = None
    """Passes over the examples in a fine-tuning; None: ``fine_tuning.n_epochs``."""

    learning_rate_multiplier: Positive | None = None
    """Factor on its learning rate; None: ``fine_tuning.learning_rate_multiplier``."""

    max_response_words: Count = 150
    """Number of words to which the prompt limits an answer."""

    stop: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Texts before which an answer ends, at most four."""

    max_tokens_per_message: Count | None = None
    """Maximum number of tokens of an answer, reasoning included; None: derived from words."""

    reasoning_effort: ReasoningEffort | None = None
    """Effort of a reasoning model, such as ``low``; None: not sent."""

    send_seed: bool = True
    """Send the seed of each request; services that refuse it need False."""

    token_limit_name: TokenLimitName | None = None
    """Name of the request field with the token limit; None: the one that the service uses."""

    extra_body: Annotated[
        JsonObject | None,
        NamesOutside("fields of requests that only the service knows", when=_is_called),
    ] = None
    """Further fields of each request, which the service defines; null leaves a field out."""

    num_invalid_generation_retries: CountOrZero = 20
    """Number of retries for an answer that breaks the rules."""

    unused_rules: ClassVar = (
        *BaseAgentParameters.unused_rules,
        UnusedOptionRule(
            (
                "update_schedule",
                "rollout_window",
                "fine_tune_from_scratch",
                "n_epochs",
                "learning_rate_multiplier",
            ),
            "with freeze_agent=True",
            lambda agent, _: agent.freeze_agent,
        ),
        UnusedOptionRule(
            ("base_url", "api_key_variable", "extra_body", "token_limit_name"),
            "with use_dummy_api=True, which calls the mock API inside this process",
            lambda agent, _: agent.use_dummy_api,
        ),
        UnusedOptionRule(
            ("base_url", "api_key_variable", "extra_body", "token_limit_name", "send_seed"),
            "with this model_provider, which sends no requests",
            lambda agent, _: agent.model_provider.lower() in ("local", "scripted"),
        ),
    )

    @property
    def token_limit(self) -> int:
        """Maximum number of tokens of an answer, including reasoning."""
        derived = TOKENS_PER_WORD * self.max_response_words + SPARE_TOKENS
        if self.reasoning_effort not in (None, "none"):
            derived += REASONING_TOKENS
        return self.max_tokens_per_message or derived

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require one way of sampling, and valid addresses and names."""
        if self.temperature is not None and self.top_p is not None:
            yield (
                f"{at('temperature')} and {at('top_p')} must not both be set, got "
                f"{self.temperature!r} and {self.top_p!r}. Leave one of them at None."
            )
        yield from self._problems_of_addresses(at)
        if len(self.stop) > _MAX_STOPS or not all(self.stop):
            yield (
                f"{at('stop')} must be at most {_MAX_STOPS} texts, none of them empty, as services "
                f"require, got {shown(list(self.stop))}. Remove some."
            )
        if self.api_key_variable is not None and not _VARIABLE.fullmatch(self.api_key_variable):
            # The value may be the key itself, so the message does not repeat it.
            yield (
                f"{at('api_key_variable')} must be the name of an environment variable (letters, "
                "digits and underscores), and what was given is none. Put the key into a variable, "
                "and give the name of that; a key would be stored with the run."
            )
        yield from self._problems_of_request(at)
        if not self.model_name.strip():
            yield f"{at('model_name')} must name a model, got {self.model_name!r}."

    def _problems_of_addresses(self, at: Callable[[str], str]) -> Iterator[str]:
        given = self.base_url
        addresses = given if isinstance(given, tuple) else () if given is None else (given,)
        if not all(each.startswith(("http://", "https://")) for each in addresses):
            yield (
                f"{at('base_url')} must begin with http:// or https://, got "
                f"{shown(given)}. Give the address of the API, for example http://localhost:8000/v1."
            )
        elif isinstance(given, tuple) and (not given or len(set(given)) < len(given)):
            yield (
                f"{at('base_url')} must list different addresses, at least one, got "
                f"{shown(list(given))}. Give each replica once."
            )

    def _problems_of_request(self, at: Callable[[str], str]) -> Iterator[str]:
        extra = self.extra_body or {}
        for name in sorted(_OWN_FIELDS & set(extra)):
            yield (
                f"{at('extra_body')} must not contain {name!r}, which is a parameter or set by the "
                f"run. {_OWN_FIELDS_HINT.get(name, 'Remove it.')}"
            )
        limits = _TOKEN_LIMITS & set(extra)
        if limits:
            yield (
                f"{at('extra_body')} must not contain {min(limits)!r}. Set "
                f"{at('max_tokens_per_message')} and {at('token_limit_name')} instead, so that "
                "costs are known."
            )

    @classmethod
    def construct_test_params(cls) -> Self:
        """Return an agent that uses the mock API."""
        return cls(use_dummy_api=True)


@register_parameter_class
@dataclass
class RehearsalParameters(SubParameters):
    """The mock API that serves agents with ``use_dummy_api=True``."""

    brain: Annotated[str, PLAIN_TEXT] = "dialogue"
    """Mock model: ``dialogue`` (rules and memorised answers), ``echo``, or your own."""

    brain_file: Annotated[PathText | None, NamesOutside("files that are read")] = None
    """File with the rules of the mock model; None: the rules of the scenario."""

    latency_s: Annotated[float, Ge(0), Le(1e9)] = 0.0
    """Delay of each answer in seconds."""

    job_polls: CountOrZero = 2
    """Number of polls after which a fine-tuning job is finished."""

    faults: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Faults that the mock API simulates, for example ``[rate_limit, server_error]``."""

    fault_rate: UnitInterval = 0.2
    """Share of the requests that fail with each of these faults."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("brain", "brain_file", "latency_s", "job_polls", "faults", "fault_rate"),
            "unless an agent has use_dummy_api=True",
            lambda _, hyper_params: (
                not any(
                    getattr(agent, "use_dummy_api", False) for agent in hyper_params.agents.values()
                )
            ),
        ),
        UnusedOptionRule(
            ("fault_rate",),
            "unless rehearsal.faults names any",
            lambda rehearsal, _: not rehearsal.faults,
        ),
    )
