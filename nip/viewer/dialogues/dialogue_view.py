"""``DialogueView``: one dialogue as its page shows it, turn by turn."""

from dataclasses import dataclass, field
from math import fsum

from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.trainers.text.transcripts import DECISION_NAMES, EVIDENCE
from nip.viewer.dialogues.experiments import TextExperiment
from nip.viewer.dialogues.records import StoredDialogue
from nip.viewer.web.place import Place


@dataclass(frozen=True)
class ChannelText:
    """What a message says on one channel."""

    channel: str
    """Name of the channel."""

    colour: int
    """Index of its colour."""

    text: str
    """The text."""

    readers: tuple[str, ...]
    """Agents that can read the channel; empty if unknown."""


@dataclass(frozen=True)
class TurnView:
    """One message of a dialogue."""

    index: int
    """Index among the messages of the dialogue, from 0."""

    lane: int
    """Index of the agent."""

    message: MessageRecord
    """The message."""

    channels: list[ChannelText]
    """Its text on each channel."""

    cost: float | None
    """Price of its tokens in dollars; None if unknown."""

    @property
    def decision(self) -> str | None:
        """``reject``, ``accept`` or None."""
        return DECISION_NAMES[self.message.decision] if self.message.decision in (0, 1) else None

    @property
    def finish_reason(self) -> str:
        """Why the answer ended: ``stop``, ``length``, or ``invalid`` if none was accepted."""
        if self.message.is_cut:
            return "length"
        return "invalid" if self.message.is_invalid else "stop"

    @property
    def has_other_raw_text(self) -> bool:
        """Whether the answer of the model has more than its channels show."""
        shown = [each.text.strip() for each in self.channels]
        return bool(self.message.text.strip()) and [self.message.text.strip()] != shown


@dataclass(frozen=True)
class RoundView:
    """One round of a dialogue."""

    number: int
    """Number of the round, from 1."""

    turns: list[TurnView]
    """Its messages, in the order of the agents."""

    rewards: dict[str, float]
    """Rewards of the round that are not 0, by agent."""


@dataclass
class DialogueView:
    """One dialogue as its page shows it."""

    stored: StoredDialogue
    """The stored dialogue."""

    agents: tuple[str, ...] = ()
    """Names of the agents, one lane each."""

    channels: tuple[str, ...] = ()
    """Names of the channels."""

    rounds: list[RoundView] = field(default_factory=list)
    """The rounds."""

    datapoint: TextDatapoint | None = None
    """What the dialogue is about; None if its dataset is unknown."""

    problem: str = ""
    """Why the question and the prompts cannot be shown; empty if they can."""

    @property
    def place(self) -> Place:
        """Where the dialogue is stored."""
        return self.stored.place

    @property
    def rollout(self) -> Rollout | None:
        """The dialogue; None if its record is damaged."""
        return self.stored.rollout

    @property
    def outcome(self) -> str:
        """How the dialogue ended."""
        return self.stored.outcome

    @property
    def label(self) -> str:
        """The true label."""
        return "" if self.rollout is None else DECISION_NAMES[self.rollout.y] or ""

    @property
    def verdict(self) -> str:
        """The verdict."""
        return "none" if self.rollout is None else DECISION_NAMES[self.rollout.verdict] or "none"

    @property
    def rewards(self) -> dict[str, float]:
        """Sum of the rewards of each agent; empty if the dialogue failed."""
        rollout = self.rollout
        if rollout is None or rollout.is_failed or not rollout.rewards:
            return {}
        width = len(rollout.rewards[0])
        names = self.agents[:width] if len(self.agents) == width else map(str, range(width))
        return {name: rollout.total_reward(index) for index, name in enumerate(names)}

    @property
    def turns(self) -> list[TurnView]:
        """All messages."""
        return [turn for each in self.rounds for turn in each.turns]

    @property
    def num_retries(self) -> int:
        """Number of retries of all turns."""
        return sum(turn.message.num_retries for turn in self.turns)

    @property
    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens of all turns."""
        messages = [turn.message for turn in self.turns]
        return sum(m.prompt_tokens for m in messages), sum(m.completion_tokens for m in messages)

    @property
    def cost(self) -> float | None:
        """Price of all tokens in dollars; None if that of one is unknown."""
        costs = [turn.cost for turn in self.turns]
        return None if None in costs else fsum(cost for cost in costs if cost is not None)

    @property
    def flags(self) -> list[str]:
        """What is unusual about the messages."""
        messages = [turn.message for turn in self.turns]
        found = {
            "invalid": any(each.is_invalid for each in messages),
            "retried": any(each.num_retries for each in messages),
            "cut": any(each.is_cut for each in messages),
        }
        return [name for name, is_present in found.items() if is_present]

    @property
    def evidence(self) -> dict[str, object]:
        """Data that shows the mistake of a wrong solution, which agents do not see."""
        if self.datapoint is None:
            return {}
        extra = self.datapoint.extra
        return {name: extra[name] for name in EVIDENCE if extra.get(name) is not None}


def view_of(stored: StoredDialogue, experiment: TextExperiment | str) -> DialogueView:
    """Return a dialogue as its page shows it.

    Without its experiment, for which a text says why, agents and channels are those that occur, and
    there is no question.
    """
    view = DialogueView(stored)
    rollout = stored.rollout
    if rollout is None:
        return view
    if isinstance(experiment, str):
        view.problem = experiment
        view.agents = tuple(dict.fromkeys(each.agent for each in rollout.messages))
        view.channels = tuple(
            dict.fromkeys(name for each in rollout.messages for name in each.channel_texts)
        )
    else:
        view.agents, view.channels = experiment.agent_names, experiment.channel_names
        view.datapoint = experiment.datapoint(stored.place.phase, rollout)
    view.rounds = list(_rounds(view, rollout, experiment))
    return view


def _rounds(
    view: DialogueView, rollout: Rollout, experiment: TextExperiment | str
) -> list[RoundView]:
    num_started = max((each.round + 1 for each in rollout.messages), default=0)
    found = []
    for number in range(max(num_started, rollout.num_rounds)):
        turns = [
            _turn(view, index, message, experiment)
            for index, message in enumerate(rollout.messages)
            if message.round == number
        ]
        row = rollout.rewards[number] if number < rollout.num_rounds else ()
        rewards = {name: value for name, value in zip(view.agents, row, strict=False) if value != 0}
        found.append(RoundView(number + 1, turns, rewards))
    return found


def _turn(
    view: DialogueView, index: int, message: MessageRecord, experiment: TextExperiment | str
) -> TurnView:
    known = None if isinstance(experiment, str) else experiment
    channels = [
        ChannelText(
            name,
            view.channels.index(name) if name in view.channels else 0,
            text,
            known.readers(name) if known and name in view.channels else (),
        )
        for name, text in message.channel_texts.items()
    ]
    lane = view.agents.index(message.agent) if message.agent in view.agents else 0
    cost = known.cost(message) if known else None
    return TurnView(index, lane, message, channels, cost)
