"""Specs: what the checks need to know of a trainer, scenario or protocol before it is imported.

A spec is stated beside the class that it describes, in a module that does not import PyTorch:
``nip/trainers/builtin/<name>_spec.py`` for a trainer, ``nip/scenarios/<name>_spec.py`` or
``nip/scenarios/<name>/spec.py`` for a scenario, and the class itself for a protocol. Unused
options, fitting scenarios, ``--help`` and the reference pages are derived from the specs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import (
    PROTOCOL_PACKAGE,
    SCENARIO_PACKAGE,
    SPEC_SUFFIX,
    TRAINER_PACKAGE,
    SubParameters,
    register_parameter_group,
)
from nip.parameters.types import DataType
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.experiment_settings import ExperimentSettings
    from nip.parameters.agents import BaseAgentParameters
    from nip.parameters.tree.hyper_parameters import HyperParameters


@dataclass(frozen=True, kw_only=True)
class OptionReader:
    """Which options a trainer, scenario or protocol reads.

    An option which one trainer reads and another does not is reported as unused with the other. The
    same holds for scenarios and for protocols. An option which none of them names is not reported.
    """

    reads: tuple[str, ...] | None = None
    """Dotted names of the groups and options that it reads, apart from its own group. None: not
    stated, so that no option is reported as unused because of it."""

    ignores: tuple[str, ...] = ()
    """Dotted names of options that it does not read although their group is among ``reads``."""

    parameter_group: str | None = None
    """Name of its own group of parameters; None if it has none."""

    unused_options: tuple[UnusedOptionRule, ...] = ()
    """Further options that have no effect when it is chosen."""

    def states_that_it_reads(self, option: str) -> bool:
        """Return whether an option is in its own group or among what it reads."""
        named = (*(self.reads or ()), *filter(None, [self.parameter_group]))
        return _is_among(option, named) and not _is_among(option, self.ignores)

    def may_read(self, option: str) -> bool:
        """Return whether it reads an option, or does not state what it reads."""
        return self.reads is None or self.states_that_it_reads(option)


@dataclass(frozen=True)
class TrainerSpec(OptionReader):
    """What the checks need to know of a trainer."""

    data: DataType
    """What the trainer learns from."""

    also_learns: tuple[DataType, ...] = ()
    """Further kinds of data that it learns from, by the class that its ``for_data`` returns."""

    samples_batches: bool = False
    """Whether each iteration samples a batch of the shape that ``rl.frames_per_batch`` and its
    neighbours describe, so that the shape can be checked before the trainer is built."""

    num_iterations: str = "rl.num_iterations"
    """Dotted name of the option that holds the number of iterations."""

    plays_episodes: bool = True
    """Whether agents play episodes of the protocol, so that its order and rewards matter."""

    reads_update_schedules: bool = True
    """Whether agents learn in the iterations of their update schedules only."""

    fine_tuning_method: str | None = None
    """Method of its fine-tuning jobs, as ``FineTuningMethod`` lists them, which the backend must
    have. None: not stated, or it has none."""

    heads: tuple[str, ...] | None = None
    """Heads that its agents have, apart from those for pretraining: ``policy_head``,
    ``value_head`` or ``solo_head``. None: not stated, so that no option of an agent is reported as
    unused because of it."""

    @property
    def continues_models(self) -> bool:
        """Whether each fine-tuning starts from the model that has sampled, not the base model."""
        return self.fine_tuning_method == "policy_gradient"

    def learns(self, data: DataType) -> bool:
        """Return whether the trainer learns from a kind of data."""
        return data == self.data or data in self.also_learns

    def extended(
        self,
        *,
        parameter_group: str | None = None,
        also_learns: tuple[DataType, ...] = (),
        reads: tuple[str, ...] = (),
        ignores: tuple[str, ...] = (),
        unused_options: tuple[UnusedOptionRule, ...] = (),
        num_iterations: str | None = None,
        plays_episodes: bool | None = None,
        reads_update_schedules: bool | None = None,
        fine_tuning_method: str | None = None,
        heads: tuple[str, ...] | None = None,
    ) -> TrainerSpec:
        """Return the spec of a trainer that reads more options, or fewer.

        Parameters
        ----------
        parameter_group : str, optional
            Name of the trainer's own group of parameters. Not needed for a group that is given to
            ``register_trainer_spec``.
        also_learns : tuple of str
            Kinds of data that it learns from beyond those of this spec.
        reads, ignores : tuple of str
            Dotted names of options that it reads, and does not read, beyond those of this spec.
        unused_options : tuple of UnusedOptionRule
            Rules beyond those of this spec.
        num_iterations : str, optional
            Dotted name of the option that holds the number of iterations, if it is another one.
        plays_episodes : bool, optional
            Whether agents play episodes, if that differs.
        reads_update_schedules : bool, optional
            Whether update schedules have an effect, if that differs.
        fine_tuning_method : str, optional
            Method of its fine-tuning jobs, if it differs.
        heads : tuple of str, optional
            Heads that its agents have, if they are others.
        """
        return replace(
            self,
            parameter_group=parameter_group or self.parameter_group,
            also_learns=(*self.also_learns, *also_learns),
            reads=(*(self.reads or ()), *reads),
            ignores=(*self.ignores, *ignores),
            unused_options=(*self.unused_options, *unused_options),
            num_iterations=num_iterations or self.num_iterations,
            plays_episodes=self.plays_episodes if plays_episodes is None else plays_episodes,
            reads_update_schedules=(
                self.reads_update_schedules
                if reads_update_schedules is None
                else reads_update_schedules
            ),
            fine_tuning_method=fine_tuning_method or self.fine_tuning_method,
            heads=self.heads if heads is None else heads,
        )


@dataclass(frozen=True)
class ScenarioSpec(OptionReader):
    """What the checks need to know of a scenario."""

    data: DataType
    """Whether its questions are tensors or texts."""

    agent_parameters: type[BaseAgentParameters]
    """Class of the parameters of its agents."""

    builtin_datasets: Collection[str] | None = None
    """Names of its datasets if it knows them all, as a tuple or a registry of datasets; None if
    datasets are folders."""

    check: Callable[[HyperParameters, ExperimentSettings], None] | None = None
    """Checks, without importing PyTorch, that the dataset and all else that it needs beside the
    parameters exist, and raises a ``NipError`` otherwise. None: datasets that are folders must
    exist and have both splits."""

    messages_are_images: bool = False
    """Whether the symbols of a message are the pixels of a grid with two dimensions, so that
    convolutions can read it."""

    has_kernels: bool = False
    """Whether there are compiled kernels for its agents."""

    part_options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of an agent that only some of its parts read, by part: ``policy_head``, ``decider``
    (the part of a policy head that decides), ``value_head``, ``solo_head``."""


