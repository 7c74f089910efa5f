"""What a stored run names outside of itself, and the user has not named.

A run folder may come from somebody else, so it is treated as data: code, services, addresses, keys
and files that its parameters name are used only if the user gives the same values, on the command
line, in a configuration file or in Python. Which parameters these are is marked beside them, see
``nip.parameters.fields.outside_names``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nip.errors import ParameterError
from nip.parameters.agents import DEFAULT_AGENT, AgentsParameters
from nip.parameters.fields.dotted_names import join
from nip.parameters.fields.outside_names import names_outside
from nip.parameters.named_components import NamedComponent
from nip.parameters.parameters_base import SubParameters, field_rules

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters

FILE_NAME = "hyper_params.yaml"
"""File of the parameters in the folder of a run."""

_PLAIN_NAME = re.compile(r"[\w-]+")
_NEEDS_NO_QUOTES = re.compile(r"[\w./:@+-]+")


class OutsideName(NamedTuple):
    """A value that names something outside of the run."""

    name: str
    """Dotted name of the parameter."""

    value: Any
    """Its value."""

    what: str
    """What it names, in the plural."""

    @property
    def option(self) -> str:
        """Name of the option that sets it: a list of components is given as a whole."""
        return self.name.partition("[")[0]

    def __str__(self) -> str:
        return f"{self.name}={self.value!r} ({self.what})"


def is_plain_name(text: str) -> bool:
    """Return whether a text has only letters, digits, ``_`` and ``-``, so that it is no path."""
    return _PLAIN_NAME.fullmatch(text) is not None


def check_all_is_named(
    used: HyperParameters,
    given: HyperParameters,
    agent_names: Collection[str],
    source: str,
    option: str | None = None,
) -> None:
    """Refuse parameters of a stored run that name something that the user has not named.

    Parameters
    ----------
    used : HyperParameters
        The parameters that would be used.
    given : HyperParameters
        Those that the user has given, complete with defaults.
    agent_names : Collection[str]
        Agents of the protocol.
    source : str
        Where the stored parameters come from, for the message.
    option : str, optional
        Option of a script that names them, for the message; None: parameters are options.

    Raises
    ------
    ParameterError
        Listing every such value, with the options that would name it.
    """
    names = _once_for_all_agents(list(_names_in(used, given, "", agent_names)), agent_names)
    _refuse(names, source, _as_options(names, option))


def check_agent_is_named(name: str, used: SubParameters, given: SubParameters, source: str) -> None:
    """Refuse parameters of a stored agent in the same way."""
    names = list(_names_in(used, given, f"agents.{name}", ()))
    _refuse(names, source, _as_options(names))


def check_all_is_given(used: HyperParameters, given: Mapping[str, Any], source: str) -> None:
    """Refuse parameters that name something unless they are among those given by dotted name."""
    found = _names_in(used, None, "", list(used.agents))
    names = [each for each in found if not _is_among(each.option, given)]
    values = {each.option: each.value if each.option == each.name else [...] for each in names}
    _refuse(names, source, f"pass given={values!r}")


def _is_among(name: str, given: Iterable[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in given)


def _names_in(
    used: SubParameters, given: Any, path: str, agent_names: Collection[str]
) -> Iterator[OutsideName]:
    """Yield the values in a group that name something outside and differ from those given.

    A group that was not given has its defaults, which come from code and not from the stored run.
    """
    for name, rule in field_rules(type(used)).items():
        value, own = getattr(used, name), getattr(given, name, rule.default)
        dotted = "" if name == "plugin_groups" else join(path, name)
        if isinstance(value, SubParameters):
            yield from _names_in(value, own, dotted, agent_names)
        elif isinstance(value, AgentsParameters):
            for agent in agent_names:
                own_agent = None if own is None else own[agent]
                yield from _names_in(value[agent], own_agent, join(dotted, agent), ())
        elif isinstance(value, Mapping) and _are_groups(value.values()):
            for key, group in value.items():
                yield from _names_in(group, (own or {}).get(key), join(dotted, key), agent_names)
        elif isinstance(value, tuple) and _are_groups(value):
            for index, part in enumerate(() if value == own else value):
                yield from _names_in(part, None, f"{dotted}[{index}]", ())
        elif name != "name" or not isinstance(used, NamedComponent):
            mark = names_outside(rule.annotation)
            counts = mark is not None and (value != own or (mark.even_by_default and given is None))
            if mark is not None and counts and value not in (None, "", (), {}) and mark.when(used):
                yield OutsideName(dotted, value, mark.what)


def _are_groups(values: Iterable[Any]) -> bool:
    return all(isinstance(each, SubParameters) for each in values)


def _refuse(names: list[OutsideName], source: str, how_to_give: str) -> None:
    if not names:
        return
    listing = "\n".join(f"    {each}" for each in names)
    raise ParameterError(
        f"{source}: its parameters name what is outside of that run:\n{listing}\n"
        "A run may come from somebody else, so this is used only if you give it yourself. If you "
        f"trust it, {how_to_give}; otherwise give other values."
    )


def _as_options(names: Iterable[OutsideName], option: str | None = None) -> str:
    """Say how to give values on the command line, and in Python."""
    options = " ".join(dict.fromkeys(map(_as_option, names)))
    if option is not None:
        python = {each.option: each.value if each.option == each.name else [...] for each in names}
        return f"add {option} {options} to the command line, or pass given={python!r}"
    return f"add {options} to the command line, or the same to HyperParameters"


def _as_option(each: OutsideName) -> str:
    if each.option != each.name:
        return f"{each.option}=[...]"
    text = _in_hydra_syntax(each.value)
    return shlex.quote(f"{each.name}={text}") if text.isprintable() else f"{each.name}=..."


def _in_hydra_syntax(value: Any) -> str:
    """Return a value as an override has it, with text in quotes where it needs them."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_in_hydra_syntax(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_in_hydra_syntax, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _once_for_all_agents(
    names: list[OutsideName], agent_names: Collection[str]
) -> list[OutsideName]:
    """Replace entries that all agents have in common by one of ``_default``."""
    if len(agent_names) < 2:
        return names
    fields: dict[tuple[str, str], list[OutsideName]] = {}
    for each in names:
        group, _, rest = each.name.partition(".")
        field = rest.partition(".")[2] if group == "agents" else each.name
        fields.setdefault((field, repr(each.value)), []).append(each)
    return [
        found
        for (field, _), group in fields.items()
        for found in (
            [group[0]._replace(name=f"agents.{DEFAULT_AGENT}.{field}")]
            if len(group) == len(agent_names)
            else group
        )
    ]
