"""The label for which a lone prover speaks, by protocol."""

import pytest

from nip.protocols import build_protocol_handler
from nip.trainers.core.speaker_labels import speaker_labels
from tests.experiments import make_params


@pytest.mark.parametrize(
    ("protocol", "expected"), [("merlin_arthur", [0, 1]), ("nip", None), ("debate", None)]
)
def test_only_a_protocol_that_draws_its_speaker_has_labels(protocol, expected):
    handler = build_protocol_handler(make_params(protocol=protocol))
    labels = speaker_labels(handler)
    assert (labels if labels is None else sorted(labels)) == expected
