"""A corpus of dialogues at fixed random rates, as each agent sees them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nip.errors import DatasetError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ChatMessage, Completion, TokenUsage
from nip.language_models.engine.call import Call
from nip.parameters import HyperParameters
from nip.parameters.scenarios.quotes import NUM_PEOPLE
from nip.protocols.registry import build_protocol_handler
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.play import NUM_SEEDS, play_rollout
from nip.scenario_base.text.rollout import RolloutPlan
from nip.scenarios.quotes.passages import make_passages
from nip.scenarios.quotes.scenario import QuotesScenario
from nip.scenarios.quotes.tiny_models.behaviour import prover_message, verifier_message
from nip.scenarios.quotes.tiny_models.skills import comparing, copying
from nip.seeding import stable_seed

CORPUS_SPLIT = "pretraining"
"""Name of the split of passages, which no experiment uses."""

SKILLS_SPLIT = "exercises"
"""Name of the split of passages for exercises in copying."""

NUM_ROUNDS = 3
"""Number of rounds of protocols in which the verifier asks."""

ROLES = ("prover", "verifier")


@dataclass(frozen=True)
class Variant:
    """A protocol with its parameters."""

    protocol: str
    """Name of the protocol."""

    parameters: dict[str, Any] = field(default_factory=dict)
    """Its parameters."""


VARIANTS = (
    Variant("adp"),
    Variant("adp", {"protocol_common": {"randomize_prover_stance": True}}),
    Variant("merlin_arthur"),
    Variant("solo_verifier"),
    *(
        Variant(name, {f"{name}_protocol": {"max_message_rounds": NUM_ROUNDS}})
        for name in ("nip", "debate")
    ),
)
"""Protocols that the models learn to speak in."""


def check_corpus(num_dialogues: int, num_facts: int) -> None:
    """Check the size of a corpus before it is made.

    Raises
    ------
    DatasetError
        If there are fewer dialogues than variants, or more facts than people.
    """
    if num_dialogues < len(VARIANTS):
        raise DatasetError(
            f"The number of dialogues must be at least {len(VARIANTS)}, one for each protocol, got "
            f"{num_dialogues}."
        )
    if num_facts > NUM_PEOPLE:
        raise DatasetError(
            f"The number of facts must be at most {NUM_PEOPLE}, because each is about another "
            f"person, got {num_facts}."
        )


def make_corpus(
    variant: Variant, num_dialogues: int, num_facts: int, seed: int
) -> dict[str, list[list[ChatMessage]]]:
    """Play dialogues, and return the conversations that provers and verifiers learn from.

    Returns
    -------
    conversations : dict
        By role (``prover`` and ``verifier``), each ending with an answer of the agent.
    """
    params = HyperParameters(
        scenario="quotes",
        trainer="pure_text_ei",
        dataset="facts",
        interaction_protocol=variant.protocol,
        # An invalid answer is a part of the corpus, and is not asked for again.
        agents={"_default": {"use_dummy_api": True, "num_invalid_generation_retries": 0}},
        **variant.parameters,
    )
    scenario = QuotesScenario(params, ExperimentSettings())
    handler = build_protocol_handler(params)
    rules, agents = scenario.dialogue_rules(handler), scenario.build_agents(handler)
    corpus: dict[str, list[list[ChatMessage]]] = {role: [] for role in ROLES}

    async def play_all() -> None:
        for index, datapoint in enumerate(make_passages(CORPUS_SPLIT, num_dialogues, num_facts)):
            key = stable_seed("tiny models", seed, variant.protocol, index)
            plan = RolloutPlan(position=index, datapoint=index, seed=key % NUM_SEEDS)
            conversation = Conversation(rules, datapoint, plan.seed)
            speaker = _Speaker(datapoint, conversation, np.random.default_rng(key))
            await play_rollout(rules, agents, datapoint, plan, speaker.complete)
            for agent, said in speaker.conversations.items():
                corpus[ROLES[agent == VERIFIER]].append(said)

    asyncio.run(play_all())
    return corpus


def conversations_of(
    role: str, num_dialogues: int, num_facts: int, seed: int, variants: Sequence[Variant] = VARIANTS
) -> list[list[ChatMessage]]:
    """Return the conversations of a role in equally many dialogues of all variants."""
    size = num_dialogues // len(variants)
    return [
        conversation
        for variant in variants
        for conversation in make_corpus(variant, size, num_facts, seed)[role]
    ]


def exercises_of(
    role: str, num_exercises: int, num_facts: int, seed: int
) -> list[list[ChatMessage]]:
    """Return exercises in the skill that a role needs: copying, or comparing for a verifier."""
    rng = np.random.default_rng(stable_seed("skills", seed, role))
    if role == VERIFIER:
        return list(comparing(num_exercises, rng))
    return list(copying(make_passages(SKILLS_SPLIT, num_exercises, num_facts), rng))


@dataclass
class _Speaker:
    """All agents of one dialogue."""

    datapoint: TextDatapoint
    conversation: Conversation
    rng: np.random.Generator
    conversations: dict[str, list[ChatMessage]] = field(default_factory=dict)
    """What each agent was told and said up to its last answer, valid or not."""

    async def complete(self, call: Call) -> Completion:
        is_verifier = call.agent == VERIFIER
        text = self._verdict(call) if is_verifier else prover_message(self.datapoint, self.rng)
        answer = ChatMessage(role="assistant", content=text)
        self.conversations[call.agent] = [*call.messages, answer]
        return Completion(text, "stop", TokenUsage(), "behaviour")

    def _verdict(self, call: Call) -> str:
        num_own = sum(each["role"] == "assistant" for each in call.messages)
        episode, seed = self.conversation.rules.episode, self.conversation.seed
        round = episode.turns(VERIFIER, seed)[num_own]
        return verifier_message(
            self.datapoint,
            call.messages,
            episode.may_decide(VERIFIER, round, seed),
            episode.is_last_turn(VERIFIER, round, seed),
            self.rng,
        )
