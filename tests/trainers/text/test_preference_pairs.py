"""Expected rewards, labels and pairs of hand-made response trees."""

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest

from nip.language_models.errors import ContentFilterError
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.response_tree import (
    ResponseNode,
    leaves_to_store,
    play_response_tree,
)
from nip.scenario_base.text.rollout import Rollout
from nip.trainers.text.preference_pairs import PairRule, VerdictCorrection, pair_rules
from nip.trainers.text.stored_rollouts import group_by_tree
from nip.trainers.text.tree_statistics import (
    PAIRS,
    REWARD,
    tree_statistic_names,
    tree_statistics,
)
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, agents_of, answering, rules_of

ACCEPT, REJECT = "Right.\nDecision: accept", "Wrong.\nDecision: reject"
FAILED, INVALID = ContentFilterError("refused"), ""

VERDICTS = {
    0: [ACCEPT, ACCEPT, REJECT],
    1: [REJECT, ACCEPT, REJECT],
    2: [ACCEPT, FAILED, INVALID],
}
"""Answers of the verifier to each of the three arguments of the prover. The solution is right: an
acceptance pays 1 to both, a rejection 0 to the prover and -1 to the verifier."""

EXPECTED = {
    (): (4 / 7, 1 / 7),
    (0,): (2 / 3, 1 / 3),
    (1,): (1 / 3, -1 / 3),
    (2,): (1.0, 1.0),
    (2, 1): None,
    (2, 2): None,
}
"""Expected rewards of prover and verifier by path. The mid-points are 0.5 and 0."""

RULES = rules_of("adp")


def path_of(call) -> tuple[int, ...]:
    return tuple(map(int, call.key.split("/")[3].split(".")))


def by_verdicts(call):
    path = path_of(call)
    return f"Argument {path[0]}." if call.agent == "prover" else VERDICTS[path[0]][path[1]]


def grow(script=by_verdicts, rules=RULES, num_responses=3, **plan) -> ResponseNode:
    complete, _ = answering(script)

    async def run() -> ResponseNode:
        return await play_response_tree(
            rules,
            agents_of(rules),
            DATAPOINT,
            replace(PLAN, **plan),
            complete,
            num_responses=num_responses,
        )

    return asyncio.run(run())


def rule_of(agent: str, rules=RULES) -> PairRule:
    return next(rule for rule in pair_rules(rules.protocol) if rule.agent == agent)


def pairs_of(root: ResponseNode, agent: str, rules=RULES):
    return [
        (pair.node.path, pair.preferred.path, pair.non_preferred.path)
        for pair in rule_of(agent, rules).draw(root)
    ]


@pytest.fixture(scope="module")
def root() -> ResponseNode:
    return grow()


def test_the_mid_points_are_those_of_the_protocol() -> None:
    assert (rule_of("prover").mid_point, rule_of("verifier").mid_point) == (0.5, 0.0)


def test_expected_rewards_are_means_over_finished_and_valid_leaves(root) -> None:
    found = {node.path: node.expected_rewards() for node in root.nodes()}
    for path, expected in EXPECTED.items():
        assert found[path] == (None if expected is None else pytest.approx(expected))


def test_responses_are_positive_from_the_mid_point_on(root) -> None:
    def labels(agent: str, node: ResponseNode) -> dict[int, bool]:
        rule = rule_of(agent)
        return {child.path[-1]: value >= rule.mid_point for child, value in rule.responses(node)}

    assert labels("prover", root) == {0: True, 1: False, 2: True}
    assert labels("verifier", root.children[0]) == {0: True, 1: True, 2: False}
    assert labels("verifier", root.children[1]) == {0: False, 1: True, 2: False}
    # The failed and the invalid dialogue have no label, in particular not that of a rejection.
    assert labels("verifier", root.children[2]) == {0: True}
    assert labels("verifier", root) == labels("prover", root.children[0]) == {}


def test_one_pair_is_drawn_wherever_there_are_both_kinds_also_at_the_root(root) -> None:
    ((node, preferred, other),) = pairs_of(root, "prover")
    assert (node, other) == ((), (1,))
    assert preferred in ((0,), (2,))
    first, second = pairs_of(root, "verifier")
    assert first[0] == (0,)
    assert first[1] in ((0, 0), (0, 1))
    assert first[2] == (0, 2)
    assert (second[0], second[1]) == ((1,), (1, 1))
    assert second[2] in ((1, 0), (1, 2))


