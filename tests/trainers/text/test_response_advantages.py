"""Advantages of hand-made response trees."""

from dataclasses import replace
from math import sqrt

import pytest

from nip.trainers.text.preference_pairs import pair_rules
from nip.trainers.text.response_advantages import (
    Response,
    advantages_over,
    deviation,
    groups_of,
    relative_advantages,
    updated_baseline,
    weight_labels,
)
from nip.trainers.text.tree_statistics import (
    INFORMATIVE,
    REWARD,
    tree_statistic_names,
    tree_statistics,
)
from tests.trainers.text.test_preference_pairs import (
    ACCEPT,
    INVALID,
    REJECT,
    RULES,
    VERDICTS,
    by_verdicts,
    grow,
    path_of,
    rule_of,
    rules_of,
)

SMALL = 1e-4
"""What is added to deviations."""


@pytest.fixture(scope="module")
def root():
    """Return the tree of the worked table.

    Path of a response, its reward for its agent, and what it is relative to, as groups:

    prover:   (0,) 2/3, (1,) 1/3, (2,) 1    mean 2/3, deviation 1/3
    verifier: (0,0) 1, (0,1) 1, (0,2) -1    mean 1/3, deviation 2/sqrt(3)
              (1,0) -1, (1,1) 1, (1,2) -1   mean -1/3, deviation 2/sqrt(3)
              (2,0) 1                       alone, because its siblings failed or are invalid
    """
    return grow()


def groups(root, agent, rules=RULES, iteration=0):
    return list(groups_of(root, rule_of(agent, rules), iteration))


def path_to(response: Response) -> tuple[int, ...]:
    """Return the path of the node that a response leads to."""

    def leads_to(child) -> bool:
        return any(each is response.message for each in child.rollout.messages)

    return next(child.path for child in response.node.children if leads_to(child))


def by_path(responses) -> dict[tuple[int, ...], float]:
    return {path_to(each): each.advantage for each in responses}


WIDE = 2 / sqrt(3)
DISTANCES = {
    "prover": {(0,): 0.0, (1,): -1 / 3, (2,): 1 / 3},
    "verifier": {
        (0, 0): 2 / 3,
        (0, 1): 2 / 3,
        (0, 2): -4 / 3,
        (1, 0): -2 / 3,
        (1, 1): 4 / 3,
        (1, 2): -2 / 3,
    },
}
"""Rewards relative to the mean of their group."""

DIVISORS = {
    ("prover", "group"): 1 / 3 + SMALL,
    ("verifier", "group"): WIDE + SMALL,
    ("prover", "batch"): 1 / 3 + SMALL,
    # Three rewards of 1 and three of -1: the deviation is sqrt(6 / 5).
    ("verifier", "batch"): sqrt(6 / 5) + SMALL,
    ("prover", "none"): 1.0,
    ("verifier", "none"): 1.0,
}


@pytest.mark.parametrize(("agent", "scale"), DIVISORS)
def test_advantages_are_those_of_the_worked_table(root, agent, scale) -> None:
    found = by_path(relative_advantages(groups(root, agent), scale))
    divisor = DIVISORS[agent, scale]
    # A single response, as that to argument 2, has nothing to be compared with.
    assert found == pytest.approx({p: each / divisor for p, each in DISTANCES[agent].items()})


def test_failed_and_invalid_responses_are_in_no_group(root) -> None:
    assert VERDICTS[2][2] == INVALID
    sizes = [len(group) for group in groups(root, "verifier")]
    assert sizes == [3, 3, 1]
    texts = {each.message.text for group in groups(root, "verifier") for each in group}
    assert texts == {ACCEPT, REJECT}


def answers_of_all_tries(message):
    """Return an invalid answer for each problem of a message, as the journal would have them."""
    return [replace(message, text=f"{number}: {p}") for number, p in enumerate(message.problems)]


def test_invalid_answers_are_further_responses_if_they_have_a_reward() -> None:
    def script(call):
        path, attempt = path_of(call), int(call.key.split("/")[-1])
        is_first = call.agent == "verifier" and path == (1, 0) and attempt == 0
        return INVALID if is_first else by_verdicts(call)

    tree = grow(script)
    verifier, prover = (
        replace(rule_of(agent), invalid_answers=answers_of_all_tries)
        for agent in ("verifier", "prover")
    )
    own = list(groups_of(tree, verifier, invalid_reward=-2.0))
    # Verdict (1, 0) has a valid second try; (2, 2) has none, however often it is asked for.
    num_tries = len(tree.children[2].children[2].rollout.messages[-1].problems)
    assert num_tries >= 1
    rewards = [[each.reward for each in group] for group in own]
    assert rewards == [[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, -2.0], [1.0, *[-2.0] * num_tries]]
    assert [each.node.path for each in own[1]] == [(1,)] * 4
    # The means are -3/4 and (1 - 2n) / (1 + n): what was a single verdict tells something now.
    found = relative_advantages(own, "none")
    assert [each.advantage for each in found[3:7]] == [-0.25, 1.75, -0.25, -1.25]
    assert found[7].advantage == pytest.approx(1 - (1 - 2 * num_tries) / (1 + num_tries))
    # The rewards of others, and the expected rewards of the verifier, are what they were.
    assert tree.expected_rewards() == grow().expected_rewards()
    assert groups(tree, "prover") == list(groups_of(tree, prover, invalid_reward=-2.0))


def test_a_failure_changes_no_advantage_of_the_others() -> None:
    def fails_instead(call):
        last = call.agent == "verifier" and path_of(call) == (0, 2)
        return INVALID if last else by_verdicts(call)

    before = by_path(relative_advantages(groups(grow(), "verifier"), "group"))
    after = by_path(relative_advantages(groups(grow(fails_instead), "verifier"), "group"))
    # Both remaining verdicts on argument 0 are right, so that they have no advantage any more.
    assert after == {p: each for p, each in before.items() if p[0] != 0}


