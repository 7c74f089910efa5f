"""Check the names under which the agents of a dialogue are shown to each other."""

import unicodedata
from collections.abc import Mapping

from nip.errors import ProtocolError
from nip.scenario_base.text.agent_spec import ANONYMOUS_NAME, SYSTEM_NAME, TextAgentSpec

_RESERVED = (SYSTEM_NAME, ANONYMOUS_NAME)


def check_shown_names(specs: Mapping[str, TextAgentSpec]) -> None:
    """Check that the label of a message tells its author.

    Raises
    ------
    ProtocolError
        If a name is empty, has brackets or more than one line, is that of the system notes or of
        anonymous agents, or is that of another agent, with or without a header.
    """
    owners = {_key(name): name for name in _RESERVED}
    for agent, spec in specs.items():
        name = spec.shown_name
        if not isinstance(name, str) or not _key(name) or not is_label(name):
            raise ProtocolError(
                f"The spec of {agent!r} has shown_name={name!r}, which must be one line with "
                "letters and without brackets. Give it such a name."
            )
        labels = [name]
        if not spec.is_anonymous:
            labels += [f"{name} {header}" for header in spec.headers.values()]
        for label in labels:
            owner = owners.get(_key(label))
            if owner in _RESERVED:
                raise ProtocolError(
                    f"The spec of {agent!r} has shown_name={name!r}, but [{owner}] is the label of "
                    f"{'system notes' if owner == SYSTEM_NAME else 'anonymous agents'}. Choose "
                    "another name."
                )
            if owner is not None and owner != agent:
                raise ProtocolError(
                    f"The messages of {owner!r} and {agent!r} would have the same label, "
                    f"[{label}]. Give each agent a shown_name of its own."
                )
        owners |= {_key(label): agent for label in labels}


def is_label(text: str) -> bool:
    """Return whether a text can stand between brackets: one line, and no brackets in it."""
    return text.isprintable() and not set("[]") & set(text)


def _key(label: str) -> str:
    """Return a label in the form in which readers could take it for another one."""
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())
