"""Plan and play the rollouts of a run, and load them from its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from nip.language_models.chat import ChatMessage
from nip.language_models.engine.journal import from_entry
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.run_store import RolloutPhase, Run
from nip.run_store.database import RunDatabase
from nip.scenario_base.text.answers.parsing import with_decision
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.play import NUM_SEEDS, Complete, play_rollout
from nip.scenario_base.text.response_tree import (
    ResponseNode,
    leaves_to_store,
    play_response_tree,
    tree_of,
)
from nip.scenario_base.text.rollout import MessageRecord, Rollout, RolloutPlan
from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from nip.scenario_instance import PureTextScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.text.data_order import RolloutRequest
from nip.trainers.text.transcripts import transcript_of
from nip.trainers.text.tree_shape import most_leaves, num_responses
from nip.utils.nested_array_dict import NestedArrayDict

Play = Callable[[RolloutPlan, Complete], Awaitable[tuple[Rollout, ...]]]
"""Function that plays one plan: a single dialogue, or all dialogues of a response tree."""


class StoredRollouts:
    """Plans, plays and loads the rollouts of one run, whose seed gives that of every rollout.

    Iterations are indices, from 0. A read-only database as ``run`` suffices for all methods except
    playing.
    """

    def __init__(
        self,
        instance: PureTextScenarioInstance,
        hyper_params: HyperParameters,
        run: Run | RunDatabase,
    ) -> None:
        self._instance = instance
        self._seed = hyper_params.seed
        self._run = run
        self._num_responses: dict[RolloutPhase, int] = {
            phase: num_responses(hyper_params, phase) for phase in ("train", "test")
        }
        self._training_rollouts = lru_cache(maxsize=1)(self._read_training_rollouts)

    def dataset(self, phase: RolloutPhase) -> TextDataset:
        """Return the dataset of a phase."""
        instance = self._instance
        return instance.train_dataset if phase == "train" else instance.test_dataset

    def plans(
        self, phase: RolloutPhase, iteration: int, requests: Sequence[RolloutRequest]
    ) -> list[RolloutPlan]:
        """Return the plan of each requested rollout, with its seed and journal key."""
        dataset = self.dataset(phase)
        return [
            RolloutPlan(
                position=request.position,
                datapoint=request.datapoint,
                copy=request.copy,
                seed=stable_seed(
                    self._seed, phase, iteration, dataset[request.datapoint].id, request.copy
                )
                % NUM_SEEDS,
                key_prefix=f"{phase}/{iteration}/{request.position}",
            )
            for request in requests
        ]

    def num_positions(self, phase: RolloutPhase) -> int:
        """Return the number of positions that each plan has for its dialogues.

        A tree with fewer leaves than it may have leaves some of them free.
        """
        return most_leaves(self._instance.rules.episode, self._num_responses[phase])

    def player(self, phase: RolloutPhase, *, plays_trees: bool = True) -> Play:
        """Return a function that plays a plan with the current models of the agents.

        ``plays_trees=False`` plays a single dialogue also where the trainer samples trees.
        """
        instance, dataset = self._instance, self.dataset(phase)
        groups = instance.shared_model_groups.values()
        models = {name: group.model for group in groups for name in group.agent_names}
        agents = {name: agent.with_model(models[name]) for name, agent in instance.agents.items()}

        num_positions, responses = self.num_positions(phase), self._num_responses[phase]

        async def play(plan: RolloutPlan, complete: Complete) -> tuple[Rollout, ...]:
            given = (instance.rules, agents, dataset[plan.datapoint], plan, complete)
            if responses == 1 or not plays_trees:
                return (await play_rollout(*given),)
            root = await play_response_tree(*given, num_responses=responses)
            return leaves_to_store(root, plan.position * num_positions)

        return play

    def load(self, phase: RolloutPhase, iteration: int) -> NestedArrayDict:
        """Load the rollouts of a stage, batch ``(rollout,)``, sorted by position."""
        rollouts = list(self.each(phase, iteration))
        arrays = rollouts_to_arrays(rollouts, self.dataset(phase), self._instance.protocol_handler)
        arrays["iteration"] = np.full(len(rollouts), iteration, dtype=np.int64)
        return arrays

    def each(self, phase: RolloutPhase, iteration: int) -> Iterator[Rollout]:
        """Iterate over the rollouts of a stage, sorted by position."""
        return map(Rollout.from_record, self._run.rollouts.load(phase, iteration + 1))

    def trees(self, iteration: int) -> Iterator[ResponseNode]:
        """Iterate over the roots of the response trees of an iteration, sorted by position."""
        return group_by_tree(self.each("train", iteration))

    def invalid_answers(self, message: MessageRecord) -> list[MessageRecord]:
        """Read the invalid answers at the turn of a training message, in the order of the tries.

        They are in the journal, which keeps what was paid for and is in no dialogue. Each is
        returned as a message with the text of the answer; blank ones, which no backend learns
        from, are left out.
        """
        found = []
        for key in message.kept_keys:
            entry = self._run.journal.get(key)
            assert entry is not None, key
            answer = from_entry(entry)
            if not answer.text.strip():
                continue
            said = MessageRecord(message.round, message.agent, answer.text, {}, is_invalid=True)
            found.append(replace(said, is_cut=answer.finish_reason == "length"))
        return found

    def transcripts(self, phase: RolloutPhase, iteration: int) -> Iterator[dict[str, Any]]:
        """Iterate over the transcripts of a stage, sorted by position."""
        dataset, rules = self.dataset(phase), self._instance.rules
        agent_names = self._instance.protocol_handler.agent_names
        for rollout in self.each(phase, iteration):
            datapoint = dataset[rollout.datapoint]
            conversation = Conversation(rules, datapoint, rollout.seed)
            # An agent without a turn, such as a prover that was not selected, gets no prompt.
            prompts = {
                name: conversation.prompt_without_datapoint(name)
                for name in agent_names
                if rules.episode.turns(name, rollout.seed)
            }
            yield transcript_of(rollout, datapoint, agent_names, prompts)

    def count(self) -> int:
        """Return the number of plans whose dialogues are stored."""
        table = self._run.rollouts
        return sum(
            len({each // self.num_positions(phase) for each in table.positions(phase, iteration)})
            for phase in self._num_responses
            for iteration in table.iterations(phase)
        )

    def conversation(
        self, iteration: int, position: int, agent: str, *, verdict_becomes_truth: bool = False
    ) -> list[ChatMessage] | None:
        """Return the conversation of a training rollout as seen by an agent.

        The agent's last message ends it; if there is none, the result is None.
        ``verdict_becomes_truth`` replaces the verifier's verdict by the true label.
        """
        rollout = self._training_rollouts(iteration)[position]
        datapoint = self.dataset("train")[rollout.datapoint]
        rules = self._instance.rules
        messages = Conversation(rules, datapoint, rollout.seed).training_messages(
            agent, rollout.messages
        )
        if messages and verdict_becomes_truth and agent == VERIFIER:
            truth = with_decision(messages[-1]["content"], rollout.y, rules.scale)
            messages[-1] = ChatMessage(role="assistant", content=truth)
        return messages

    def _read_training_rollouts(self, iteration: int) -> dict[int, Rollout]:
        return {rollout.position: rollout for rollout in self.each("train", iteration)}


def group_by_tree(leaves: Iterable[Rollout]) -> Iterator[ResponseNode]:
    """Yield the root of each tree; the leaves are sorted by position.

    A datapoint may occur several times in a stage; its trees have different numbers of copies.
    """
    for _, group in groupby(leaves, key=lambda leaf: (leaf.datapoint, leaf.copy)):
        yield tree_of(list(group))
