"""Tell a refusal of single calls from one that concerns the whole account."""

import math

from nip.language_models.engine.call import Call
from nip.language_models.errors import (
    AuthenticationError,
    LanguageModelError,
    TemporaryRefusalError,
    UnknownModelError,
)

_DOUBTFUL = (AuthenticationError, UnknownModelError)
_MAX_CALLS = 3


class Refusals:
    """Counts the calls of one model that were refused in a row.

    Services and proxies sometimes refuse single calls with 401, 403 or 404 although the key and the
    model are right. So once a model has answered, such errors of later calls end the run only if
    three different calls in a row get one.
    """

    def __init__(self) -> None:
        self._first_answer_at = math.inf
        self._refused: set[str] = set()

    def note_answer(self, now: float) -> None:
        """Note an answer of the model."""
        self._first_answer_at = min(self._first_answer_at, now)
        self._refused.clear()

    def judge(self, call: Call, error: LanguageModelError, started_at: float) -> LanguageModelError:
        """Return the error itself, or a temporary one if the refusal may concern only this call."""
        if started_at < self._first_answer_at or not isinstance(error, _DOUBTFUL):
            return error
        self._refused.add(call.key or str(id(call)))
        if len(self._refused) >= _MAX_CALLS:
            return error
        return TemporaryRefusalError(error)


def final_refusal(error: LanguageModelError) -> LanguageModelError:
    """Return the error of a call without retries left.

    A proxy may refuse the content of one call each time (403), which ends only this call. A key
    that is refused again and again (401) ends the run.
    """
    if isinstance(error, TemporaryRefusalError) and not error.refusal.may_concern_content:
        return error.refusal
    return error
