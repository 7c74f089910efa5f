"""Names of fine-tuned models are functions of their training."""

import pytest

from nip.language_models.server.model_names import (
    base_of,
    fine_tuned_name,
    identity_of,
    is_fine_tuned,
)

JOB = {"model": "gpt-4o", "method": {"type": "supervised"}, "seed": 1, "suffix": "v", "metadata": 1}


def name(**change) -> str:
    sha256 = change.pop("sha256", "abc")
    return fine_tuned_name({**JOB, **change}, sha256, "nip")


def test_a_name_holds_base_owner_suffix_and_digest() -> None:
    *parts, digest = name().split(":")
    assert parts == ["ft", "gpt-4o", "nip", "v"] and len(digest) == 8
    assert is_fine_tuned(name()) and not is_fine_tuned("gpt-4o")
    assert base_of(name()) == base_of("gpt-4o") == "gpt-4o"


def test_a_model_trained_further_keeps_its_base_and_gets_a_new_digest() -> None:
    again = name(model=name())
    assert base_of(again) == "gpt-4o" and again != name()


def test_metadata_does_not_change_the_name() -> None:
    assert name(metadata={"key": "other"}) == name()


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"method": {"type": "dpo"}}, {"sha256": "abd"}, {"suffix": "w"}]
)
def test_other_training_changes_the_name(change) -> None:
    assert name(**change) != name()


def test_what_clients_and_owners_write_into_a_name_is_not_what_the_model_is() -> None:
    other = fine_tuned_name({**JOB, "suffix": "run-2"}, "abc", "another")
    assert other != name()
    assert identity_of(other) == identity_of(name()) == f"ft:gpt-4o:{name()[-8:]}"
    assert identity_of("gpt-4o") == "gpt-4o"
    # So a model that is trained further is the same, too.
    assert name(model=other)[-8:] == name(model=name())[-8:]
