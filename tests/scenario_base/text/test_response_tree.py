"""Response trees: number of nodes, concurrency and expected rewards."""

import asyncio
from dataclasses import replace

import pytest

from nip.language_models.errors import AuthenticationError, ContentFilterError
from nip.scenario_base.text.response_tree import ResponseNode, play_response_tree
from tests.scenario_base.text.dialogues import (
    DATAPOINT,
    PLAN,
    agents_of,
    answering,
    rules_of,
)

PROVER_FIRST = {"verifier_first": False}


def grow(script, protocol: str = "adp", num_responses: int = 2, **changes):
    rules = rules_of(protocol, **changes)
    complete, calls = answering(script)

    async def run() -> ResponseNode:
        return await play_response_tree(
            rules, agents_of(rules), DATAPOINT, PLAN, complete, num_responses=num_responses
        )

    return asyncio.run(run()), calls


def path_of(call) -> tuple[int, ...]:
    """Return the branch of a call, which stands before round, agent and attempt in its key."""
    return tuple(map(int, call.key.split("/")[3].split(".")))


def accept_in_branch_one(call) -> str:
    if call.agent == "prover":
        return f"Argument {path_of(call)}."
    return "Decision: accept" if path_of(call)[-1] == 1 else "Decision: reject"


def test_every_point_has_all_its_responses_and_paths_are_unique() -> None:
    root, calls = grow(accept_in_branch_one, num_responses=3)
    paths = [node.path for node in root.nodes()]
    assert len(paths) == len(set(paths)) == 1 + 3 + 9
    assert len(list(root.leaves())) == 9
    assert len(calls) == 3 + 9
    assert len({call.key for call in calls}) == len({call.sampling.seed for call in calls}) == 12
    assert root.rollout.messages == ()
    assert all(len(node.path) == node.rollout.num_rounds for node in root.nodes())


def test_a_child_goes_on_from_its_parent() -> None:
    root, _ = grow(accept_in_branch_one)
    for node in root.nodes():
        for child in node.children:
            assert child.rollout.messages[: len(node.rollout.messages)] == node.rollout.messages
            assert child.path[:-1] == node.path


def test_what_a_node_is_worth_is_the_mean_over_its_leaves() -> None:
    # Label 1: branch 1 of the verifier accepts (1, 1), branches 0 and 2 reject (0, -1).
    root, _ = grow(accept_in_branch_one, num_responses=3)
    assert root.expected_rewards() == pytest.approx((1 / 3, -1 / 3))
    leaf = root.children[2].children[1]
    assert leaf.expected_rewards() == (1.0, 1.0)


def test_leaves_are_weighed_alike_where_branches_end_early() -> None:
    def script(call):
        if call.agent == "verifier" and path_of(call)[-1] == 0:
            return "Decision: accept"
        return "Go on."

    # Leaves: accepted in round 0, or in round 2 below two answers, or terminated: by hand.
    root, _ = grow(script, "nip", nip_protocol={"max_message_rounds": 3})
    totals = [tuple(map(sum, zip(*leaf.rollout.rewards, strict=True))) for leaf in root.leaves()]
    assert sorted(totals) == [(0, -1), (0, -1), (1, 1), (1, 1), (1, 1)]
    assert root.expected_rewards() == pytest.approx((3 / 5, 1 / 5))


def test_failed_leaves_are_left_out() -> None:
    def script(call):
        if call.agent == "verifier" and path_of(call)[-1] == 1:
            return ContentFilterError("refused")
        return "Decision: reject"

    root, _ = grow(script)
    assert root.expected_rewards() == (0.0, -1.0)
    assert root.children[0].children[1].expected_rewards() is None


def test_an_error_that_ends_the_run_is_raised_by_itself() -> None:
    with pytest.raises(AuthenticationError, match="no key"):
        grow(lambda call: AuthenticationError("no key") if path_of(call)[-1] else "Yes.")


def test_the_tree_is_as_deep_as_one_dialogue_whatever_its_width() -> None:
    """Count turns of the event loop, in each of which all waiting calls are answered."""

    def levels(num_responses: int) -> int:
        rules = replace(rules_of("nip", nip_protocol={"max_message_rounds": 6}))
        waiting: list[asyncio.Future[None]] = []

        async def complete(call):
            future = asyncio.get_running_loop().create_future()
            waiting.append(future)
            await future
            return await answering(lambda call: "Go on.")[0](call)

        async def run() -> int:
            tree = asyncio.ensure_future(
                play_response_tree(
                    rules, agents_of(rules), DATAPOINT, PLAN, complete, num_responses=num_responses
                )
            )
            count = 0
            while not tree.done():
                for _ in range(20):
                    await asyncio.sleep(0)
                count += bool(waiting)
                for future in waiting:
                    future.set_result(None)
                waiting.clear()
            assert len(list(tree.result().leaves())) == num_responses**5
            return count

        return asyncio.run(run())

    # Nobody would read the sixth message.
    assert levels(1) == levels(3) == 5


def test_there_must_be_a_response() -> None:
    with pytest.raises(ValueError, match="num_responses must be at least 1, got 0"):
        grow(accept_in_branch_one, num_responses=0)