@dataclass(frozen=True)
class ProtocolSpec(OptionReader):
    """What the checks need to know of an interaction protocol."""

    has_fixed_order: bool = False
    """Whether the order of the speakers is part of the protocol, so that it ignores
    ``protocol_common.verifier_first``."""

    agents: tuple[str, ...] | None = None
    """Names of its agents, in their order. None: not stated, so that the command line builds the
    protocol with default parameters to learn them."""


trainer_specs: Registry[TrainerSpec] = Registry("trainer", TRAINER_PACKAGE, light=SPEC_SUFFIX)
"""Specs of all trainers by name."""

scenario_specs: Registry[ScenarioSpec] = Registry("scenario", SCENARIO_PACKAGE, light=SPEC_SUFFIX)
"""Specs of all scenarios by name."""

protocol_specs: Registry[ProtocolSpec] = Registry(
    "interaction protocol", PROTOCOL_PACKAGE, light=SPEC_SUFFIX
)
"""Specs of all interaction protocols by name."""


def register_trainer_spec(
    name: str, spec: TrainerSpec, *, parameters: type[SubParameters] | None = None
) -> None:
    """Register the spec of a trainer, and its own parameters, if any, as the group ``name``."""
    if parameters is not None:
        register_parameter_group(name, parameters)
        spec = replace(spec, parameter_group=name)
    trainer_specs.register(name, spec)


def register_scenario_spec(name: str, spec: ScenarioSpec) -> None:
    """Register the spec of a scenario under the name of the scenario."""
    scenario_specs.register(name, spec)


def why_no_network_plays(hyper_params: HyperParameters) -> str | None:
    """Return the choice because of which no network plays episodes, and why; None if some do."""
    spec, data = trainer_specs[hyper_params.trainer], scenario_specs[hyper_params.scenario].data
    if data != "tensordict":
        is_due_to_trainer = not spec.learns("tensordict")
        choice = "trainer" if is_due_to_trainer else "scenario"
        return f"{choice}={hyper_params.get(choice)!r}, whose agents are no networks"
    if not spec.plays_episodes:
        return f"trainer={hyper_params.trainer!r}, whose agents play no episodes"
    return None


def why_no_critics(hyper_params: HyperParameters) -> str | None:
    """Return the choice because of which agents have no critics; None if they may have some."""
    heads = trainer_specs[hyper_params.trainer].heads
    if heads is not None and "value_head" not in heads:
        return f"trainer={hyper_params.trainer!r}"
    if scenario_specs[hyper_params.scenario].data == "game":
        return f"scenario={hyper_params.scenario!r}"
    return None


def _is_among(option: str, names: tuple[str, ...]) -> bool:
    """Return whether an option, or a group that it is in, is among some names."""
    return any(option == name or option.startswith(f"{name}.") for name in names)
