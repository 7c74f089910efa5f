"""Errors of language model calls and of fine-tuning, and how callers react to them.

The class of an error determines the reaction. Providers translate the errors of services, which
differ in status codes and wording, to these classes. Messages never contain an API key.
"""

from enum import Enum
from typing import ClassVar, Literal

from nip.errors import NipError
from nip.language_models.chat import Completion, TokenUsage
from nip.utils.secrets import scrub
from nip.utils.unicode_text import valid_unicode


class ErrorPolicy(Enum):
    """Reaction to an error."""

    RETRY = "retry"
    """Retry the call after a delay."""

    PAUSE_MODEL = "pause_model"
    """Retry the call after a delay, and hold back all other calls of the model until then."""

    END_CALL = "end_call"
    """Do not retry: the call fails, and with it the rollout."""

    END_RUN = "end_run"
    """Stop the run: no further call can succeed."""


class LanguageModelError(NipError, RuntimeError):
    """A call of a language model failed.

    Parameters
    ----------
    message : str
        Description; API keys in it are removed.
    retry_after : float, optional
        Seconds until the next try as requested by the service; None if it makes no request.
    """

    policy: ClassVar[ErrorPolicy] = ErrorPolicy.END_CALL

    is_saturation: ClassVar[bool] = False
    """Whether the error indicates too much concurrency, so that the limit is reduced."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(scrub(valid_unicode(message)))
        self.retry_after = retry_after
        self.is_unreachable = False
        """Whether no connection could be established, which is no fault of the call."""
        self.may_concern_content = False
        """Whether a proxy may have refused the content of the call, rather than the account."""
        self.is_charged: Literal["no", "yes", "unknown"] = "no"
        """Whether the service charged for the request; ``unknown`` if its answer was lost."""
        self.usage: TokenUsage | None = None
        """Tokens that were certainly charged; None if a charged request did not report them."""
        self.reported_cost: float | None = None
        """Reported cost of a charged request in dollars; None if it was not reported."""

    def add_charge_of(self, earlier: Completion) -> None:
        """Add the tokens and the cost of an earlier request of the same call, which was answered.

        For a provider that sends several requests for one call, when one of them fails after
        another was paid for.
        """
        usage = earlier.usage if earlier.is_usage_known else None
        if self.is_charged == "no":
            self.is_charged = "yes"
            self.usage, self.reported_cost = usage, earlier.reported_cost
            return
        if usage is None:
            return
        # Of a request whose answer was lost, neither tokens nor cost are known.
        own_cost = 0.0 if self.usage is None else self.reported_cost
        if self.is_charged == "yes" and self.usage is None:
            # The tokens of the earlier request are certain, those of this one are not.
            self.is_charged = "unknown"
        self.usage = usage + (self.usage or TokenUsage())
        cost = earlier.reported_cost
        self.reported_cost = None if cost is None or own_cost is None else cost + own_cost

    @property
    def pauses_model(self) -> bool:
        """Whether other calls of the model must be held back as well."""
        may_retry = self.policy in (ErrorPolicy.RETRY, ErrorPolicy.PAUSE_MODEL)
        return self.policy is ErrorPolicy.PAUSE_MODEL or (may_retry and bool(self.retry_after))


class RateLimitError(LanguageModelError):
    """The rate limit for requests or tokens is reached (429)."""

    policy = ErrorPolicy.PAUSE_MODEL
    is_saturation = True


class OverloadError(LanguageModelError):
    """The service is overloaded or temporarily broken (500, 502, 503, 529)."""

    policy = ErrorPolicy.RETRY
    is_saturation = True


class ModelTimeoutError(LanguageModelError):
    """The call timed out."""

    policy = ErrorPolicy.RETRY


class ModelConnectionError(LanguageModelError):
    """The connection could not be established, or was closed early."""

    policy = ErrorPolicy.RETRY


class ServiceUnavailableError(LanguageModelError):
    """The service is unavailable for longer than the run may wait."""

    policy = ErrorPolicy.END_RUN


class TemporaryRefusalError(LanguageModelError):
    """A single call was refused (401, 403, 404) among others that were answered.

    ``refusal`` is the error of the service.
    """

    policy = ErrorPolicy.RETRY

    def __init__(self, refusal: LanguageModelError) -> None:
        super().__init__(
            f"{refusal} Other calls to this model were answered, so this one is tried again."
        )
        self.refusal = refusal


class AuthenticationError(LanguageModelError):
    """The API key is missing, invalid or lacks permission (401, 403)."""

    policy = ErrorPolicy.END_RUN


class QuotaError(LanguageModelError):
    """The quota or the credit of the account is used up."""

    policy = ErrorPolicy.END_RUN


class BudgetExceededError(LanguageModelError):
    """The budget of the run is used up."""

    policy = ErrorPolicy.END_RUN


class SharedBudgetExceededError(BudgetExceededError):
    """The budget that several runs share is used up."""


class UnknownModelError(LanguageModelError):
    """The model does not exist at the service (404)."""

    policy = ErrorPolicy.END_RUN


class AdapterError(LanguageModelError):
    """A server does not load an adapter."""

    policy = ErrorPolicy.END_RUN


class ContentFilterError(LanguageModelError):
    """A content filter rejected the conversation."""


class BadRequestError(LanguageModelError):
    """The request is invalid, for example too long (400, 413, 422)."""


class MalformedAnswerError(LanguageModelError):
    """The body of the response violates the interface."""

    policy = ErrorPolicy.RETRY


class UnknownApiError(LanguageModelError):
    """An error that no other class describes."""

    policy = ErrorPolicy.RETRY


class FineTuningError(NipError, RuntimeError):
    """A fine-tuning job failed and stops the run, which can be resumed."""


class FineTuningDatasetError(NipError, ValueError):
    """A fine-tuning dataset is invalid."""
