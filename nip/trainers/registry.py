"""Registry of trainers, and construction of the one that the hyper-parameters name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nip.parameters import SubParameters
from nip.parameters.parameters_base import TRAINER_PACKAGE
from nip.parameters.specs import (
    TrainerSpec,
    register_trainer_spec,
    scenario_specs,
    trainer_specs,
)
from nip.registry import Registry, require_derived, require_name

if TYPE_CHECKING:
    from nip.experiment_settings import ExperimentSettings
    from nip.parameters import HyperParameters
    from nip.run_store import Run
    from nip.scenario_instance import ScenarioInstance
    from nip.trainers.core.components import TrainerComponents
    from nip.trainers.trainer_base import Trainer

trainer_registry: Registry[type[Trainer]] = Registry("trainer", TRAINER_PACKAGE)
"""All trainers by name."""

T = TypeVar("T", bound="type[Trainer]")


def register_trainer(
    name: str,
    *,
    parameters: type[SubParameters] | None = None,
    spec: TrainerSpec | None = None,
) -> Callable[[T], T]:
    """Register a trainer under a name, as a decorator of its class.

    Parameters
    ----------
    name : str
        Value of ``trainer`` that chooses it.
    parameters : type of SubParameters, optional
        Class of the trainer's own parameters, which become the group ``name``.
    spec : TrainerSpec, optional
        Which options the trainer reads, so that others are reported as unused. By default it may
        read any. Not needed if a module ``<name>_spec.py`` states it.
    """
    require_name("register_trainer", name)

    def decorate(trainer: T) -> T:
        # Imported here, because only the name of a trainer is needed to find it.
        from nip.trainers.core.trainer import Trainer

        require_derived(f"trainer {name!r}", trainer, Trainer)
        if parameters is not None or spec is not None or name not in trainer_specs:
            register_trainer_spec(name, spec or TrainerSpec(trainer.data), parameters=parameters)
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
        Hyper-parameters of the experiment.
    scenario_instance : ScenarioInstance
        The built protocol, datasets, agents and environments.
    settings : ExperimentSettings
        Settings that do not influence the result, such as the device.
    run : Run, optional
        The run in which results are stored; without it nothing is written.
    components : TrainerComponents, optional
        Components that replace those which the hyper-parameters describe.
    """
    trainer_class = trainer_registry[hyper_params.trainer]
    if trainer_specs[hyper_params.trainer].also_learns:
        trainer_class = trainer_class.for_data(scenario_specs[hyper_params.scenario].data)
    trainer = trainer_class(hyper_params, scenario_instance, settings, run)
    if components is not None:
        trainer.use(components)
    return trainer