def test_the_draw_is_uniform_and_depends_on_the_seed_of_the_dialogue_alone(root) -> None:
    assert pairs_of(root, "prover") == pairs_of(grow(), "prover")
    drawn = Counter()
    for seed in range(400):
        tree = replace(root, rollout=replace(root.rollout, seed=seed))
        drawn[pairs_of(tree, "prover")[0][1]] += 1
    # The standard deviation of a fair coin's count is 10.
    assert set(drawn) == {(0,), (2,)}
    assert abs(drawn[0,] - 200) < 40


def test_the_example_is_the_dialogue_as_the_agent_saw_it_and_both_answers(root) -> None:
    conversation = Conversation(RULES, DATAPOINT, PLAN.seed)
    (pair,) = rule_of("prover").draw(root)
    example = pair.preference(conversation)
    assert [message["role"] for message in example.conversation] == ["system", "user"]
    assert example.preferred == f"Argument {pair.preferred.path[0]}."
    assert example.non_preferred == "Argument 1."
    first, _ = rule_of("verifier").draw(root)
    example = first.preference(conversation)
    assert "Argument 0." in example.conversation[-1]["content"]
    assert (example.preferred, example.non_preferred) == (ACCEPT, REJECT)


def answers_of_all_tries(message):
    """Return an invalid answer for each problem of a message, as the journal would have them."""
    return [replace(message, text=f"{number}: {p}") for number, p in enumerate(message.problems)]


def test_positive_responses_are_preferred_to_invalid_answers_on_request() -> None:
    def script(call):
        path, attempt = path_of(call), int(call.key.split("/")[-1])
        is_first = call.agent == "verifier" and path in ((0, 2), (1, 0)) and attempt == 0
        return INVALID if is_first else by_verdicts(call)

    tree, conversation = grow(script), Conversation(RULES, DATAPOINT, PLAN.seed)
    rule = replace(rule_of("verifier"), invalid_answers=answers_of_all_tries)
    pairs = list(rule.draw(tree))
    plain = [pair for pair in pairs if isinstance(pair.non_preferred, ResponseNode)]
    assert plain == list(rule_of("verifier").draw(tree))
    # Two verdicts were invalid at first, and one was in all tries. None is preferred, also where
    # there is no negative response.
    with_invalid = [pair for pair in pairs if pair not in plain]
    assert [pair.node.path for pair in with_invalid] == [(0,), (1,), (2,)]
    preferred = [pair.preferred.path for pair in with_invalid]
    assert preferred[0] in ((0, 0), (0, 1))
    assert preferred[1:] == [(1, 1), (2, 0)]
    for pair in with_invalid:
        example = pair.preference(conversation)
        assert example.preferred == ACCEPT
        assert re.match(r"\d+: ", example.non_preferred)
    # Other agents are not concerned.
    prover = replace(rule_of("prover"), invalid_answers=answers_of_all_tries)
    assert list(prover.draw(tree)) == list(rule_of("prover").draw(tree))


def test_invalid_answers_alone_are_no_pair() -> None:
    def script(call):
        if call.agent == "prover":
            return f"Argument {path_of(call)}."
        return REJECT if path_of(call)[1] else INVALID

    rule = replace(rule_of("verifier"), invalid_answers=answers_of_all_tries)
    assert list(rule.draw(grow(script))) == []


def corrected(script, share: float = 1.0, **plan):
    """Return the pairs of a verifier of which a share of what it has all wrong is corrected."""
    rules = pair_rules(RULES.protocol, correction=VerdictCorrection(share, RULES.scale))
    rule = next(rule for rule in rules if rule.agent == "verifier")
    return list(rule.draw(grow(script, **plan)))


def mostly_wrong(call):
    path = path_of(call)
    if call.agent == "verifier" and path[0]:
        return [REJECT, "Hard to say.\nDecision: REJECT", INVALID][path[1]]
    return by_verdicts(call)


def test_the_label_is_preferred_to_a_verdict_where_all_are_wrong() -> None:
    (plain,), pairs = pairs_of(grow(mostly_wrong), "verifier"), corrected(mostly_wrong)
    assert (pairs[0].node.path, pairs[0].preferred.path, pairs[0].non_preferred.path) == plain
    assert [pair.node.path for pair in pairs] == [(0,), (1,), (2,)]
    conversation = Conversation(RULES, DATAPOINT, PLAN.seed)
    for pair in pairs[1:]:
        example = pair.preference(conversation)
        assert f"Argument {pair.node.path[0]}." in example.conversation[-1]["content"]
        body, word = example.non_preferred.split("\nDecision: ")
        assert word.lower() == "reject"
        assert example.preferred == f"{body}\n\nDecision: accept"
        assert pair.preferred_decision == 1
    # The prover is not concerned.
    rules = pair_rules(RULES.protocol, correction=VerdictCorrection(1.0, RULES.scale))
    assert [rule.agent for rule in rules if rule.correction is not None] == ["verifier"]


