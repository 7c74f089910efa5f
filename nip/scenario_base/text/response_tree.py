"""Trees of dialogues: several responses at each point, and what each of them leads to."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.play import Complete, begin_rollout, play_round
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.utils.event_loop import first_error


@dataclass(frozen=True)
class ResponseNode:
    """A dialogue up to some round, with several ways to go on."""

    path: tuple[int, ...]
    """Which response was taken at each point from the root on; unique in the tree."""

    rollout: Rollout
    """The dialogue up to here; it is over at a leaf."""

    children: tuple["ResponseNode", ...] = ()
    """The dialogues that are one round longer."""

    def nodes(self) -> Iterator["ResponseNode"]:
        """Go through this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def leaves(self) -> Iterator["ResponseNode"]:
        """Go through the ends of all dialogues that begin like this one."""
        return (node for node in self.nodes() if not node.children)

    def expected_rewards(self) -> tuple[float, ...] | None:
        """Return what each agent earns from beginning to end, as a mean over the leaves below.

        Leaves that failed are left out; None if all have.
        """
        totals = [
            [sum(column) for column in zip(*leaf.rollout.rewards, strict=True)]
            for leaf in self.leaves()
            if not leaf.rollout.is_failed
        ]
        if not totals:
            return None
        return tuple(sum(column) / len(totals) for column in zip(*totals, strict=True))


async def play_response_tree(
    rules: DialogueRules,
    agents: Mapping[str, TextAgent],
    datapoint: TextDatapoint,
    plan: RolloutPlan,
    complete: Complete,
    *,
    num_responses: int,
) -> ResponseNode:
    """Play several continuations of one dialogue at each of its rounds.

    All branches grow at the same time, so the tree takes no longer than its longest dialogue.
    Where several agents write in one round, a response is one message of each.

    Parameters
    ----------
    rules, agents, datapoint, plan, complete
        As for ``play_rollout``.
    num_responses : int
        Continuations at each point, at least 1.

    Returns
    -------
    root : ResponseNode
        The dialogue in which nothing has been said yet, with all that follows.

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
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(respond(rollout, (*path, response)))
                for response in range(num_responses)
            ]
        return ResponseNode(path, rollout, tuple(task.result() for task in tasks))

    async def respond(rollout: Rollout, path: tuple[int, ...]) -> ResponseNode:
        longer = await play_round(conversation, agents, rollout, complete, plan.key_prefix, path)
        return await grow(longer, path)

    try:
        return await grow(begin_rollout(datapoint, plan), ())
    except BaseExceptionGroup as group:
        raise first_error(group) from None
