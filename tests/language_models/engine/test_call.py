"""The digest of a call identifies its content, and nothing else."""

import dataclasses

import pytest

from nip.language_models.chat import ModelSpec, Sampling
from nip.language_models.engine.call import request_digest
from tests.language_models.models import SPEC, call


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "verifier"},
        {"key": "train/0/1"},
        {"model": dataclasses.replace(SPEC, base_url="http://elsewhere/v1")},
        {"model": dataclasses.replace(SPEC, api_key_variable="OTHER_KEY")},
    ],
)
def test_agent_key_and_address_do_not_change_the_digest(change) -> None:
    assert request_digest(call(**change)) == request_digest(call())


@pytest.mark.parametrize(
    "change",
    [
        {"text": "another question"},
        {"sampling": Sampling(temperature=0.0)},
        {"sampling": Sampling(seed=1)},
        {"sampling": Sampling(reasoning_effort="low")},
        {"sampling": Sampling(extra_body={"top_k": 20})},
        {"sampling": Sampling(sends_seed=False)},
        {"sampling": Sampling(token_limit_name="max_tokens")},
        {"sample_index": 1},
        {"model": ModelSpec("scripted", "another-model")},
        {"model": ModelSpec("openai", "a-model")},
    ],
)
def test_content_changes_the_digest(change) -> None:
    assert request_digest(call(**change)) != request_digest(call())


def test_digests_of_stored_journals_stay_valid() -> None:
    assert request_digest(call()) == DIGEST


# Of model "a-model" of the provider "scripted" and the message "a question"; the journals and
# caches of earlier versions contain it.
DIGEST = "c1a19b2f4f2f91d239dff81e4f584d23614413b41c1d6b4e2ce1e51fd8cd9711"
