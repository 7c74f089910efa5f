"""Generated passages: balanced labels, facts about different people, claims about one of them."""

import pytest

from nip.parameters.scenarios.quotes import NUM_PEOPLE
from nip.scenarios.quotes.passages import NAMES, make_passages


@pytest.mark.parametrize("num_facts", [1, 6, 20])
def test_a_claim_is_true_if_and_only_if_it_is_in_the_passage(num_facts: int) -> None:
    dataset = make_passages("train", 200, num_facts)
    for datapoint in dataset:
        facts = datapoint.question.split("\n")
        people = [fact.split()[0] for fact in facts]
        assert len(set(people)) == len(facts) == num_facts
        assert (datapoint.solution in facts) is (datapoint.y == 1)
        assert datapoint.extra["fact"].split()[0] == datapoint.solution.split()[0]
        assert datapoint.extra["fact"] in facts
    assert sum(each.y for each in dataset) == 100


def test_stance_and_label_are_independent_and_all_numbers_are_claimed() -> None:
    dataset = make_passages("train", 4000, 6)
    for y in (0, 1):
        stances = [each.prover_stance for each in dataset if each.y == y]
        # The standard deviation of the share is 0.011.
        assert abs(sum(stances) / len(stances) - 0.5) < 0.05
        claims = [each.solution for each in dataset if each.y == y]
        numbers = [claim.split()[-1] for claim in claims]
        assert all(150 <= numbers.count(f"{digit}.") <= 250 for digit in range(10))


def test_splits_differ_and_smaller_datasets_are_the_beginning_of_larger_ones() -> None:
    train, test = make_passages("train", 50, 6), make_passages("test", 50, 6)
    assert not {each.question for each in train} & {each.question for each in test}
    assert make_passages("train", 20, 6).fingerprint() == train[:20].fingerprint()


def test_the_limit_of_facts_is_the_number_of_people() -> None:
    assert len(set(NAMES)) == len(NAMES) == NUM_PEOPLE
