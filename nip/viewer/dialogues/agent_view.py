"""What one agent was sent in a dialogue, made by the code that made the requests."""

from dataclasses import dataclass

from nip.language_models.chat import ChatMessage
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.rollout import MessageRecord, Rollout


@dataclass(frozen=True)
class SentRequest:
    """One turn of an agent: what it was sent, and its answer."""

    round: int
    """Index of the round, from 0."""

    messages: list[ChatMessage]
    """The chat messages of the request; a repeated request has the same."""

    answer: MessageRecord | None
    """The answer; None if the request failed."""


def requests_to(agent: str, rollout: Rollout, conversation: Conversation) -> list[SentRequest]:
    """Return what an agent was sent, turn by turn.

    The last request of a failed dialogue may have no answer.

    Parameters
    ----------
    agent : str
        Name of the agent.
    rollout : Rollout
        The dialogue.
    conversation : Conversation
        The dialogue as each agent sees it.
    """
    answers = {each.round: each for each in rollout.messages if each.agent == agent}
    rounds = sorted({*answers, *_failed_rounds(agent, rollout, conversation)})
    return [
        SentRequest(
            round, conversation.messages_for(agent, round, rollout.messages), answers.get(round)
        )
        for round in rounds
    ]


def _failed_rounds(agent: str, rollout: Rollout, conversation: Conversation) -> list[int]:
    """Return the round that was not finished, if the agent was asked in it."""
    episode = conversation.rules.episode
    unfinished = rollout.num_rounds
    if not rollout.is_failed or unfinished > episode.last_round:
        return []
    asked = episode.asked_writers(unfinished, rollout.seed)
    return [unfinished] if agent in asked else []
