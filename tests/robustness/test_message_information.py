"""Information in messages, against closed forms."""

import pytest
import torch

from nip.robustness.message_information import (
    first_message_probabilities,
    information,
    label_accuracy,
)
from nip.scenario_base.collector import RolloutCollector
from tests.experiments import make_instance, make_params

EYE = torch.eye(4, dtype=torch.double)


def test_equal_messages_carry_nothing_however_few_they_are() -> None:
    row = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.double)
    assert information(row.expand(5, -1)) == pytest.approx(0.0, abs=1e-12)
    assert information(row) == 0.0


def test_a_symbol_of_its_own_for_each_of_four_questions_carries_two_bits() -> None:
    assert information(EYE.repeat(250, 1)) == pytest.approx(2.0 * 1000 / 999)


def test_a_sample_is_not_biased() -> None:
    # A symbol with P(1) = 0.5 + x, x uniform in [-0.1, 0.1]: to second order, the information is
    # E[x^2] / (2 ln 2 * 0.5 * 0.5) = 0.01 / 3 * 2 / ln 2 bits.
    expected = 0.01 / 3 * 2 / torch.log(torch.tensor(2.0)).item()
    generator = torch.Generator().manual_seed(0)
    shift = torch.rand(2000, 5, generator=generator, dtype=torch.double) * 0.2 - 0.1
    estimates = [information(torch.stack((0.5 + x, 0.5 - x), dim=-1)) for x in shift]
    # The standard error of the mean is 0.0001.
    assert sum(estimates) / len(estimates) == pytest.approx(expected, abs=0.0004)


def test_a_symbol_for_each_label_tells_it() -> None:
    y = torch.tensor([0, 1] * 10)
    assert label_accuracy(EYE[y], y) == 1.0
    assert label_accuracy(EYE[1 - y], y) == 1.0


def test_equal_messages_and_symbols_that_occur_once_tell_no_label() -> None:
    y = torch.tensor([0, 1] * 2)
    assert label_accuracy(EYE[torch.zeros(4, dtype=torch.long)], y) == 0.5
    # Without the row itself, nothing is known of its symbol.
    assert label_accuracy(EYE, y) == 0.5
    assert label_accuracy(EYE, torch.zeros(4, dtype=torch.long)) is None


def test_a_proof_tells_a_label_only_in_part() -> None:
    # Label 1 names the mark, one of four positions; label 0 always names the first: 7 of 8.
    y = torch.tensor([0] * 400 + [1] * 400)
    symbols = torch.cat((torch.zeros(400, dtype=torch.long), torch.arange(4).repeat(100)))
    assert label_accuracy(EYE[symbols], y) == pytest.approx(7 / 8)


def test_probabilities_are_those_of_the_first_message_of_an_agent() -> None:
    instance = make_instance(make_params(protocol="nip", message_size=2))
    shape = instance.batch_shape
    collector = RolloutCollector(
        instance.train_environment, instance.agents, num_steps=shape.num_steps, seed=0
    )
    frames = collector.collect()
    places = list(first_message_probabilities(frames, instance.protocol_handler, "prover"))
    assert len(places) == 2
    # The verifier opens.
    index = instance.protocol_handler.agent_names.index("prover")
    first = frames["agents", "active"][..., index, 0] & (frames["round"] == 1)
    logits = frames["agents", "main_message_logits"][first][:, index, 0]
    for position, (probabilities, y) in enumerate(places):
        torch.testing.assert_close(probabilities, logits[:, position].double().softmax(-1))
        assert torch.equal(y, frames["y"][first].squeeze(-1))
