"""Text datasets have stable stances, fingerprints and unique ids."""

from dataclasses import replace

import pytest

from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset, prover_stance_of

FIRST = TextDatapoint("a", "question", "solution", 1, 0, {"tests": 3})
SECOND = TextDatapoint("b", "question", "other", 0, 1)


def test_the_stance_is_the_same_in_every_process() -> None:
    stances = [prover_stance_of(f"print({number})") for number in range(1000)]
    assert stances[:12] == [prover_stance_of(f"print({number})") for number in range(12)]
    assert "".join(map(str, stances[:12])) == "111101110001"
    assert 450 < sum(stances) < 550


def test_a_dataset_is_a_sequence() -> None:
    dataset = TextDataset([FIRST, SECOND])
    assert len(dataset) == 2
    assert dataset[1] is SECOND
    assert list(dataset[:1]) == [FIRST]


@pytest.mark.parametrize(
    "change", [{"question": "x"}, {"solution": "x"}, {"y": 0}, {"prover_stance": 1}, {"id": "x"}]
)
def test_the_fingerprint_depends_on_everything_that_counts(change) -> None:
    fingerprint = TextDataset([FIRST, SECOND]).fingerprint()
    assert TextDataset([replace(FIRST, **change), SECOND]).fingerprint() != fingerprint
    assert TextDataset([replace(FIRST, extra={}), SECOND]).fingerprint() == fingerprint
    assert TextDataset([SECOND, FIRST]).fingerprint() != fingerprint


def test_two_datapoints_must_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="must differ, got 'a' twice"):
        TextDataset([FIRST, replace(SECOND, id="a")])
