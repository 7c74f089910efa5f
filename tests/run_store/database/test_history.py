"""The metrics of a run in memory."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import UnknownNameError
from nip.run_store import RunHistory

LOGS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False, width=64), max_size=3),
    )
)


@pytest.fixture
def history():
    history = RunHistory()
    history.update(1, {"accuracy": 0.5, "loss": 2.0})
    history.update(10, {"accuracy": 0.75})
    history.update(9, {"accuracy": 0.6, "test_accuracy": 0.55})
    return history


def test_values_come_in_numeric_order_of_iterations(history):
    assert history.values("accuracy") == [(1, 0.5), (9, 0.6), (10, 0.75)]
    assert history.names() == ["accuracy", "loss", "test_accuracy"]
    assert history.last_iteration == 10


def test_latest_is_that_of_the_highest_iteration_of_each_metric(history):
    assert history.latest("accuracy") == 0.75
    assert history.latest_all() == {"accuracy": 0.75, "loss": 2.0, "test_accuracy": 0.55}


def test_an_unknown_metric_is_an_error_with_a_suggestion_and_leaves_no_trace(history):
    for read in (history.latest, history.values):
        with pytest.raises(UnknownNameError, match=r"'test_acuracy'.*Did you mean 'test_accuracy'"):
            read("test_acuracy")
    assert history.names() == ["accuracy", "loss", "test_accuracy"]


def test_a_value_logged_twice_is_replaced(history):
    history.update(9, {"accuracy": 0.1})
    assert history.values("accuracy") == [(1, 0.5), (9, 0.1), (10, 0.75)]


def test_truncate_forgets_later_iterations_and_metrics_that_began_there(history):
    history.truncate(8)
    assert history.names() == ["accuracy", "loss"]
    assert history.latest("accuracy") == 0.5
    history.truncate(-1)
    assert history.names() == []
    assert history.last_iteration is None


def test_reset_forgets_everything(history):
    history.reset()
    assert history.latest_all() == {}


def test_nan_is_kept(history):
    history.update(11, {"loss": math.nan})
    assert math.isnan(history.latest("loss"))


@given(logs=LOGS)
def test_a_history_comes_back_from_plain_data(logs):
    history = RunHistory()
    for iteration, metrics in logs:
        history.update(iteration, metrics)
    loaded = RunHistory.from_dict(json.loads(json.dumps(history.to_dict())))
    assert loaded.names() == history.names()
    for name in history.names():
        assert loaded.values(name) == history.values(name)
        assert loaded.latest(name) == history.latest(name)


@given(logs=LOGS, cut=st.integers(-1, 30))
def test_truncating_equals_never_having_logged_the_rest(logs, cut):
    everything, beginning = RunHistory(), RunHistory()
    for iteration, metrics in logs:
        everything.update(iteration, metrics)
        if iteration <= cut:
            beginning.update(iteration, metrics)
    everything.truncate(cut)
    assert everything.names() == beginning.names()
    assert all(everything.values(name) == beginning.values(name) for name in beginning.names())
