import pytest

from nip.errors import NipError
from nip.language_models import errors
from nip.language_models.chat import Completion, TokenUsage
from nip.language_models.errors import (
    AdapterError,
    AuthenticationError,
    BudgetExceededError,
    ContentFilterError,
    ErrorPolicy,
    LanguageModelError,
    QuotaError,
    RateLimitError,
    ServiceUnavailableError,
    SharedBudgetExceededError,
    UnknownModelError,
)

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, LanguageModelError)
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_ours_and_a_builtin_one_and_named_so(kind: type[LanguageModelError]) -> None:
    assert issubclass(kind, NipError) and issubclass(kind, RuntimeError)
    assert kind.__name__.endswith("Error")


def test_only_errors_that_no_call_can_escape_end_the_run() -> None:
    ending = {kind for kind in ALL if kind.policy is ErrorPolicy.END_RUN}
    assert ending == {
        AdapterError,
        AuthenticationError,
        QuotaError,
        BudgetExceededError,
        ServiceUnavailableError,
        SharedBudgetExceededError,
        UnknownModelError,
    }


def test_an_error_keeps_the_requested_delay() -> None:
    assert RateLimitError("too many", retry_after=2.5).retry_after == 2.5
    assert ContentFilterError("no").retry_after is None


def test_no_error_holds_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret-words")
    assert "very-secret" not in str(AuthenticationError("wrong key: very-secret-words"))


def test_messages_can_be_written_to_files() -> None:
    assert str(LanguageModelError("half \ud800")) == "half �"


FIRST = Completion("yes", "stop", TokenUsage(5, 3), "a-model", reported_cost=0.5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("no", None, None), ("yes", TokenUsage(5, 3), 0.5)),
        (("yes", TokenUsage(10, 20), 0.25), ("yes", TokenUsage(15, 23), 0.75)),
        # Without a reported cost the tokens have the usual price.
        (("yes", TokenUsage(10, 20), None), ("yes", TokenUsage(15, 23), None)),
        # What the failed request cost is not known, what the first one cost is.
        (("yes", None, None), ("unknown", TokenUsage(5, 3), 0.5)),
        (("unknown", None, None), ("unknown", TokenUsage(5, 3), 0.5)),
    ],
)
def test_the_charge_of_an_earlier_request_is_added_to_an_error(before, after) -> None:
    error = LanguageModelError("no")
    error.is_charged, error.usage, error.reported_cost = before
    error.add_charge_of(FIRST)
    assert (error.is_charged, error.usage, error.reported_cost) == after


def test_tokens_of_an_earlier_request_that_were_not_reported_are_to_be_estimated() -> None:
    error = LanguageModelError("no")
    error.add_charge_of(Completion("yes", "stop", TokenUsage(), "a-model", is_usage_known=False))
    assert (error.is_charged, error.usage) == ("yes", None)