def test_points_without_a_difference_are_left_out() -> None:
    def always_right(call):
        return "Argument." if call.agent == "prover" else ACCEPT

    tree = grow(always_right)
    assert relative_advantages(groups(tree, "prover"), "none") == []
    assert relative_advantages(groups(tree, "verifier"), "none") == []


def test_both_turns_of_an_agent_have_groups_of_their_own() -> None:
    rules = rules_of("nip", nip_protocol={"max_message_rounds": 4})

    def script(call):
        if call.agent == "prover":
            return "Argument."
        if len(path_of(call)) == 3:
            return ACCEPT if path_of(call)[0] == 0 else REJECT
        return f"Question {path_of(call)}?"

    tree = grow(script, rules, num_responses=2)
    found = by_path(relative_advantages(groups(tree, "verifier", rules), "none"))
    # Only the first question decides.
    assert found == {(0,): 1.0, (1,): -1.0}


def test_advantages_over_the_running_mean_of_the_agent(root) -> None:
    own = groups(root, "verifier")
    found = by_path(advantages_over(0.25, own, "none"))
    right = {(0, 0), (0, 1), (1, 1), (2, 0)}
    wrong = {(0, 2), (1, 0), (1, 2)}
    assert found == {**dict.fromkeys(right, 0.75), **dict.fromkeys(wrong, -1.25)}
    # Four of 1 and three of -1: mean 1/7, sum of squares 7 - 1/7 = 48/7.
    scaled = by_path(advantages_over(0.25, own, "batch"))
    assert scaled[0, 0] == pytest.approx(0.75 / (sqrt(48 / 7 / 6) + SMALL))
    # A response that is exactly as good as expected has nothing to tell.
    assert (2,) not in by_path(advantages_over(1.0, groups(root, "prover"), "none"))


def test_the_running_mean_begins_with_the_first_mean_and_decays(root) -> None:
    own = groups(root, "verifier")
    first = updated_baseline(None, own, 0.9)
    assert first == pytest.approx(1 / 7)
    assert updated_baseline(0.5, own, 0.9) == pytest.approx(0.9 * 0.5 + 0.1 / 7)
    assert updated_baseline(None, [], 0.9) is None
    assert updated_baseline(0.5, [], 0.9) == 0.5


def with_label(tree, label: int, copy: int):
    """Return a tree as it would be about a question with another label."""

    def changed(node):
        return replace(
            node,
            rollout=replace(node.rollout, y=label, copy=copy),
            children=tuple(map(changed, node.children)),
        )

    return changed(tree)


def test_labels_count_as_wanted_however_many_questions_they_have(root) -> None:
    # Three questions to accept, one to reject.
    trees = [with_label(root, label, copy) for copy, label in enumerate((1, 1, 0, 1))]
    own = [group for tree in trees for group in groups(tree, "verifier")]
    plain = relative_advantages(own, "none")

    def total(responses, label: int) -> float:
        return sum(abs(each.advantage) for each in responses if each.root.rollout.y == label)

    equal = weight_labels(plain, own, 1.0)
    assert total(equal, 0) == pytest.approx(total(equal, 1))
    # The mean weight of a question stays 1.
    assert total(equal, 0) + total(equal, 1) == pytest.approx(sum(abs(e.advantage) for e in plain))
    careful = weight_labels(plain, own, 1.5)
    assert total(careful, 0) == pytest.approx(1.5 * total(careful, 1))
    # Only one verdict could be learnt.
    one = groups(root, "verifier")
    assert weight_labels(relative_advantages(one, "none"), one, 1.0) == []


def test_points_that_tell_nothing_count_as_questions(root) -> None:
    def always_right(call):
        return "Argument." if call.agent == "prover" else ACCEPT

    solved = groups(with_label(grow(always_right), 1, 5), "verifier")
    own = [*groups(with_label(root, 0, 6), "verifier"), *solved]
    plain = relative_advantages(own, "none")
    # There is one question of each label, so that nothing changes although one is solved.
    assert weight_labels(plain, own, 1.0) == plain


def test_the_deviation_is_that_of_a_sample() -> None:
    assert deviation([1.0, 3.0]) == pytest.approx(sqrt(2))
    assert deviation([1.0]) == deviation([]) == 0.0


def test_statistics_tell_where_responses_differ(root) -> None:
    metrics, episode = (REWARD, INFORMATIVE), RULES.episode
    found = tree_statistics([root], pair_rules(RULES.protocol), episode, metrics)
    assert found == {
        "prover.mean_expected_reward_round_1": pytest.approx(2 / 3),
        "verifier.mean_expected_reward_round_2": pytest.approx(1 / 7),
        "prover.informative_share_round_1": 1.0,
        "verifier.informative_share_round_2": pytest.approx(2 / 3),
    }
    assert set(found) == tree_statistic_names(episode, metrics)


def test_invalid_answers_with_a_reward_make_a_point_informative(root) -> None:
    rules = [
        replace(rule, invalid_answers=answers_of_all_tries) for rule in pair_rules(RULES.protocol)
    ]
    args = ([root], rules, RULES.episode, (REWARD, INFORMATIVE))
    found = tree_statistics(*args, invalid_reward=-2.0)
    # The right verdict (2, 0) differs from its invalid sibling.
    assert found["verifier.informative_share_round_2"] == 1.0
    assert found["verifier.mean_expected_reward_round_2"] == pytest.approx(1 / 7)
    # An invalid answer with the reward of the valid one tells nothing.
    found = tree_statistics(*args, invalid_reward=1.0)
    assert found["verifier.informative_share_round_2"] == pytest.approx(2 / 3)
