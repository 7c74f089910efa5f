"""Trainers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nip.parameters import SubParameters, register_parameter_group
from nip.parameters.specs import TrainerSpec, trainer_specs
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.experiment_settings import ExperimentSettings
    from nip.parameters import HyperParameters
    from nip.run_store import Run
    from nip.scenario_instance import ScenarioInstance
    from nip.trainers.core.components import TrainerComponents
    from nip.trainers.trainer_base import Trainer

trainer_registry: Registry[type[Trainer]] = Registry("trainer", package="nip.trainers.builtin")

T = TypeVar("T", bound="type[Trainer]")


def register_trainer(
    name: str, *, parameters: type[SubParameters] | None = None
) -> Callable[[T], T]:
    """Make a trainer known under a name.

    Parameters
    ----------
    name : str
        What ``trainer=`` chooses.
    parameters : type, optional
        The trainer's own parameters: they become the group ``name`` of the hyper-parameters.
    """

    def decorate(trainer: T) -> T:
        if parameters is not None:
            register_parameter_group(name, parameters)
        if name not in trainer_specs:
            group = name if parameters is not None else None
            trainer_specs.register(name, TrainerSpec(trainer.data, parameter_group=group))
        trainer_registry.register(name, trainer)
        return trainer

    return decorate


def build_trainer(
    hyper_params: HyperParameters,
    scenario_instance: ScenarioInstance,
    settings: ExperimentSettings,
    run: Run | None = None,
    components: TrainerComponents | None = None,
) -> Trainer:
    """Build the trainer that the hyper-parameters name.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    scenario_instance : ScenarioInstance
        The built parts.
    settings : ExperimentSettings
        Where it is to be run.
    run : Run, optional
        Where the results are kept; without it nothing is written.
    components : TrainerComponents, optional
        Parts to be exchanged.
    """
    trainer = trainer_registry[hyper_params.trainer](hyper_params, scenario_instance, settings, run)
    if components is not None:
        trainer.use(components)
    return trainer
