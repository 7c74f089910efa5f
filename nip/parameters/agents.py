"""Parameters shared by the agents of all scenarios, and the mapping from agent names to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from nip.errors import ParameterError, shown
from nip.parameters.fields.dotted_names import join, unknown_parameter
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.outside_names import PLAIN_TEXT, NamesOutside
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, field_rules, register_parameter_class
from nip.parameters.protocols import ADVERSARIAL_VERIFIER
from nip.parameters.training import AgentOptimizerParameters
from nip.parameters.types import Count, NonNegative, Positive
from nip.parameters.update_schedule import (
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    UpdateSchedule,
)

DEFAULT_AGENT = "_default"
"""Name of the entry that holds for every agent that is not listed."""

NO_AGENTS = ("_type", "agents_update_repr")
"""Keys in a stored mapping of agents that are ignored when it is read."""


LEARNING_OPTIONS = (
    "agent_lr_factor",
    "body_lr_factor",
    "update_schedule",
    "optimizer",
    "use_orthogonal_initialisation",
    "orthogonal_initialisation_gain",
)
"""Options of an agent that have no effect if it does not learn."""


@register_parameter_class
@dataclass
class LrFactors(SubParameters):
    """Factors on the learning rates of actor and critic."""

    actor: NonNegative = 1.0
    """Factor on the learning rate of the actor; 0 freezes it."""

    critic: NonNegative = 1.0
    """Factor on the learning rate of the critic; 0 freezes it."""

    @property
    def are_equal(self) -> bool:
        """Whether both factors are equal, as a shared body requires."""
        return self.actor == self.critic


@dataclass
class BaseAgentParameters(SubParameters):
    """Base class of the parameters of all agents, networks and language models."""

    is_random: ClassVar[bool] = False
    """Whether the agent acts at random and never learns."""

    derived_keys: ClassVar[tuple[str, ...]] = ("is_random",)

    def to_dict(self) -> dict[str, Any]:
        """Convert the agent to plain data, with its class name and ``is_random``."""
        fields = super().to_dict()
        return {"_type": fields.pop("_type"), "is_random": self.is_random, **fields}

    @classmethod
    def construct_test_params(cls) -> Self:
        """Return the smallest valid parameters, for tests."""
        return cls()


def _is_loaded(agent: AgentParameters) -> bool:
    return agent.load_checkpoint_and_parameters


@register_parameter_class
@dataclass
class AgentParameters(BaseAgentParameters):
    """Parameters shared by all agents that are networks."""

    agent_lr_factor: Group[LrFactors] = GROUP_DEFAULT
    """Factors on the base learning rate for this agent; 0 freezes it."""

    body_lr_factor: Group[LrFactors] = GROUP_DEFAULT
    """Factors on the agent's learning rate for its body."""

    update_schedule: Group[UpdateSchedule] = GROUP_DEFAULT
    """Iterations in which the agent learns; by default all."""

    optimizer: Group[AgentOptimizerParameters] = GROUP_DEFAULT
    """Optimizer options of this agent alone."""

    load_checkpoint_and_parameters: bool = False
    """Start from the weights and parameters of this agent in another run."""

    checkpoint_run_id: Annotated[str | None, PLAIN_TEXT] = None
    """Name of the run from which they are loaded."""

    checkpoint_version: Annotated[str | Count, PLAIN_TEXT] = "latest"
    """Checkpoint of that run: ``latest``, ``best``, or the number of an iteration."""

    checkpoint_project: Annotated[
        str | None, NamesOutside("projects that are read", _is_loaded)
    ] = None
    """Weights & Biases project that holds the run; None: the run is in ``settings.runs_dir``."""

    checkpoint_entity: Annotated[str | None, NamesOutside("accounts that are read", _is_loaded)] = (
        None
    )
    """User or team that owns the project; None: the value of WANDB_ENTITY."""

    use_manual_architecture: bool = False
    """Use the hand-written policy instead of a network (graph isomorphism with ``nip`` only)."""

    use_orthogonal_initialisation: bool = True
    """Initialise weights orthogonally and biases with 0 instead of with PyTorch's defaults."""

    orthogonal_initialisation_gain: Positive = 1.0
    """Gain of the orthogonal initialisation."""

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        UnusedOptionRule(
            ("orthogonal_initialisation_gain",),
            "unless use_orthogonal_initialisation=True",
            lambda agent, _: not agent.use_orthogonal_initialisation,
        ),
        UnusedOptionRule(
            ("checkpoint_run_id", "checkpoint_version", "checkpoint_project", "checkpoint_entity"),
            "unless load_checkpoint_and_parameters=True",
            lambda agent, _: not agent.load_checkpoint_and_parameters,
        ),
        UnusedOptionRule(
            ("checkpoint_entity",),
            "unless checkpoint_project names a project",
            lambda agent, _: agent.checkpoint_project is None,
        ),
    )


