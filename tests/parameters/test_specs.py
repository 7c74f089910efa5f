"""Specs state which options are read, and where the number of iterations stands."""

from dataclasses import dataclass

import pytest

from nip.errors import PluginError
from nip.parameters import SubParameters, TrainerSpec, parameter_groups, trainer_specs
from nip.parameters.parameters_base import parameter_classes, register_parameter_class
from nip.parameters.specs import OptionReader, register_trainer_spec
from tests.parameters.examples import make_tree


def test_a_group_stands_for_its_options_and_exceptions_are_taken_out() -> None:
    spec = OptionReader(reads=("rl", "ppo.clip_epsilon"), ignores=("rl.lr",))
    for option in ("rl", "rl.gamma", "ppo.clip_epsilon"):
        assert spec.states_that_it_reads(option)
        assert spec.may_read(option)
    for option in ("rl.lr", "ppo", "ppo.kl_beta", "rl_other.gamma"):
        assert not spec.states_that_it_reads(option)
        assert not spec.may_read(option)


def test_the_own_group_is_always_read() -> None:
    assert OptionReader(reads=(), parameter_group="mine").may_read("mine.size")
    assert OptionReader(parameter_group="mine").states_that_it_reads("mine.size")


def test_without_a_statement_every_option_may_be_read() -> None:
    spec = OptionReader()
    assert spec.may_read("rl.lr")
    assert not spec.states_that_it_reads("rl.lr")


def test_extending_a_spec_adds_to_it() -> None:
    base = TrainerSpec("tensordict", samples_batches=True, reads=("rl",), ignores=("rl.lr",))
    spec = base.extended(
        parameter_group="ppo",
        reads=("text_rl",),
        ignores=("rl.gamma",),
        num_iterations="rl.num_epochs",
    )
    assert (spec.data, spec.samples_batches) == ("tensordict", True)
    assert (spec.reads, spec.ignores) == (("rl", "text_rl"), ("rl.lr", "rl.gamma"))
    assert (spec.parameter_group, spec.num_iterations) == ("ppo", "rl.num_epochs")
    assert base.extended() == base


@pytest.mark.parametrize("name", trainer_specs.names())
def test_every_trainer_has_a_number_of_iterations(name: str) -> None:
    assert make_tree().get(trainer_specs[name].num_iterations) >= 1


def test_the_parameters_of_a_trainer_become_a_group() -> None:
    @register_parameter_class
    @dataclass
    class SpecTestParameters(SubParameters):
        size: int = 3
        """Size."""

    try:
        register_trainer_spec("spec_test", TrainerSpec("text"), parameters=SpecTestParameters)
        assert trainer_specs["spec_test"].parameter_group == "spec_test"
        assert make_tree().get("spec_test.size") == 3
        with pytest.raises(PluginError, match="cannot be named 'rl'"):
            register_trainer_spec("rl", TrainerSpec("text"), parameters=SpecTestParameters)
    finally:
        trainer_specs.unregister("spec_test")
        parameter_groups.unregister("spec_test")
        parameter_classes.unregister("SpecTestParameters")
