"""Chat messages that an agent receives: the dialogue with the agent in the role of assistant."""

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

import numpy as np

from nip.language_models.chat import ChatMessage
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.agent_spec import ANONYMOUS_NAME, SYSTEM_NAME
from nip.scenario_base.text.answers.parsing import AnswerForm
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.prompt_values import prompt_values
from nip.scenario_base.text.quoting import quote
from nip.scenario_base.text.rollout import MessageRecord
from nip.seeding import stable_seed

NO_ANSWER = "(no answer)"
"""Shown in place of an empty message."""

BEGIN = "Begin."
"""User message for an agent that opens the dialogue."""

GO_ON = "Go on."
"""User message for an agent that received no messages since its last turn."""

TOO_EARLY = "You cannot decide in this message yet."
"""Note to the verifier in rounds in which it may not decide."""

SYSTEM_LABEL = f"[{SYSTEM_NAME}]"
"""Label of notes that come from no agent."""


class _Past(NamedTuple):
    """The first rounds of a dialogue as an agent sees them."""

    said: tuple[MessageRecord, ...]
    """All messages of these rounds."""

    messages: tuple[ChatMessage, ...]
    """Chat messages up to the last one that the agent wrote."""

    heard: tuple[str, ...]
    """What it could read since then."""

    def is_continued_by(self, said: tuple[MessageRecord, ...]) -> bool:
        """Return whether messages begin with those of these rounds, and with nothing more of them.

        A round that was seen in part would be read in another order.
        """
        length = len(self.said)
        if said[:length] != self.said:
            return False
        return length in (0, len(said)) or said[length].round > said[length - 1].round


