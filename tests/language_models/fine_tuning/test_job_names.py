"""Deterministic names of files and jobs."""

from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.fine_tuning.job_names import (
    dataset_path,
    job_key,
    job_metadata,
    job_suffix,
    remote_file_name,
    tag_of,
)


@given(group=st.text(), iteration=st.integers(1, 10**6), run=st.text(max_size=1000))
def test_names_keep_the_limits_of_openai(group, iteration, run):
    key = job_key(group=group, iteration=iteration, run=run)
    suffix = job_suffix(group, iteration, key)
    assert len(suffix) <= 64
    assert suffix.endswith(tag_of(key))
    assert all(character.isascii() and character not in " /:_" for character in suffix)
    metadata = job_metadata(key, group=group, run=run, iteration=iteration)
    assert metadata["nip_key"] == key
    assert len(metadata) <= 16
    assert all(len(name) <= 64 and len(value) <= 512 for name, value in metadata.items())


@given(groups=st.sets(st.text(), min_size=2, max_size=2))
def test_different_groups_have_different_files(groups):
    one, other = groups
    assert dataset_path(one, 0) != dataset_path(other, 0)
    assert remote_file_name(one, 0, "ab" * 32) != remote_file_name(other, 0, "ab" * 32)
    for group in groups:
        assert dataset_path(group, 0).count("/") == 1


def test_a_plain_group_has_a_plain_file():
    assert dataset_path("verifier", 4) == "fine_tuning/iteration_0004_verifier.jsonl"
    assert remote_file_name("verifier", 4, "ab" * 32) == f"nip_4_verifier_{'ab' * 16}.jsonl"


def test_keys_are_the_same_in_every_process_and_in_any_order():
    # sha256 of {"a": 1, "b": "x"}, by sha256sum.
    assert job_key(b="x", a=1) == job_key(a=1, b="x")
    assert job_key(a=1, b="x") == "nip-" + _SHA[:40]


_SHA = "ce5c626fb40307427cf323b5c307a3ea230856fa4bad676eaaa2577b5a857a85"
