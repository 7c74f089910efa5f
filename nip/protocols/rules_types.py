"""Check that the fields of the rules of a protocol have the types that ``ProtocolRules`` states.

Rules may come from a plugin, so their types are checked at run time.
"""

from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real

from nip.errors import shown
from nip.protocols.imitation import Imitation
from nip.protocols.rules import AgentRewards, ProtocolRules


def problems_with_types(rules: ProtocolRules) -> Iterator[str]:
    """Yield a message for each field of another type; timetables are checked by themselves."""
    for name, (has_type, wanted) in _FIELDS.items():
        value = getattr(rules, name)
        if not has_type(value):
            yield f"{name} must be {wanted}, got {shown(value)}."


def is_sequence(value: object) -> bool:
    """Return whether a value is a tuple or a list."""
    return isinstance(value, tuple | list)


def is_mapping(value: object) -> bool:
    """Return whether a value is a mapping."""
    return isinstance(value, Mapping)


def are_names(value: object) -> bool:
    """Return whether a value is a tuple or a list of strings."""
    return isinstance(value, tuple | list) and all(isinstance(name, str) for name in value)


def is_reward_table(value: object) -> bool:
    """Return whether a value has two rows of two numbers."""
    return _is_pair(value) and all(
        _is_pair(row) and _are_real(*row)
        for row in value  # type: ignore[attr-defined]
    )


def _are_real(*values: object) -> bool:
    return all(isinstance(value, Real) for value in values)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _is_number(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _are_rewards(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, AgentRewards) and _are_real(each.terminated, each.no_guess)
        for each in value.values()
    )


def _are_named_tuples(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(are_names, value.values()))


def _are_groups(value: object) -> bool:
    return isinstance(value, tuple | list) and all(map(are_names, value))


def _are_imitations(value: object) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(each, Imitation) for each in value)


_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "channels": (
        is_mapping,
        "a mapping from channels to tuples of agents, such as {'main': ('prover', 'verifier')}",
    ),
    "max_message_rounds": (_is_number, "an integer"),
    "min_message_rounds": (_is_number, "an integer"),
    "num_episode_rounds": (_is_number_or_none, "an integer or None"),
    "prover_goals": (is_mapping, "a mapping from provers to 0 or 1, such as {'prover': 1}"),
    "rewards": (_are_rewards, "a mapping from agents to AgentRewards, which hold numbers"),
    "deciders": (_are_named_tuples, "a mapping from agents to tuples of channels"),
    "copies": (_are_groups, "a tuple of tuples of channels"),
    "imitations": (_are_imitations, "a tuple of Imitation"),
}
