"""The events of callbacks, and the methods that are none."""

import warnings
from types import SimpleNamespace
from typing import get_args

import pytest

from nip.errors import NipWarning
from nip.trainers.core.callback import Callback, Event, check_callback
from nip.trainers.core.context import TrainingContext


def test_a_callback_that_overrides_nothing_does_nothing_at_every_event():
    context = TrainingContext(trainer=SimpleNamespace())
    before = context.state_dict()
    callback = Callback()
    for event in get_args(Event):
        assert getattr(callback, event)(context) is None
    assert context.state_dict() == before
    assert callback.check(SimpleNamespace()) is None


def test_every_method_that_is_called_is_an_event_and_the_other_way_round():
    methods = {name for name in vars(Callback) if name.startswith("on_")}
    assert methods == set(get_args(Event))


def test_a_callback_without_a_state_stores_nothing_and_acts_in_every_process():
    callback = Callback()
    assert callback.state_dict() == {}
    callback.load_state_dict({"left": "over"})
    assert callback.state_dict() == {}
    assert not callback.is_observer
    assert tuple(callback.monitored) == ()


def test_events_and_methods_of_its_own_are_accepted_silently():
    class Sound(Callback):
        def on_log(self, context):
            """An event."""

        def once(self):
            """No event, and not named like one."""

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_callback(Sound())


def test_a_misspelt_method_is_found_in_a_base_class_as_well():
    class Base(Callback):
        def on_trian_end(self, context):
            """Never called."""

    class Derived(Base):
        pass

    with pytest.warns(NipWarning, match=r"^Derived\.on_trian_end is never called.*on_train_end"):
        check_callback(Derived())


def test_a_method_that_resembles_no_event_is_told_all_of_them():
    class Lost(Callback):
        def on_zzz(self, context):
            """Never called."""

    with pytest.warns(NipWarning, match=r"^Lost\.on_zzz is never called") as caught:
        check_callback(Lost())
    assert all(event in str(caught[0].message) for event in get_args(Event))
