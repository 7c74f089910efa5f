"""The rollouts of a run: how they are planned and played, and how they are read back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nip.language_models.chat import ChatMessage
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.run_store import RolloutPhase, Run
from nip.run_store.database import RunDatabase
from nip.scenario_base.text.answers.parsing import with_decision
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.play import NUM_SEEDS, Complete, play_rollout
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from nip.scenario_instance import PureTextScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.text.data_order import RolloutRequest
from nip.trainers.text.transcripts import transcript_of
from nip.utils.nested_array_dict import NestedArrayDict

PlayOne = Callable[[RolloutPlan, Complete], Awaitable[Rollout]]
"""Plays one rollout."""


class StoredRollouts:
    """Plans, plays and reads the rollouts of one run.

    Parameters
    ----------
    instance : PureTextScenarioInstance
        Agents, questions and rules.
    hyper_params : HyperParameters
        Its seed decides that of every rollout.
    run : Run or RunDatabase
        Where they are kept; a database that is only read will do for all but playing.
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
        self._training_rollouts = lru_cache(maxsize=1)(self._read_training_rollouts)

    def dataset(self, phase: RolloutPhase) -> TextDataset:
        """Return the questions of a phase."""
        instance = self._instance
        return instance.train_dataset if phase == "train" else instance.test_dataset

    def plans(
        self, phase: RolloutPhase, iteration: int, questions: Sequence[RolloutRequest]
    ) -> list[RolloutPlan]:
        """Give each question the seed of its dialogue and its place in the journal."""
        dataset = self.dataset(phase)
        return [
            RolloutPlan(
                position=asking.position,
                datapoint=asking.datapoint,
                copy=asking.copy,
                seed=stable_seed(
                    self._seed, phase, iteration, dataset[asking.datapoint].id, asking.copy
                )
                % NUM_SEEDS,
                key_prefix=f"{phase}/{iteration}/{asking.position}",
            )
            for asking in questions
        ]

    def player(self, phase: RolloutPhase) -> PlayOne:
        """Return what plays a rollout with the models that the agents have at present."""
        instance, dataset = self._instance, self.dataset(phase)
        groups = instance.shared_model_groups.values()
        models = {name: group.model for group in groups for name in group.agent_names}
        agents = {name: agent.with_model(models[name]) for name, agent in instance.agents.items()}

        async def play(plan: RolloutPlan, complete: Complete) -> Rollout:
            return await play_rollout(
                instance.rules, agents, dataset[plan.datapoint], plan, complete
            )

        return play

    def load(self, phase: RolloutPhase, iteration: int) -> NestedArrayDict:
        """Read the rollouts of a stage, batch ``(rollout,)``, in the order of their positions."""
        rollouts = list(self.each(phase, iteration))
        arrays = rollouts_to_arrays(rollouts, self.dataset(phase), self._instance.protocol_handler)
        arrays["iteration"] = np.full(len(rollouts), iteration, dtype=np.int64)
        return arrays

    def each(self, phase: RolloutPhase, iteration: int) -> Iterator[Rollout]:
        """Go through the rollouts of a stage in the order of their positions."""
        return map(Rollout.from_record, self._run.rollouts.load(phase, iteration))

    def transcripts(self, phase: RolloutPhase, iteration: int) -> Iterator[dict[str, Any]]:
        """Go through the rollouts of a stage in a form that people can read."""
        dataset, rules = self.dataset(phase), self._instance.rules
        agent_names = self._instance.protocol_handler.agent_names
        for rollout in self.each(phase, iteration):
            datapoint = dataset[rollout.datapoint]
            conversation = Conversation(rules, datapoint, rollout.seed)
            # Who is never asked, as a prover that was not chosen, was told nothing.
            prompts = {
                name: conversation.system_prompt(name)
                for name in agent_names
                if rules.episode.turns(name, rollout.seed)
            }
            yield transcript_of(rollout, datapoint, agent_names, prompts)

    def count(self) -> int:
        """Return how many rollouts are stored."""
        table = self._run.rollouts
        phases: tuple[RolloutPhase, ...] = ("train", "test")
        return sum(
            len(table.positions(phase, iteration))
            for phase in phases
            for iteration in table.iterations(phase)
        )

    def conversation(
        self, iteration: int, position: int, agent: str, *, verdict_becomes_truth: bool = False
    ) -> list[ChatMessage] | None:
        """Return a dialogue as an agent saw it, ending with its own last message.

        Parameters
        ----------
        iteration, position : int
            Which rollout of those that were sampled to learn from.
        agent : str
            The agent.
        verdict_becomes_truth : bool
            Put the true label in the place of the verifier's verdict.

        Returns
        -------
        messages : list or None
            None if the agent said nothing.
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
