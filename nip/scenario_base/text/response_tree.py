"""Trees of dialogues: several continuations at each round, with their expected rewards."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import fsum

from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.play import Complete, begin_rollout, play_round
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.utils.event_loop import first_error


@dataclass(frozen=True)
class ResponseNode:
    """A dialogue up to some round, with its continuations."""

    path: tuple[int, ...]
    """Index of the response taken at each round from the root; unique in the tree."""

    rollout: Rollout
    """The dialogue up to this node; it is finished at a leaf."""

    children: tuple["ResponseNode", ...] = ()
    """Continuations that are one round longer."""

    def nodes(self) -> Iterator["ResponseNode"]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def leaves(self) -> Iterator["ResponseNode"]:
        """Yield the leaves below this node."""
        return (node for node in self.nodes() if not node.children)

    def expected_rewards(self) -> tuple[float, ...] | None:
        """Return the total reward of each agent, averaged over the leaves below this node.

        Leaves that failed, or have a message that is empty because no answer was valid, are left
        out; return None if there are no others.
        """
        totals = [
            [fsum(column) for column in zip(*leaf.rollout.rewards, strict=True)]
            for leaf in self.leaves()
            if not leaf.rollout.is_failed and not leaf.rollout.has_invalid_message
        ]
        if not totals:
            return None
        return tuple(fsum(column) / len(totals) for column in zip(*totals, strict=True))


async def play_response_tree(
    rules: DialogueRules,
    agents: Mapping[str, TextAgent],
    datapoint: TextDatapoint,
    plan: RolloutPlan,
    complete: Complete,
    *,
    num_responses: int,
) -> ResponseNode:
    """Play several continuations of a dialogue at each of its rounds.

    All branches are played concurrently, so the tree takes as long as its longest dialogue. If
    several agents write in one round, a response is one message of each of them; if none is asked,
    there is one continuation.

    Parameters
    ----------
    rules, agents, datapoint, plan, complete : see ``play_rollout``
        As for ``play_rollout``.
    num_responses : int
        Number of continuations at each node, at least 1.

    Returns
    -------
    root : ResponseNode
        The empty dialogue with all its continuations.

    Raises
    ------
    ValueError
        If ``num_responses`` is below 1.
    LanguageModelError
        If an error ends the run.
    """
    if num_responses < 1:
        raise ValueError(f"num_responses must be at least 1, got {num_responses}.")
    conversation = Conversation(rules, datapoint, plan.seed)

    async def grow(rollout: Rollout, path: tuple[int, ...]) -> ResponseNode:
        if rollout.status != "unfinished":
            return ResponseNode(path, rollout)
        is_asked = rules.episode.asked_writers(rollout.num_rounds, rollout.seed)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(respond(rollout, (*path, response)))
                for response in range(num_responses if is_asked else 1)
            ]
        return ResponseNode(path, rollout, tuple(task.result() for task in tasks))

    async def respond(rollout: Rollout, path: tuple[int, ...]) -> ResponseNode:
        longer = await play_round(conversation, agents, rollout, complete, plan.key_prefix, path)
        return await grow(longer, path)

    try:
        return await grow(begin_rollout(datapoint, plan), ())
    except BaseExceptionGroup as group:
        raise first_error(group) from None


def leaves_to_store(root: ResponseNode, first_position: int) -> tuple[Rollout, ...]:
    """Return the dialogues of all leaves, with consecutive positions and their branches."""
    return tuple(
        replace(leaf.rollout, position=first_position + index, branch=leaf.path)
        for index, leaf in enumerate(root.leaves())
    )


def tree_of(leaves: Sequence[Rollout], path: tuple[int, ...] = ()) -> ResponseNode:
    """Rebuild the part of a tree below a path.

    Parameters
    ----------
    leaves : sequence of Rollout
        The dialogues of all leaves below the path, in the order of ``leaves_to_store``.
    path : tuple of int
        Path of the node to return; empty for the root.
    """
    if leaves[0].branch == path:
        return ResponseNode(path, leaves[0])
    children = [
        tree_of(list(group), (*path, response))
        for response, group in groupby(leaves, key=lambda leaf: leaf.branch[len(path)])
    ]
    return ResponseNode(path, _begun(leaves[0], path), tuple(children))


def _begun(rollout: Rollout, path: tuple[int, ...]) -> Rollout:
    """Return the unfinished dialogue from which a dialogue continued after some rounds."""
    return Rollout(
        position=rollout.position,
        datapoint=rollout.datapoint,
        datapoint_id=rollout.datapoint_id,
        copy=rollout.copy,
        seed=rollout.seed,
        y=rollout.y,
        prover_stance=rollout.prover_stance,
        messages=tuple(each for each in rollout.messages if each.round < len(path)),
        rewards=rollout.rewards[: len(path)],
        branch=path,
    )
