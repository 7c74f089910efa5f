"""Parameters that the agents of all scenarios have, and the mapping from agents to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from nip.errors import ParameterError
from nip.parameters.fields.dotted_names import join, unknown_parameter
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, field_rules, register_parameter_class
from nip.parameters.training import AgentOptimizerParameters
from nip.parameters.types import Count, NonNegative, Positive
from nip.parameters.update_schedule import (
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    UpdateSchedule,
)

DEFAULT_AGENT = "_default"
"""Name of the entry that stands for every agent that is not listed."""

NO_AGENTS = ("_type", "agents_update_repr")
"""Keys in a stored mapping of agents that are ignored when it is read."""


@register_parameter_class
@dataclass
class LrFactors(SubParameters):
    """Factors on the learning rate of the two things that an agent learns."""

    actor: NonNegative = 1.0
    """Factor for what chooses actions; 0 freezes it."""

    critic: NonNegative = 1.0
    """Factor for what estimates values; 0 freezes it."""

    @property
    def are_equal(self) -> bool:
        """Whether actor and critic learn at one rate, as parts that they share must."""
        return self.actor == self.critic


@dataclass
class BaseAgentParameters(SubParameters):
    """Root of the parameters of all agents, be they networks or language models."""

    is_random: ClassVar[bool] = False
    """Whether the agent acts at random and never learns."""

    derived_keys: ClassVar[tuple[str, ...]] = ("is_random",)

    def to_dict(self) -> dict[str, Any]:
        """Write the agent as plain data, with the class name and whether it plays at random."""
        fields = super().to_dict()
        return {"_type": fields.pop("_type"), "is_random": self.is_random, **fields}

    @classmethod
    def construct_test_params(cls) -> Self:
        """Make the smallest legal agent, for quick tests."""
        return cls()


@register_parameter_class
@dataclass
class AgentParameters(BaseAgentParameters):
    """What the agents of every scenario that are networks have in common."""

    agent_lr_factor: Group[LrFactors] = GROUP_DEFAULT
    """Multiplies the base learning rate for this agent; 0 freezes it."""

    body_lr_factor: Group[LrFactors] = GROUP_DEFAULT
    """Multiplies the learning rate of the agent for its body."""

    update_schedule: Group[UpdateSchedule] = GROUP_DEFAULT
    """Iterations on which the agent learns; by default all."""

    optimizer: Group[AgentOptimizerParameters] = GROUP_DEFAULT
    """What the agent has of its own in the optimizer."""

    load_checkpoint_and_parameters: bool = False
    """Begin with the weights and the parameters that the agent has in another run."""

    checkpoint_run_id: str | None = None
    """Name of that run."""

    checkpoint_version: str | Count = "latest"
    """Which of its checkpoints: ``latest``, ``best``, or the number of an iteration."""

    checkpoint_project: str | None = None
    """Project at Weights & Biases that has the run; None: it lies in ``settings.runs_dir``."""

    checkpoint_entity: str | None = None
    """User or team of that project; None: what WANDB_ENTITY says."""

    use_manual_architecture: bool = False
    """Play the hand-written policy, not a learnt one (graph isomorphism with ``nip`` only)."""

    use_orthogonal_initialisation: bool = True
    """Start from orthogonal weight matrices and zero biases instead of PyTorch's defaults."""

    orthogonal_initialisation_gain: Positive = 1.0
    """Scale of the orthogonal weight matrices."""

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
    """An agent that plays uniformly at random, expects nothing, and is never trained."""

    is_random: ClassVar[bool] = True


class AgentsParameters(Mapping[str, BaseAgentParameters]):
    """Parameters of each agent by its name; the entry ``_default`` answers for names not listed.

    Going through it yields the listed names and ``_default``; ``in`` and ``[]`` know every name.
    """

    def __init__(
        self, agents: Mapping[str, BaseAgentParameters], default: BaseAgentParameters
    ) -> None:
        self._agents = {DEFAULT_AGENT: default, **agents}

    def __getitem__(self, name: str) -> BaseAgentParameters:
        """Parameters of one agent."""
        return self._agents.get(name, self._agents[DEFAULT_AGENT])

    def __contains__(self, name: object) -> bool:
        """Say yes to every name: who is not listed has the default parameters."""
        return isinstance(name, str) and name not in NO_AGENTS

    def __iter__(self) -> Iterator[str]:
        """Go through the listed names and ``_default``."""
        return iter(self._agents)

    def __len__(self) -> int:
        """Count the listed names and ``_default``."""
        return len(self._agents)

    def __repr__(self) -> str:
        return f"AgentsParameters({self._agents!r})"

    @property
    def listed_names(self) -> list[str]:
        """Names that were given parameters of their own, without ``_default``."""
        return [name for name in self._agents if name != DEFAULT_AGENT]

    @property
    def agents_update_repr(self) -> str:
        """Who learns when, in one word: ``Standard``, ``Alternating(...)`` or ``Custom(...)``."""
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
        """Write all agents as plain data, and for the reader who learns when."""
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
        """Make the mapping from what was given for ``agents``.

        Parameters
        ----------
        value : Any
            None, or a mapping from names to instances of ``agent_class`` or
            ``RandomAgentParameters``, mappings of their fields (with ``is_random: true`` for a
            random agent), or None.
        agent_class : type[BaseAgentParameters]
            Class of the agents of the scenario.
        path : str
            Dotted name of the mapping, for messages.
        ignore_unknown : bool
            Leave out unknown names of fields instead of refusing them.

        Raises
        ------
        ParameterError
            If any agent cannot be made; lists all problems.
        """
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ParameterError(
                f"{path} must be a mapping from agent names to their parameters, got {value!r}."
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
    """Refuse names that could not be told apart in dotted names, metrics and files."""
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
        if name != other and name in other
    ]


def _build_agent(
    value: Any, agent_class: type[BaseAgentParameters], path: str, ignore_unknown: bool
) -> BaseAgentParameters:
    """Make the parameters of one agent of a scenario."""
    if not issubclass(agent_class, AgentParameters):
        return _build_text_agent(value, agent_class, path, ignore_unknown)
    if isinstance(value, Mapping):
        is_random = value.get("is_random")
        if is_random is not None and not isinstance(is_random, bool):
            raise ParameterError(f"{path}.is_random must be True or False, got {is_random!r}.")
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
    """Make an agent of a scenario in which none can play at random."""
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
    """Make a random agent, though fields of the learning agents may stand beside ``is_random``.

    The command line composes the full tree of fields for each agent, whatever it turns out to be.
    """
    own, tolerated = field_rules(RandomAgentParameters), field_rules(agent_class)
    known = {"_type", "is_random", *own, *tolerated}
    if not ignore_unknown and (unknown := [name for name in value if name not in known]):
        raise ParameterError(*(unknown_parameter(name, path, tolerated) for name in unknown))
    given = {name: each for name, each in value.items() if name in own}
    return RandomAgentParameters.build(given, path)