@register_parameter_class
@dataclass
class RandomAgentParameters(AgentParameters):
    """An agent that acts uniformly at random and is never trained."""

    is_random: ClassVar[bool] = True

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        *AgentParameters.unused_rules,
        UnusedOptionRule(LEARNING_OPTIONS, "for a random agent, which has no weights"),
    )


class AgentsParameters(Mapping[str, BaseAgentParameters]):
    """Parameters of each agent by name; the entry ``_default`` holds for names that are not listed.

    Iteration yields the listed names and ``_default``; ``in`` and ``[]`` accept every name.
    """

    def __init__(
        self, agents: Mapping[str, BaseAgentParameters], default: BaseAgentParameters
    ) -> None:
        self._agents = {DEFAULT_AGENT: default, **agents}

    def __getitem__(self, name: str) -> BaseAgentParameters:
        """Return the parameters of one agent."""
        return self._agents.get(name, self._agents[DEFAULT_AGENT])

    def __contains__(self, name: object) -> bool:
        """Return True for every name: agents that are not listed have the default parameters."""
        return isinstance(name, str) and name not in NO_AGENTS

    def __iter__(self) -> Iterator[str]:
        """Iterate over the listed names and ``_default``."""
        return iter(self._agents)

    def __len__(self) -> int:
        """Return the number of listed names, plus one for ``_default``."""
        return len(self._agents)

    def __repr__(self) -> str:
        return f"AgentsParameters({self._agents!r})"

    @property
    def listed_names(self) -> list[str]:
        """Names that have parameters of their own, without ``_default``."""
        return [name for name in self._agents if name != DEFAULT_AGENT]

    @property
    def agents_update_repr(self) -> str:
        """Summary of update schedules: ``Standard``, ``Alternating(...)`` or ``Custom(...)``."""
        schedules = {
            name: agent.update_schedule
            for name, agent in self.items()
            if isinstance(agent, AgentParameters)
        }
        if all(isinstance(schedule, ConstantUpdateSchedule) for schedule in schedules.values()):
            return "Standard"
        turns = {
            schedule.first_agent: (name, schedule.period, schedule.first_agent_num_rounds)
            for name, schedule in schedules.items()
            if name != DEFAULT_AGENT and isinstance(schedule, AlternatingPeriodicUpdateSchedule)
        }
        if len(self.listed_names) == len(turns) == 2 and turns[True][1:] == turns[False][1:]:
            first, period, num_rounds = turns[True]
            return f"Alternating({period}, {num_rounds}, {first}, {turns[False][0]})"
        return f"Custom({', '.join(f'{name}: {each!r}' for name, each in schedules.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Convert all agents to plain data, with a summary of their update schedules."""
        agents: dict[str, Any] = {name: agent.to_dict() for name, agent in self.items()}
        return {**agents, "agents_update_repr": self.agents_update_repr}

    @classmethod
    def build(
        cls,
        value: Any,
        agent_class: type[BaseAgentParameters],
        path: str,
        ignore_unknown: bool = False,
    ) -> AgentsParameters:
        """Build the mapping from the value given for ``agents``.

        It is None, or a mapping from names to instances of ``agent_class`` or
        ``RandomAgentParameters``, mappings of their fields (with ``is_random: true`` for a random
        agent), or None. The other arguments are those of ``SubParameters.build``. A
        ``ParameterError`` lists all problems.
        """
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ParameterError(
                f"{path} must be a mapping from agent names to their parameters, got "
                f"{shown(value)}."
            )
        problems = _problems_with_names(value, path)
        agents: dict[str, BaseAgentParameters] = {}
        for name, given in value.items():
            if name in NO_AGENTS:
                continue
            try:
                agents[name] = _build_agent(
                    given, agent_class, join(path, str(name)), ignore_unknown
                )
            except ParameterError as error:
                problems.extend(error.problems)
        if problems:
            raise ParameterError(*problems)
        default = agents.pop(DEFAULT_AGENT, None) or agent_class()
        return cls(agents, default)


