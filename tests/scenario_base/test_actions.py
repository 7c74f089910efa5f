"""Sampling of actions, and the log-probability and entropy of those that take effect."""

from math import log, sqrt

import pytest
import torch

from nip.scenario_base.actions import (
    ActionMask,
    Choice,
    categorical_entropy,
    choose,
    entropy,
    log_prob,
)
from nip.scenario_base.agent import AgentOutput
from nip.scenario_base.agents import ILLEGAL_LOGIT


def logits_of(*probabilities):
    return torch.tensor(probabilities).log()


def output_of_two_channels(batch=1, *, linear=False):
    """One position; probabilities 1/4 and 3/4 on channel 0, 1/10 and 9/10 on channel 1."""
    message = torch.stack((logits_of(0.25, 0.75), logits_of(0.1, 0.9))).view(1, 2, 1, 2)
    extra = torch.stack((logits_of(0.2, 0.3, 0.5), logits_of(0.6, 0.3, 0.1))).view(1, 2, 1, 3)
    return AgentOutput(
        message_logits=message.expand(batch, -1, -1, -1),
        decision_logits=logits_of(0.5, 0.3, 0.2).expand(batch, -1),
        linear_message_logits=extra.expand(batch, -1, -1, -1) if linear else None,
        value=torch.zeros(batch),
    )


TURNS = ActionMask(
    active=torch.tensor([[True, False], [True, True], [False, True], [False, False]]),
    decides=torch.tensor([True, False, True, False]),
)


def test_only_active_channels_and_decisions_count_in_the_log_probability():
    choice = Choice(
        message=torch.tensor([1, 0]).view(1, 2, 1).expand(4, -1, -1),
        decision=torch.full((4,), 2),
        linear_message=None,
    )
    expected = [log(0.75 * 0.2), log(0.75 * 0.1), log(0.1 * 0.2), 0.0]
    found = log_prob(output_of_two_channels(4), choice, TURNS)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_only_active_channels_and_decisions_count_in_the_entropy():
    main = -(0.25 * log(0.25) + 0.75 * log(0.75))
    side = -(0.1 * log(0.1) + 0.9 * log(0.9))
    decision = -(0.5 * log(0.5) + 0.3 * log(0.3) + 0.2 * log(0.2))
    expected = [main + decision, main + side, side + decision, 0.0]
    found = entropy(output_of_two_channels(4), TURNS)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_the_linear_message_counts_like_the_other():
    choice = Choice(
        message=torch.ones(4, 2, 1, dtype=torch.long),
        decision=torch.zeros(4, dtype=torch.long),
        linear_message=torch.tensor([2, 0]).view(1, 2, 1).expand(4, -1, -1),
    )
    output = output_of_two_channels(4, linear=True)
    factors = [0.75 * 0.5 * 0.5, 0.75 * 0.5 * 0.9 * 0.6, 0.9 * 0.6 * 0.5, 1.0]
    torch.testing.assert_close(log_prob(output, choice, TURNS), torch.tensor(factors).log())
    plain = entropy(output_of_two_channels(4), TURNS)
    first, second = (
        -sum(p * log(p) for p in probabilities)
        for probabilities in ((0.2, 0.3, 0.5), (0.6, 0.3, 0.1))
    )
    extra = torch.tensor([first, first + second, second, 0.0])
    torch.testing.assert_close(entropy(output, TURNS), plain + extra)


def test_all_positions_of_a_message_count():
    logits = logits_of(0.25, 0.75).expand(1, 1, 3, 2)
    output = AgentOutput(logits, None, None, torch.zeros(len(logits)))
    choice = Choice(torch.tensor([[[0, 1, 1]]]), None, None)
    turn = ActionMask(torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, dtype=torch.bool))
    torch.testing.assert_close(
        log_prob(output, choice, turn), logits_of(0.25 * 0.75 * 0.75).view(1)
    )


def test_symbols_are_sampled_with_their_probabilities():
    count = 20_000
    probabilities = torch.tensor([0.05, 0.15, 0.3, 0.5, 0.0])
    logits = probabilities.log().clamp_min(ILLEGAL_LOGIT).expand(count, 1, 1, 5)
    output = AgentOutput(
        logits, logits_of(0.2, 0.7, 0.1).expand(count, 3), None, torch.zeros(count)
    )
    choice = choose(output, torch.Generator().manual_seed(0), greedy=False)
    for drawn, expected in (
        (choice.message, [0.05, 0.15, 0.3, 0.5, 0.0]),
        (choice.decision, [0.2, 0.7, 0.1]),
    ):
        shares = torch.bincount(drawn.flatten(), minlength=len(expected)) / count
        for share, p in zip(shares.tolist(), expected, strict=True):
            assert abs(share - p) <= 4 * sqrt(p * (1 - p) / count)


def test_message_and_decision_are_drawn_independently():
    count = 20_000
    output = AgentOutput(
        torch.zeros(count, 1, 1, 2),
        torch.zeros(count, 2),
        torch.zeros(count, 1, 1, 2),
        torch.zeros(count),
    )
    choice = choose(output, torch.Generator().manual_seed(0), greedy=False)
    drawn = (choice.message.flatten(), choice.decision, choice.linear_message.flatten())
    pattern = drawn[0] * 4 + drawn[1] * 2 + drawn[2]
    counts = torch.bincount(pattern, minlength=8).double()
    # The 99.9 % quantile of the chi-square distribution with 7 degrees of freedom is 24.3.
    assert float(((counts - count / 8) ** 2 / (count / 8)).sum()) < 24.3


def test_the_same_seed_chooses_the_same():
    output = output_of_two_channels(50, linear=True)
    first, second = (
        choose(output, torch.Generator().manual_seed(7), greedy=False) for _ in range(2)
    )
    assert torch.equal(first.message, second.message)
    assert torch.equal(first.decision, second.decision)
    assert torch.equal(first.linear_message, second.linear_message)


def test_greedy_choices_are_the_most_probable_and_draw_nothing():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    choice = choose(output_of_two_channels(3, linear=True), generator, greedy=True)
    assert choice.message.flatten().tolist() == [1, 1] * 3
    assert choice.decision.tolist() == [0] * 3
    assert choice.linear_message.flatten().tolist() == [2, 0] * 3
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("num_symbols", [1, 2, 9])
def test_the_entropy_of_a_uniform_choice_is_the_logarithm_of_the_number_of_symbols(num_symbols):
    found = categorical_entropy(torch.zeros(1, num_symbols, dtype=torch.float64))
    assert float(found) == pytest.approx(log(num_symbols))


def test_illegal_symbols_have_no_entropy():
    logits = torch.tensor([[0.0, 0.0, ILLEGAL_LOGIT]])
    assert float(categorical_entropy(logits)) == pytest.approx(log(2))
