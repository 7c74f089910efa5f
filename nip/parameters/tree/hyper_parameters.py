"""Root of the tree of hyper-parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from nip.errors import ParameterError, did_you_mean
from nip.parameters.agents import AgentsParameters
from nip.parameters.base_run import BaseRunParameters
from nip.parameters.callbacks import CallbackParameters, callback_specs
from nip.parameters.checks.choices import problems_with_choices
from nip.parameters.checks.combinations import problems_with_combinations
from nip.parameters.checks.unused_options import unused_options
from nip.parameters.fields.dotted_names import unknown_parameter
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.outside_names import PLAIN_TEXT, NamesOutside
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.local_training import LocalTrainingParameters
from nip.parameters.message_regression import MessageRegressionParameters
from nip.parameters.named_components import (
    LossTermParameters,
    build_named_components,
    loss_term_specs,
)
from nip.parameters.opponent_pool import OpponentPoolParameters
from nip.parameters.parameters_base import (
    FieldRule,
    SubParameters,
    field_rules,
    parameter_groups,
    register_parameter_class,
)
from nip.parameters.protocols import (
    CommonProtocolParameters,
    DebateProtocolParameters,
    MnipProtocolParameters,
    NipProtocolParameters,
    ZkProtocolParameters,
)
from nip.parameters.scenarios.code_validation import CodeValidationParameters
from nip.parameters.specs import scenario_specs, trainer_specs
from nip.parameters.text_agents import RehearsalParameters
from nip.parameters.trainers import (
    FineTuningParameters,
    PpoParameters,
    PureTextEiParameters,
    ReinforceParameters,
    RlParameters,
    SoloAgentParameters,
    TextRlParameters,
)
from nip.parameters.training import (
    LrSchedulerParameters,
    OptimizerParameters,
    UpdateStepParameters,
)
from nip.parameters.tree import yaml_text
from nip.parameters.tree.changes import apply_changes
from nip.parameters.tree.migrations import PACKAGE_KEYS, migrate, package_stamp
from nip.parameters.tree.plugin_names import PLUGINS_KEY, how_to_load_plugins, plugin_stamp
from nip.parameters.tree.unnamed import FILE_NAME, check_all_is_given, is_plain_name
from nip.parameters.types import (
    Count,
    InteractionProtocolType,
    NameOrPath,
    OpenUnitInterval,
    ScenarioType,
    Seed,
    TrainerType,
)
from nip.utils.files import regular


def _read_text(path: Path) -> str:
    try:
        return regular(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ParameterError(
            f"The parameters in {str(path)!r} cannot be read: {reason}. Give the path of a YAML "
            "file, or the YAML itself."
        ) from error


def _ends_before_first_evaluation(hyper_params: HyperParameters, _: HyperParameters) -> bool:
    """Return whether there are fewer iterations than ``eval_every``."""
    spec = trainer_specs[hyper_params.trainer]
    if hyper_params.eval_every is None or not spec.states_that_it_reads("eval_every"):
        return False
    return bool(hyper_params.eval_every > hyper_params.get(spec.num_iterations))


def _has_dataset_elsewhere(hyper_params: HyperParameters) -> bool:
    """Return whether the dataset may be outside of ``settings.data_dir``."""
    return not is_plain_name(hyper_params.dataset)


@register_parameter_class
@dataclass
class HyperParameters(SubParameters):
    """Everything that decides the result of an experiment.

    Groups may be given as instances, as mappings of their fields, or as None for their defaults.
    Groups registered by trainers, protocols and plugins are given and read by name as well.

    Raises
    ------
    ParameterError
        On construction, listing every invalid value or combination.
    """

    scenario: Annotated[ScenarioType | str, PLAIN_TEXT]
    """Scenario: the task and the kind of its agents."""

    trainer: Annotated[TrainerType | str, PLAIN_TEXT]
    """Training algorithm."""

    dataset: Annotated[NameOrPath, NamesOutside("files that are read", _has_dataset_elsewhere)]
    """Name of a dataset: a folder of the scenario, or one that it generates."""

    interaction_protocol: Annotated[InteractionProtocolType | str, PLAIN_TEXT] = "nip"
    """Protocol: who speaks when, who hears it, and who is rewarded."""

    seed: Seed = 6198
    """Random seed of the experiment."""

    pretrain_agents: bool = False
    """Pretrain the body of each agent on the labels before the experiment."""

    test_size: OpenUnitInterval = 0.2
    """Share of the data that solo training and pretraining hold out for their test."""

    d_representation: Count = 16
    """Width of the representation that the body of an agent gives to its heads."""

    message_size: Count = 1
    """Number of symbols in each message."""

    include_linear_message_space: bool = False
    """Let agents send a second message, from a fixed set of symbols, beside each message."""

    d_linear_message_space: Count = 2
    """Number of symbols of the linear message space."""

    agents: Group[AgentsParameters] = GROUP_DEFAULT
    """Parameters of each agent by its name; ``_default`` holds for agents that are not listed."""

    rl: Group[RlParameters] = GROUP_DEFAULT
    """Parameters shared by all reinforcement-learning trainers."""

    ppo: Group[PpoParameters] = GROUP_DEFAULT
    """Proximal policy optimisation."""

    optimizer: Group[OptimizerParameters] = GROUP_DEFAULT
    """The optimizer of all agents."""

    lr_scheduler: Group[LrSchedulerParameters] = GROUP_DEFAULT
    """Learning-rate schedule."""

    update_step: Group[UpdateStepParameters] = GROUP_DEFAULT
    """How gradients are clipped, accumulated and applied."""

    loss_terms: tuple[LossTermParameters, ...] = ()
    """Terms added to the loss: names, or mappings with ``name``, ``weight`` and options."""

    eval_every: Count | None = None
    """Number of iterations between evaluations on the test split; None: only at the end."""

    callbacks: tuple[CallbackParameters, ...] = ()
    """Callbacks: names, or mappings with ``name`` and options."""

    reinforce: Group[ReinforceParameters] = GROUP_DEFAULT
    """REINFORCE policy gradient."""

    solo_agent: Group[SoloAgentParameters] = GROUP_DEFAULT
    """Supervised training of each agent by itself."""

    text_rl: Group[TextRlParameters] = GROUP_DEFAULT
    """Parameters shared by all trainers of language models."""

    pure_text_ei: Group[PureTextEiParameters] = GROUP_DEFAULT
    """Expert iteration with language models."""

    fine_tuning: Group[FineTuningParameters] = GROUP_DEFAULT
    """How language models are fine-tuned."""

    local_training: Group[LocalTrainingParameters] = GROUP_DEFAULT
    """Fine-tuning of language models on this machine."""

    rehearsal: Group[RehearsalParameters] = GROUP_DEFAULT
    """The mock API that replaces the API of language models in a rehearsal."""

    code_validation: Group[CodeValidationParameters] = GROUP_DEFAULT
    """Datasets and decisions of code validation."""

    base_run: Group[BaseRunParameters] = GROUP_DEFAULT
    """Another run whose parameters or models are used."""

    protocol_common: Group[CommonProtocolParameters] = GROUP_DEFAULT
    """Rewards and rules shared by most protocols."""

    nip_protocol: Group[NipProtocolParameters] = GROUP_DEFAULT
    """Parameters of the ``nip`` protocol."""

    debate_protocol: Group[DebateProtocolParameters] = GROUP_DEFAULT
    """Parameters of the ``debate`` protocol."""

    mnip_protocol: Group[MnipProtocolParameters] = GROUP_DEFAULT
    """Parameters of the ``mnip`` protocol."""

    zk_protocol: Group[ZkProtocolParameters] = GROUP_DEFAULT
    """Distance and rewards of ``protocol_common.zero_knowledge``."""

    message_regression: Group[MessageRegressionParameters] = GROUP_DEFAULT
    """Networks that predict the label from single messages, which measure what these reveal."""

    opponent_pool: Group[OpponentPoolParameters] = GROUP_DEFAULT
    """Past versions of agents, against which the others learn in a share of the episodes."""

    plugin_groups: dict[str, SubParameters] = field(default_factory=dict)
    """Registered groups by name; in stored trees they are at the root."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("d_linear_message_space",),
            "unless include_linear_message_space=True",
            lambda hyper_params, _: not hyper_params.include_linear_message_space,
        ),
        UnusedOptionRule(
            ("eval_every",), "with fewer iterations than that", _ends_before_first_evaluation
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each impossible combination across groups."""
        return problems_with_combinations(self)

    def find_warnings(self) -> Iterator[str]:
        """Yield a message for each option that has no effect in this combination."""
        return unused_options(self)

    def __getattr__(self, name: str) -> Any:
        """Return a registered group by its name."""
        groups = self.__dict__.get("plugin_groups", {})
        if name in groups:
            return groups[name]
        names = [*field_rules(type(self)), *groups]
        suggestion = did_you_mean(name, names)
        raise AttributeError(f"HyperParameters have no {name!r}. {suggestion}".strip())

    def child_names(self) -> list[str]:
        """Return the names of the root parameters and of all groups, registered groups last."""
        names = [name for name in field_rules(type(self)) if name != "plugin_groups"]
        return [*names, *self.plugin_groups]

    def to_dict(self, *, stamp: bool = False) -> dict[str, Any]:
        """Convert the tree to plain data, with a class name under ``_type`` in each group.

        Parameters
        ----------
        stamp : bool
            Add ``_package_name`` and ``_package_version``, which identify files of older versions.
        """
        tree = super().to_dict()
        del tree["plugin_groups"]
        groups = {name: group.to_dict() for name, group in self.plugin_groups.items()}
        return {**(package_stamp() if stamp else {}), **tree, **groups}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, ignore_unknown: bool = False) -> Self:
        """Build a tree from plain data, also of an older version.

        Parameters
        ----------
        data : Mapping[str, Any]
            A tree as ``to_dict`` returns it; missing parameters get their defaults.
        ignore_unknown : bool
            Ignore unknown names instead of raising an error.

        Raises
        ------
        ParameterError
            Listing every invalid value or combination.
        """
        present = migrate(data) if isinstance(data, Mapping) else data
        try:
            return super().from_dict(present, ignore_unknown=ignore_unknown)
        except ParameterError as error:
            advice = how_to_load_plugins(data) if isinstance(data, Mapping) else None
            if advice is None:
                raise
            raise ParameterError(*error.problems, advice) from error

    def to_yaml(self) -> str:
        """Convert the tree to YAML, with the version of the package and the loaded plugins."""
        stamps = {**package_stamp(), **plugin_stamp()}
        return yaml_text.dump({**stamps, **self.to_dict()})

    @classmethod
    def from_yaml(
        cls,
        source: str | Path,
        *,
        ignore_unknown: bool = False,
        given: Mapping[str, Any] | None = None,
    ) -> Self:
        """Build a tree from YAML.

        Parameters
        ----------
        source : str | Path
            The path of a file, as a ``Path`` or a string that ends with ``.yaml`` or ``.yml``, or
            the text itself.
        ignore_unknown : bool
            Ignore unknown names instead of raising an error.
        given : Mapping[str, Any], optional
            Values by dotted name that replace those of the source, as in ``with_changes``. What the
            file of a run names outside of the run must be among them, because a run may come from
            somebody else: code, services, addresses, keys and files.

        Raises
        ------
        ParameterError
            Listing every invalid value or combination, and what must be given.
        """
        is_path = isinstance(source, Path) or source.strip().endswith((".yaml", ".yml"))
        is_path = is_path and "\n" not in str(source)
        path = Path(source) if is_path else None
        text = str(source) if path is None else _read_text(path)
        tree = cls.from_dict(yaml_text.load_mapping(text, path), ignore_unknown=ignore_unknown)
        tree = tree.with_changes(given) if given else tree
        if is_path and Path(source).name == FILE_NAME:
            check_all_is_given(tree, given or {}, str(source))
        return tree

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy of the tree with some parameters changed.

        Parameters
        ----------
        changes : Mapping[str, Any]
            New values by dotted name, for example ``{"rl.lr": 1e-4, "agents.prover.d_gnn": 32}``.

        Raises
        ------
        ParameterError
            If a name is unknown or the new tree is invalid.
        """
        return type(self).from_dict(apply_changes(self.to_dict(), changes))

    @classmethod
    def root_path(cls) -> str:
        """Return the empty string, because dotted names at the root have no prefix."""
        return ""

    @classmethod
    def take_mapping(
        cls, data: Mapping[str, Any], path: str, problems: list[str], ignore_unknown: bool
    ) -> dict[str, Any]:
        """Check the choices by name first, then the fields, then the registered groups."""
        problems.extend(problems_with_choices(data, cls.interaction_protocol))
        data = {
            name: value for name, value in data.items() if name not in (*PACKAGE_KEYS, PLUGINS_KEY)
        }
        data.setdefault("agents", None)
        given = {**(data.pop("plugin_groups", None) or {})}
        given |= {name: data.pop(name) for name in parameter_groups if name in data}
        values = super().take_mapping(data, path, problems, ignore_unknown)
        groups = values["plugin_groups"] = {}
        for name, group_class in parameter_groups.items():
            try:
                groups[name] = group_class.build(given.pop(name, None), name, ignore_unknown)
            except ParameterError as error:
                problems.extend(error.problems)
        problems.extend(cls.word_unknown(name, given[name], path) for name in given)
        return values

    @classmethod
    def word_unknown(cls, name: str, value: Any, path: str) -> str:
        """Return the message about an unknown root parameter, which may be a plugin's group."""
        groups = {field: rule.group_class for field, rule in field_rules(cls).items()}
        groups |= dict(parameter_groups.items())
        if isinstance(value, Mapping | SubParameters):
            message = unknown_parameter(name, path, groups)
            return f"{message} If a plugin defines this group, load the plugin first."
        homes = [home for home, group in groups.items() if group and name in field_rules(group)]
        if homes:
            dotted = " or ".join(repr(f"{home}.{name}") for home in homes)
            return f"There is no parameter {name!r}. Did you mean {dotted}?"
        return unknown_parameter(name, path, groups)

    @classmethod
    def take_field(
        cls, rule: FieldRule, value: Any, path: str, data: Mapping[str, Any], ignore_unknown: bool
    ) -> Any:
        """Check one field; the class of the agents follows from the scenario."""
        if rule.name == "callbacks":
            return build_named_components(
                value, rule.name, "callback", callback_specs, ignore_unknown=ignore_unknown
            )
        if rule.name == "loss_terms":
            return build_named_components(
                value, rule.name, "loss term", loss_term_specs, ignore_unknown=ignore_unknown
            )
        if rule.name != "agents":
            return super().take_field(rule, value, path, data, ignore_unknown)
        scenario = data.get("scenario")
        if not isinstance(scenario, str) or scenario not in scenario_specs:
            return None
        agent_class = scenario_specs[scenario].agent_parameters
        return AgentsParameters.build(value, agent_class, rule.name, ignore_unknown)