def _problems_with_names(agents: Mapping[str, Any], path: str) -> list[str]:
    """Return messages about names that dotted names, metrics or files could not tell apart."""
    names = [str(name) for name in agents if name not in (DEFAULT_AGENT, *NO_AGENTS)]
    unreadable = [
        f"{path}: an agent's name must be made of letters, digits and underscores and not begin "
        f"with a digit, got {name!r}. Rename it."
        for name in names
        if not name.isidentifier()
    ]
    return unreadable + [
        f"{path}: the agent name {name!r} must not be part of another, got {other!r} as well. "
        f"Rename one of them, for example to {name + '0'!r}."
        for name in names
        for other in names
        # The agents of zero knowledge are told apart, although one is part of another.
        if name != other and name in other and other != ADVERSARIAL_VERIFIER
    ]


def _build_agent(
    value: Any, agent_class: type[BaseAgentParameters], path: str, ignore_unknown: bool
) -> BaseAgentParameters:
    """Build the parameters of one agent."""
    if not issubclass(agent_class, AgentParameters):
        return _build_text_agent(value, agent_class, path, ignore_unknown)
    if isinstance(value, Mapping):
        is_random = value.get("is_random")
        if is_random is not None and not isinstance(is_random, bool):
            raise ParameterError(f"{path}.is_random must be True or False, got {shown(is_random)}.")
        names_random = value.get("_type") == RandomAgentParameters.__name__
        if names_random or (is_random and "_type" not in value):
            return _build_random_agent(value, agent_class, path, ignore_unknown)
        if is_random:
            raise ParameterError(
                f"{path}.is_random is True, but {path}._type is {value['_type']!r}. Remove `_type` "
                f"for a random agent, or `is_random` for one that is not."
            )
    if isinstance(value, RandomAgentParameters):
        return value
    if isinstance(value, SubParameters) and not isinstance(value, agent_class):
        raise ParameterError(
            f"{path} must be {agent_class.__name__} or RandomAgentParameters in this scenario, got "
            f"{type(value).__name__}. Give one of these, or choose another scenario."
        )
    return agent_class.build(value, path, ignore_unknown)


def _build_text_agent(
    value: Any, agent_class: type[BaseAgentParameters], path: str, ignore_unknown: bool
) -> BaseAgentParameters:
    """Build the parameters of a language-model agent, which cannot be random."""
    asks_for_random = isinstance(value, RandomAgentParameters) or (
        isinstance(value, Mapping)
        and (value.get("is_random") or value.get("_type") == RandomAgentParameters.__name__)
    )
    if asks_for_random:
        raise ParameterError(
            f"{path}.is_random must be False in this scenario, whose agents are language models, "
            "got True. Remove it; the provider 'scripted' makes agents with canned answers."
        )
    return agent_class.build(value, path, ignore_unknown)


def _build_random_agent(
    value: Mapping[str, Any],
    agent_class: type[BaseAgentParameters],
    path: str,
    ignore_unknown: bool,
) -> RandomAgentParameters:
    """Build the parameters of a random agent, ignoring the fields of learning agents.

    The command line composes all fields of each agent, also of one that turns out to be random.
    """
    own, tolerated = field_rules(RandomAgentParameters), field_rules(agent_class)
    known = {"_type", "is_random", *own, *tolerated}
    if not ignore_unknown and (unknown := [name for name in value if name not in known]):
        raise ParameterError(*(unknown_parameter(name, path, tolerated) for name in unknown))
    given = {name: each for name, each in value.items() if name in own}
    return RandomAgentParameters.build(given, path)
