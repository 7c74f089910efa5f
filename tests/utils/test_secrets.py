import pytest

from nip.utils.secrets import scrub, scrub_code


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


def test_ordinary_words_are_left_alone() -> None:
    text = "The task-oriented risk of gpt-4o-mini: ask-me-anything, pk, Bearer"
    assert scrub(text) == text


def test_a_key_is_removed_without_the_line_end_of_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENTRANCE", "an-odd-secret\n")
    assert scrub("an-odd-secret was refused", "ENTRANCE") == "[key removed] was refused"


def test_code_keeps_its_names_and_loses_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "plain-words-as-a-key")
    code = "pk_columns = sk_test_of_something(hf_dataset_of_many_long_words_in_a_row, 'Bearer a')"
    assert scrub_code(code) == code
    pasted = "client = Client('sk-proj-abcdefghij0123456789ABCDEFGH', 'plain-words-as-a-key')"
    assert scrub_code(pasted) == "client = Client('[key removed]', '[key removed]')"
