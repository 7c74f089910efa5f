import pytest

from nip.errors import NipError
from nip.language_models import errors
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