def test_a_share_of_the_wrong_verdicts_is_corrected() -> None:
    found = [len(corrected(mostly_wrong, 0.3, seed=seed)) - 1 for seed in range(100)]
    assert set(found) == {0, 1, 2}
    assert sum(found) == pytest.approx(60, abs=20)
    assert len(corrected(mostly_wrong, 0.0)) == 1


def test_what_is_no_verdict_is_not_corrected() -> None:
    rules = rules_of("nip", nip_protocol={"max_message_rounds": 4})

    def script(call):
        if call.agent == "prover":
            return "Argument."
        return REJECT if len(path_of(call)) == 3 else f"Question {path_of(call)}?"

    tree = grow(script, rules, num_responses=2)
    correction = VerdictCorrection(1.0, rules.scale)
    rule = replace(rule_of("verifier", rules), correction=correction)
    # All questions led to wrong verdicts too.
    assert {len(pair.node.path) for pair in rule.draw(tree)} == {2}


def test_equal_texts_are_no_pair() -> None:
    def script(call):
        return "The same." if call.agent == "prover" else by_verdicts(call)

    tree = grow(script)
    assert pairs_of(tree, "prover") == []
    assert len(pairs_of(tree, "verifier")) == 2


def test_a_verifier_that_opens_the_dialogue_is_paired_at_the_root() -> None:
    rules = rules_of("nip", nip_protocol={"max_message_rounds": 4})

    def script(call):
        if call.agent == "prover":
            return "Argument."
        if len(path_of(call)) == 3:
            return ACCEPT if path_of(call)[0] == 0 else REJECT
        return f"Question {path_of(call)}?"

    tree = grow(script, rules, num_responses=2)
    assert pairs_of(tree, "verifier", rules) == [((), (0,), (1,))]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_prover_that_speaks_in_merlin_arthur_is_paired(seed: int) -> None:
    rules = rules_of("merlin_arthur")

    def script(call):
        if call.agent == "verifier":
            return ACCEPT if path_of(call)[0] == 0 else REJECT
        return f"Argument {path_of(call)}."

    tree = grow(script, rules, num_responses=2, seed=seed)
    speaker = tree.children[0].rollout.messages[0].agent
    numbers = {rule.agent: len(list(rule.draw(tree))) for rule in pair_rules(rules.protocol)}
    silent = {"prover0", "prover1"} - {speaker}
    assert numbers == {speaker: 1, silent.pop(): 0, "verifier": 0}


def stored(*roots: ResponseNode) -> list[Rollout]:
    """Store the leaves of trees, each with ten positions, and load them again."""
    leaves = [leaf for tree, root in enumerate(roots) for leaf in leaves_to_store(root, 10 * tree)]
    return [Rollout.from_record(leaf.to_record()) for leaf in leaves]


def test_a_tree_is_rebuilt_from_its_leaves(root) -> None:
    (again,) = group_by_tree(stored(root))
    assert [node.path for node in again.nodes()] == [node.path for node in root.nodes()]
    for old, new in zip(root.nodes(), again.nodes(), strict=True):
        position = new.rollout.position
        assert new.rollout == replace(old.rollout, position=position, branch=old.path)
    assert [leaf.rollout.position for leaf in again.leaves()] == list(range(9))
    for agent in ("prover", "verifier"):
        assert pairs_of(again, agent) == pairs_of(root, agent)


def test_two_trees_of_one_datapoint_stay_apart(root) -> None:
    other = grow(copy=2, seed=11)
    trees = list(group_by_tree(stored(root, other)))
    assert [tree.rollout.copy for tree in trees] == [1, 2]
    leaves = [leaf.rollout.position for tree in trees for leaf in tree.leaves()]
    assert leaves == [*range(9), *range(10, 19)]
    assert [len(list(tree.nodes())) for tree in trees] == [13, 13]
    assert [len(pairs_of(tree, "prover")) for tree in trees] == [1, 1]


def test_statistics_count_pairs_and_average_responses_by_round(root) -> None:
    episode = RULES.episode
    metrics = (REWARD, PAIRS)
    found = tree_statistics([root, root], pair_rules(RULES.protocol), episode, metrics)
    assert found == {
        "prover.mean_expected_reward_round_1": pytest.approx((2 / 3 + 1 / 3 + 1) / 3),
        # Seven verdicts have a label, of which four are right.
        "verifier.mean_expected_reward_round_2": pytest.approx(1 / 7),
        "prover.num_pairs_round_1": 2.0,
        "verifier.num_pairs_round_2": 4.0,
    }
    assert set(found) == tree_statistic_names(episode, metrics)
