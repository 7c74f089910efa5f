import pytest

from nip.errors import NipError
from nip.language_models import errors
from nip.language_models.errors import (
    AuthenticationError,
    BudgetExceededError,
    ContentFilterError,
    ErrorPolicy,
    LanguageModelError,
    QuotaError,
    RateLimitError,
    UnknownModelError,
    scrub,
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
    assert ending == {AuthenticationError, QuotaError, BudgetExceededError, UnknownModelError}


def test_an_error_keeps_how_long_the_service_wants_to_be_left_alone() -> None:
    assert RateLimitError("too many", retry_after=2.5).retry_after == 2.5
    assert ContentFilterError("no").retry_after is None


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcDEF123456_-xyz.",
        "Authorization: Bearer abcdef.ghi-jkl",
        "{'authorization': 'bearer a1b2c3d4e5'}",
        "sk-1234567890",
    ],
)
def test_what_looks_like_a_key_is_removed(text: str) -> None:
    scrubbed = scrub(text)
    for secret in ("abcDEF", "ghi-jkl", "a1b2c3", "34567890"):
        assert secret not in scrubbed
    assert "[key removed]" in scrubbed


def test_the_values_of_key_variables_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "plain-words-as-a-key")
    monkeypatch.setenv("ENTRANCE", "another-odd-secret")
    monkeypatch.setenv("SHORT_KEY", "none")
    text = "plain-words-as-a-key, another-odd-secret, none"
    assert scrub(text) == "[key removed], another-odd-secret, none"
    assert scrub(text, "ENTRANCE", None) == "[key removed], [key removed], none"


def test_no_error_holds_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret-words")
    assert "very-secret" not in str(AuthenticationError("wrong key: very-secret-words"))


def test_ordinary_words_are_left_alone() -> None:
    text = "The task-oriented risk of gpt-4o-mini: ask-me-anything, pk, Bearer"
    assert scrub(text) == text


def test_a_key_is_removed_without_the_line_end_of_its_file(monkeypatch) -> None:
    monkeypatch.setenv("ENTRANCE", "an-odd-secret\n")
    assert scrub("an-odd-secret was refused", "ENTRANCE") == "[key removed] was refused"


def test_messages_can_be_written_to_files() -> None:
    assert str(LanguageModelError("half \ud800")) == "half �"