class Conversation:
    """One dialogue as each of its agents sees it.

    Every line of another agent's message begins with ``>`` and a space, so that nothing in it can
    look like a label, a system note or another message.

    The messages for an agent depend only on the arguments and the dialogue so far. Those for one
    turn are a prefix of those for its next turn.

    Parameters
    ----------
    rules : DialogueRules
        The rules of the dialogues.
    datapoint : TextDatapoint
        The datapoint that the dialogue is about.
    seed : int
        Seed of the dialogue.
    verdict_round : int, optional
        Round at which the verifier has to decide, if not at its last turn of the timetable.
    """

    def __init__(
        self,
        rules: DialogueRules,
        datapoint: TextDatapoint,
        seed: int,
        verdict_round: int | None = None,
    ) -> None:
        self.rules = rules
        self.datapoint = datapoint
        self.seed = seed
        self.verdict_round = verdict_round
        self._channels: dict[str, tuple[str, ...]] = {}
        self._system_prompts: dict[str, str] = {}
        self._known: dict[str, _Past] = {}

    def channels(self, agent: str) -> tuple[str, ...]:
        """Return all channels, in the order in which an agent reads them."""
        if agent not in self._channels:
            names = self.rules.protocol.channel_names
            if self.rules.specs[agent].shuffles_channels:
                rng = np.random.default_rng(stable_seed(self.seed, "channels", agent))
                names = tuple(names[index] for index in rng.permutation(len(names)))
            self._channels[agent] = names
        return self._channels[agent]

    def system_prompt(self, agent: str) -> str:
        """Return the system prompt of an agent."""
        if agent not in self._system_prompts:
            self._system_prompts[agent] = self._render_prompt(
                agent, self.datapoint.question, self.datapoint.solution
            )
        return self._system_prompts[agent]

    def prompt_without_datapoint(self, agent: str) -> str:
        """Return the system prompt with placeholders for the question and the solution."""
        return self._render_prompt(agent, "$question", "$solution")

    def _render_prompt(self, agent: str, question: str, solution: str) -> str:
        values = prompt_values(
            self.rules,
            agent,
            stance=self.datapoint.prover_stance,
            seed=self.seed,
            channels=self.channels(agent),
        )
        values |= {"question": question, "solution": solution}
        return self.rules.prompts[agent].render(values)

    def answer_form(self, agent: str, round: int) -> AnswerForm:
        """Return the required format of an agent's answer."""
        return AnswerForm(
            channels=self.rules.episode.writers(round, self.seed)[agent],
            headers=self.rules.specs[agent].headers,
            scale=self.rules.scale if agent == VERIFIER else None,
            may_decide=self.rules.episode.may_decide(agent, round, self.seed),
            is_last=self._is_last_turn(agent, round),
        )

    def _is_last_turn(self, agent: str, round: int) -> bool:
        must_decide = agent == VERIFIER and round == self.verdict_round
        return must_decide or self.rules.episode.is_last_turn(agent, round, self.seed)

    def messages_for(
        self, agent: str, round: int, said: Sequence[MessageRecord]
    ) -> list[ChatMessage]:
        """Return the chat messages for an agent at its turn.

        The roles are system, user, then assistant and user alternately, ending with user; no
        message is empty.

        Parameters
        ----------
        agent : str
            Name of the agent.
        round : int
            Index of the round, from 0.
        said : sequence of MessageRecord
            All messages of the dialogue in order; those of this and later rounds are ignored.
        """
        past = self._past(agent, tuple(takewhile(lambda record: record.round < round, said)))
        is_first = len(past.messages) == 1
        # Copies, because a provider may change the messages that it gets.
        known = [message.copy() for message in past.messages]
        return [*known, self._user(agent, round, past.heard, is_first)]

    def _past(self, agent: str, said: tuple[MessageRecord, ...]) -> "_Past":
        """Return what an agent has received and written in whole rounds.

        Only what was added since the last call for this agent is rendered, so that the time for a
        dialogue does not grow with the square of its length. The branches of a tree share a
        conversation; for another branch than that of the last call all is rendered again.
        """
        past = self._known.get(agent)
        if past is None or not past.is_continued_by(said):
            system = ChatMessage(role="system", content=self.system_prompt(agent))
            past = _Past((), (system,), ())
        messages, heard = list(past.messages), list(past.heard)
        for round, group in groupby(said[len(past.said) :], key=lambda record: record.round):
            records = list(group)
            for own in records:
                if own.agent == agent:
                    messages.append(self._user(agent, round, heard, len(messages) == 1))
                    messages.append(ChatMessage(role="assistant", content=self._own(own)))
                    heard = []
            heard += self._heard(agent, records)
        self._known[agent] = _Past(said, tuple(messages), tuple(heard))
        return self._known[agent]

    def training_messages(
        self, agent: str, said: Sequence[MessageRecord]
    ) -> list[ChatMessage] | None:
        """Return the chat messages that an agent saw, ending with its last non-empty message.

        Return None if it has no such message.
        """
        own = next((each for each in reversed(said) if each.agent == agent and each.text), None)
        if own is None:
            return None
        answer = ChatMessage(role="assistant", content=own.text)
        return [*self.messages_for(agent, own.round, said), answer]

    def note(self, agent: str, round: int) -> str:
        """Return the system note for an agent at its turn; empty for none."""
        spec, episode = self.rules.specs[agent], self.rules.episode
        may_decide = episode.may_decide(agent, round, self.seed)
        if self._is_last_turn(agent, round):
            if agent != VERIFIER or not may_decide:
                return spec.last_turn_note
            form = f"The last line of your message must be {self.rules.scale.instruction}."
            return f"{spec.last_turn_note} {form}".lstrip()
        return TOO_EARLY if agent == VERIFIER and not may_decide else ""

    def _user(self, agent: str, round: int, heard: Sequence[str], is_first: bool) -> ChatMessage:
        parts = heard or [BEGIN if is_first else GO_ON]
        note = self.note(agent, round)
        if note:
            parts = [*parts, f"{SYSTEM_LABEL} {note}"]
        return ChatMessage(role="user", content="\n\n".join(parts))

    def _own(self, record: MessageRecord) -> str:
        spec = self.rules.specs[record.agent]
        if record.is_invalid or spec.own_past == "raw":
            return record.text or NO_ANSWER
        texts = record.channel_texts
        if len(texts) == 1:
            return next(iter(texts.values())) or NO_ANSWER
        return "\n\n".join(
            f"[{spec.headers[channel]}]\n{texts[channel] or NO_ANSWER}"
            for channel in self.channels(record.agent)
            if channel in texts
        )

    def _heard(self, reader: str, records: list[MessageRecord]) -> Iterator[str]:
        """Yield the messages of one round that an agent can read."""
        visible = self.rules.protocol.visible_channels(reader)
        for channel in self.channels(reader):
            if channel not in visible:
                continue
            for record in records:
                if record.agent != reader and channel in record.channel_texts:
                    label = self._label(record.agent, channel, visible)
                    text = self.marked(record.agent, record.channel_texts[channel])
                    yield f"{label}\n{self._shown(text)}"

    def marked(self, agent: str, text: str) -> str:
        """Return a message of an agent with the marks of the environment."""
        mark = self.rules.mark_message
        return text if mark is None or not text else mark(self.datapoint, agent, text)

    def _shown(self, text: str) -> str:
        """Return a message in the form in which others read it."""
        if not text:
            return NO_ANSWER
        return quote(text) if self.rules.quotes_messages else text

    def _label(self, speaker: str, channel: str, visible: tuple[str, ...]) -> str:
        spec = self.rules.specs[speaker]
        name = ANONYMOUS_NAME if spec.is_anonymous else spec.shown_name
        told_apart = [each for each in spec.headers if each in visible]
        if len(told_apart) > 1 and channel in spec.headers:
            return f"[{name} {spec.headers[channel]}]"
        return f"[{name}]"
