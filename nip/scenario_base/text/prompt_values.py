"""Values of the placeholders of system prompts, derived from the rules of the dialogue."""

from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.agent_spec import ANONYMOUS_NAME
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.quoting import PREFIX
from nip.scenario_base.text.stances import linear_reward_note, own_stance, stance_of_other


def prompt_values(
    rules: DialogueRules, agent: str, *, stance: int, seed: int, channels: tuple[str, ...]
) -> dict[str, str]:
    """Return the values of all placeholders except the question and the solution.

    The label is deliberately no argument, so that no prompt can contain it.

    Parameters
    ----------
    rules : DialogueRules
        The rules of the dialogues.
    agent : str
        Name of the agent that reads the prompt.
    stance : int
        Stance of the datapoint; unused unless stances are randomised.
    seed : int
        Seed of the episode.
    channels : tuple of str
        All channels, in the order in which the agent reads them.
    """
    is_verifier = agent == VERIFIER
    return {
        "agent_name": rules.specs[agent].shown_name,
        "max_response_words": str(rules.max_response_words[agent]),
        "max_questions": str(rules.protocol.max_verifier_questions),
        "max_messages": str(len(rules.episode.turns(agent, seed))),
        "order_string": f"{order_string(rules, agent, seed)}{_quotation_note(rules)}",
        "agent_stance_string": own_stance(rules, agent, stance),
        "prover_stance_string": _other_stances(rules, agent, stance, channels),
        "decision_instruction": decision_instruction(rules, seed) if is_verifier else "",
        "channel_instruction": channel_instruction(rules, agent, channels),
    }


def decision_instruction(rules: DialogueRules, seed: int) -> str:
    """Explain when and how the verifier decides."""
    episode, form = rules.episode, rules.scale.instruction
    turns = episode.turns(VERIFIER, seed)
    allowed = [round for round in turns if episode.may_decide(VERIFIER, round, seed)]
    end = "with nothing after it"
    if len(turns) == 1:
        when = f"Your message must end with your decision. Its last line must be {form}, {end}."
    else:
        num_early = len(turns) - len(allowed)
        early = {
            0: "You may decide in any of your messages",
            1: "You cannot decide in your first message, but in any later one",
        }.get(num_early, f"You cannot decide in your first {num_early} messages, but in any later")
        when = (
            f"{early}, as soon as you know enough. To decide, make the last line of the message "
            f"{form}, {end}. That ends the conversation. In a message that does not decide, do not "
            f"write such a line. You write at most {len(turns)} messages, and must decide in the "
            "last of them at the latest."
        )
    return f"{when} {linear_reward_note(rules)}".rstrip()


def channel_instruction(rules: DialogueRules, agent: str, channels: tuple[str, ...]) -> str:
    """Explain how an agent that writes on several channels at once separates them."""
    at_once = [channel for channel in channels if channel in rules.channels_at_once[agent]]
    if not at_once:
        return ""
    headers = [rules.specs[agent].headers[channel] for channel in at_once]
    shape = "\n\n".join(f"[{header}]\n<your message {header}>" for header in headers)
    exception = " A message that decides needs no headers." if agent == VERIFIER else ""
    return (
        "Put each part of your message under its header, with the header on a line of its own, "
        f"like this:\n\n{shape}\n\nAll headers must be there.{exception} What stands above the "
        "first header is seen by nobody else."
    )


def order_string(rules: DialogueRules, reader: str, seed: int) -> str:
    """Describe the number of rounds and the order of turns, without hidden names."""
    protocol = rules.protocol
    num_rounds = protocol.num_episode_rounds
    rounds = [tuple(rules.episode.writers(round, seed)) for round in range(num_rounds)]
    period = next(
        period
        for period in range(1, num_rounds + 1)
        if all(rounds[round] == rounds[round - period] for round in range(period, num_rounds))
    )
    steps = [_writers_in_words(rules, reader, writers) for writers in rounds[:period]]
    order = ", then ".join(steps) + (", and so on" if num_rounds > period else "")
    count = "1 round" if num_rounds == 1 else f"at most {num_rounds} rounds"
    return f"The conversation has {count}, in which the order is: {order}."


def _quotation_note(rules: DialogueRules) -> str:
    """Explain how messages of others are shown, if there are others."""
    if not rules.quotes_messages or rules.protocol.num_agents == 1:
        return ""
    return (
        f" Every line that another agent has written begins with `{PREFIX.strip()}`; your own "
        "messages need no such marks."
    )


def _writers_in_words(rules: DialogueRules, reader: str, writers: tuple[str, ...]) -> str:
    names = [_name_for(rules, reader, writer) for writer in writers]
    if len(names) < 2:
        return "".join(names) or "nobody"
    return f"{', '.join(names[:-1])} and {names[-1]} at the same time"


def _name_for(rules: DialogueRules, reader: str, agent: str) -> str:
    if agent == reader:
        return "you"
    spec = rules.specs[agent]
    if not spec.is_anonymous:
        return spec.shown_name
    kind = "prover" if agent in rules.protocol.prover_names else "agent"
    return f"an {ANONYMOUS_NAME.lower()} {kind}"


def _other_stances(
    rules: DialogueRules, reader: str, stance: int, channels: tuple[str, ...]
) -> str:
    """Describe the stances of the other agents, in the order of the reader's channels."""
    names = rules.protocol.agent_names
    others = [agent for agent in names if agent not in (reader, VERIFIER)]
    others.sort(key=lambda agent: min(map(channels.index, _channels_of(rules, agent))))
    return " ".join(stance_of_other(rules, reader, agent, stance) for agent in others)


def _channels_of(rules: DialogueRules, agent: str) -> list[str]:
    """Return the channels on which an agent ever writes; all channels if it never writes."""
    protocol = rules.protocol
    active = protocol.active[:, :, protocol.agent_names.index(agent)]
    names = enumerate(protocol.channel_names)
    written = [channel for index, channel in names if bool(active[:, :, index].any())]
    return written or list(protocol.channel_names)
