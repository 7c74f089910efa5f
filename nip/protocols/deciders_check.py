"""Checks of rules in which several agents decide, play copies of an exchange, or imitate."""

from collections.abc import Iterator

from nip.errors import unknown_name
from nip.protocols.imitation import Imitation
from nip.protocols.rules import VERIFIER, ProtocolRules


def problems_with_deciders(rules: ProtocolRules) -> Iterator[str]:
    """Yield a message for each inconsistency of ``deciders``, ``copies`` and ``imitations``."""
    yield from _unknown_names(rules)
    if rules.deciders and VERIFIER not in rules.deciders:
        yield (
            f"deciders must include {VERIFIER!r}, whose decision is rewarded, got "
            f"{', '.join(rules.deciders)}. Add it, with the channels that its decision closes."
        )
    for agent in rules.deciders:
        yield from _problems_with_turns(rules, agent)
    yield from _problems_with_copies(rules)
    for imitation in rules.imitations:
        if imitation.imitator in rules.closed_by:
            yield (
                f"the imitator {imitation.imitator!r} must not be among deciders, because its "
                "decision is only compared with another one. Take it out."
            )
        yield from _problems_with_visibility(rules, imitation)


def _unknown_names(rules: ProtocolRules) -> Iterator[str]:
    agents, channels = tuple(rules.agents), tuple(rules.channels)
    for agent, closed in rules.deciders.items():
        yield from _unknown("agent", (agent,), agents, "deciders")
        yield from _unknown("channel", closed, channels, f"deciders[{agent!r}]")
    for number, copy in enumerate(rules.copies):
        yield from _unknown("channel", copy, channels, f"copies[{number}]")
    for number, imitation in enumerate(rules.imitations):
        place = f"imitations[{number}]"
        named = (imitation.imitator, imitation.model, *imitation.rewards)
        yield from _unknown("agent", named, agents, place)
        written = (*imitation.channels, *imitation.channels.values())
        yield from _unknown("channel", written, channels, place)


def _unknown(
    what: str, names: tuple[str, ...], known: tuple[str, ...], place: str
) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{place} is wrong. {unknown_name(what, name, known)}"


def _problems_with_turns(rules: ProtocolRules, agent: str) -> Iterator[str]:
    """Yield a message if a decision closes nothing, or an agent can never decide."""
    if not rules.deciders[agent]:
        yield (
            f"the decision of {agent!r} closes no channel, so it has no effect. Name channels in "
            f"deciders[{agent!r}], or leave it out."
        )
    for variant, timetable in enumerate(rules.timetables):
        rounds = range(rules.min_message_rounds - 1, rules.num_rounds)
        if not any(timetable[round_ % len(timetable)].get(agent) for round_ in rounds):
            yield (
                f"{agent!r} has no turn from round {rules.min_message_rounds} to "
                f"{rules.num_rounds} (timetable {variant}), so it never decides. Give it a turn, "
                "or take it out of deciders."
            )


def _problems_with_copies(rules: ProtocolRules) -> Iterator[str]:
    """Yield a message if an agent does not see the same in all copies that it plays."""
    listed = [channel for copy in rules.copies for channel in copy]
    for channel in sorted({channel for channel in listed if listed.count(channel) > 1}):
        yield f"channel {channel!r} must be in one of the copies only. Take it out of the others."
    for agent in rules.agents:
        views = rules.views(agent)
        if len({len(view) for view in views}) > 1:
            yield (
                f"{agent!r} must see equally many channels of each copy that it plays, got "
                f"{' and '.join(', '.join(view) for view in views)}. Make them equal."
            )
        seen = {name for name, seen_by in rules.channels.items() if agent in seen_by}
        if len(views) > 1 and (others := sorted(seen - {each for view in views for each in view})):
            yield (
                f"{agent!r} plays several copies, but also sees {', '.join(others)}, which is in "
                "none of them. Put a copy of it into each, or take the agent out."
            )


def _problems_with_visibility(rules: ProtocolRules, imitation: Imitation) -> Iterator[str]:
    """Yield a message if the imitator does not write where the model does."""
    turns = [turn for timetable in rules.timetables for turn in timetable]
    for turn in turns:
        written = {imitation.channels.get(name) for name in turn.get(imitation.model, ())} - {None}
        if not written <= set(turn.get(imitation.imitator, ())):
            yield (
                f"{imitation.imitator!r} imitates {imitation.model!r}, so it must write on "
                f"{', '.join(sorted(map(str, written)))} in the turn {dict(turn)!r}. Add that."
            )
            return
