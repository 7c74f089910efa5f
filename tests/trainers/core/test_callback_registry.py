"""What the registration of a callback states, and how it is built from its parameters."""

from dataclasses import dataclass

import pytest

from nip.errors import PluginError, UnknownNameError
from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.parameters.parameters_base import parameter_classes, register_parameter_class
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import (
    build_callback,
    callback_registry,
    register_callback,
)

NAME = "registry_test"


class Watching(Callback):
    is_observer = True


@pytest.fixture(autouse=True)
def _without_traces():
    yield
    callback_registry.unregister(NAME)
    callback_specs.unregister(NAME)
    parameter_classes.unregister("WatchingParameters")


def test_the_checks_learn_from_the_class_whether_it_only_observes():
    assert register_callback(NAME)(Watching) is Watching
    assert callback_specs[NAME] == CallbackSpec(CallbackParameters, is_observer=True)
    assert type(build_callback(CallbackParameters(name=NAME))) is Watching


def test_a_spec_that_was_stated_before_is_kept():
    spec = CallbackSpec(CallbackParameters, is_observer=False)
    callback_specs.register(NAME, spec)
    register_callback(NAME)(Watching)
    assert callback_specs[NAME] == spec


def test_the_options_without_the_name_are_given_to_the_constructor_by_name():
    @register_parameter_class
    @dataclass
    class WatchingParameters(CallbackParameters):
        name: str = NAME
        """Name of the callback."""
        every: int = 1
        """Interval."""
        label: str = "x"
        """Label."""

    class Noting(Callback):
        def __init__(self, **given):
            self.given = given

    register_callback(NAME, parameters=WatchingParameters)(Noting)
    assert callback_specs[NAME].parameters is WatchingParameters
    assert build_callback(WatchingParameters(every=3)).given == {"every": 3, "label": "x"}


def test_the_name_of_another_callback_cannot_be_taken():
    with pytest.raises(PluginError, match="The callback 'csv' is already registered"):
        register_callback("csv")(Watching)


def test_a_misspelt_callback_is_refused_with_the_closest_name():
    with pytest.raises(UnknownNameError, match=r"'best_checkpiont'.*'best_checkpoint'"):
        build_callback(CallbackParameters(name="best_checkpiont"))
