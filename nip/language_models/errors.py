"""What can go wrong when a language model is asked, and what is then to be done.

The class of an error decides; services word theirs in a hundred ways, which the providers
translate.
No message of these classes ever holds a key.
"""

from enum import Enum
from typing import ClassVar

from nip.errors import NipError
from nip.utils.secrets import scrub
from nip.utils.unicode_text import valid_unicode


class ErrorPolicy(Enum):
    """What an error asks for."""

    RETRY = "retry"
    """Ask again after a while."""

    PAUSE_MODEL = "pause_model"
    """Ask again after a while, and let no other call reach the model before."""

    END_CALL = "end_call"
    """Asking again cannot help: the rollout has failed."""

    END_RUN = "end_run"
    """No call of this run can succeed."""


class LanguageModelError(NipError, RuntimeError):
    """A call of a language model failed.

    Parameters
    ----------
    message : str
        What happened; keys in it are removed.
    retry_after : float, optional
        Seconds after which the service wants to be asked again, where it says so.
    """

    policy: ClassVar[ErrorPolicy] = ErrorPolicy.END_CALL

    is_saturation: ClassVar[bool] = False
    """Whether it tells of too many calls at once, so that fewer should be under way."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(scrub(valid_unicode(message)))
        self.retry_after = retry_after

    @property
    def pauses_model(self) -> bool:
        """Whether no other call should reach the model for a while either."""
        may_retry = self.policy in (ErrorPolicy.RETRY, ErrorPolicy.PAUSE_MODEL)
        return self.policy is ErrorPolicy.PAUSE_MODEL or (may_retry and bool(self.retry_after))


class RateLimitError(LanguageModelError):
    """The service allows no more requests or tokens for the moment (429)."""

    policy = ErrorPolicy.PAUSE_MODEL
    is_saturation = True


class OverloadError(LanguageModelError):
    """The service is overloaded or broken for the moment (500, 502, 503, 529)."""

    policy = ErrorPolicy.RETRY
    is_saturation = True


class ModelTimeoutError(LanguageModelError):
    """No answer came in time."""

    policy = ErrorPolicy.RETRY


class ModelConnectionError(LanguageModelError):
    """The service could not be reached, or the connection was cut."""

    policy = ErrorPolicy.RETRY


class AuthenticationError(LanguageModelError):
    """The key is missing, wrong or not allowed to do this (401, 403)."""

    policy = ErrorPolicy.END_RUN


class QuotaError(LanguageModelError):
    """The account has nothing left to spend."""

    policy = ErrorPolicy.END_RUN


class BudgetExceededError(LanguageModelError):
    """The run has spent what it was allowed to spend."""

    policy = ErrorPolicy.END_RUN


class UnknownModelError(LanguageModelError):
    """The service has no such model (404)."""

    policy = ErrorPolicy.END_RUN


class ContentFilterError(LanguageModelError):
    """The service refuses to answer this conversation."""


class BadRequestError(LanguageModelError):
    """The service cannot answer such a request, which may be too long (400, 413, 422)."""


class MalformedAnswerError(LanguageModelError):
    """The body of the answer is not what the interface promises."""

    policy = ErrorPolicy.RETRY


class UnknownApiError(LanguageModelError):
    """Something that none of the other classes describes."""

    policy = ErrorPolicy.RETRY
