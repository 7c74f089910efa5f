"""What the registration of a trainer states, and how the registered trainer is built."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from nip.errors import UnknownNameError
from nip.parameters import SubParameters, TrainerSpec, parameter_groups, trainer_specs
from nip.parameters.parameters_base import parameter_classes, register_parameter_class
from nip.parameters.specs import register_trainer_spec
from nip.trainers.core.trainer import Trainer
from nip.trainers.registry import build_trainer, register_trainer, trainer_registry

NAME = "registry_test"


class Noting(Trainer):
    """Notes what it is built with and what it is told to use."""

    data = "text"

    def __init__(self, *given):
        self.given, self.used = given, []

    def use(self, components):
        self.used.append(components)

    def train(self):
        """Do nothing."""


@pytest.fixture(autouse=True)
def _without_traces():
    yield
    for registry in (trainer_registry, trainer_specs, parameter_groups):
        registry.unregister(NAME)
    parameter_classes.unregister("RegistryTestParameters")


def test_without_a_spec_a_trainer_may_read_every_option_and_learns_from_its_data():
    assert register_trainer(NAME)(Noting) is Noting
    assert trainer_registry[NAME] is Noting
    assert (trainer_specs[NAME].data, trainer_specs[NAME].reads) == ("text", None)


def test_the_spec_of_a_module_of_its_own_is_kept():
    spec = TrainerSpec("tensordict", reads=("rl",), num_iterations="rl.num_epochs")
    register_trainer_spec(NAME, spec)
    register_trainer(NAME)(Noting)
    assert trainer_specs[NAME] == spec


def test_a_spec_that_is_given_is_the_one_that_counts():
    register_trainer(NAME, spec=TrainerSpec("tensordict", reads=("rl.lr",)))(Noting)
    assert (trainer_specs[NAME].data, trainer_specs[NAME].reads) == ("tensordict", ("rl.lr",))


def test_parameters_become_a_group_of_the_name_of_the_trainer():
    @register_parameter_class
    @dataclass
    class RegistryTestParameters(SubParameters):
        size: int = 3
        """Size."""

    register_trainer(NAME, parameters=RegistryTestParameters)(Noting)
    assert (trainer_specs[NAME].data, trainer_specs[NAME].parameter_group) == ("text", NAME)


def test_the_named_trainer_is_built_with_everything_and_uses_components_if_there_are_any():
    register_trainer(NAME)(Noting)
    params, instance, settings, run, components = (SimpleNamespace(trainer=NAME) for _ in range(5))
    built = build_trainer(params, instance, settings, run, components)
    assert (built.given, built.used) == ((params, instance, settings, run), [components])
    alone = build_trainer(params, instance, settings)
    assert (alone.given, alone.used) == ((params, instance, settings, None), [])


def test_a_misspelt_trainer_is_refused_with_the_closest_name():
    with pytest.raises(UnknownNameError, match=r"'vanila_ppo'.*'vanilla_ppo'"):
        build_trainer(SimpleNamespace(trainer="vanila_ppo"), None, None)
