"""Who is told what, in which order."""

import pytest

from nip.run import combine_settings
from nip.trainers.callbacks import Callback
from tests.experiments import make_params, make_trainer

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]


class Recorder(Callback):
    """Writes down every event with the number of iterations done."""

    def __init__(self, name, log, fail_at=None):
        self.name, self.log, self.fail_at = name, log, fail_at

    def record(self, event, context):
        self.log.append((self.name, event, context.iteration))
        if event == self.fail_at:
            raise ZeroDivisionError(event)


for _event in EVENTS:
    setattr(Recorder, _event, lambda self, context, event=_event: self.record(event, context))


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "solo_agent"])
def test_every_callback_is_told_in_order(trainer):
    log = []
    built = make_trainer(make_params(trainer=trainer))
    built.callbacks += [Recorder("a", log), Recorder("b", log)]
    built.train()
    assert [entry[0] for entry in log] == ["a", "b"] * (len(log) // 2)
    assert [entry[1:] for entry in log[::2]] == [
        ("on_train_start", 0),
        ("on_iteration_start", 0),
        ("on_iteration_end", 0),
        ("on_iteration_start", 1),
        ("on_iteration_end", 1),
        ("on_train_end", 1),
        ("on_evaluation_end", 1),
    ]


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "solo_agent"])
def test_an_exception_passes_unchanged_and_the_end_is_still_told(trainer):
    log = []
    built = make_trainer(make_params(trainer=trainer))
    built.callbacks.append(Recorder("a", log, fail_at="on_iteration_end"))
    with pytest.raises(ZeroDivisionError, match="on_iteration_end"):
        built.train()
    assert [event for _, event, _ in log] == [
        "on_train_start",
        "on_iteration_start",
        "on_iteration_end",
        "on_train_end",
    ]


def test_the_context_holds_the_latest_metrics():
    seen = []

    class Look(Callback):
        def on_iteration_end(self, context):
            seen.append(context.metrics)

        def on_evaluation_end(self, context):
            seen.append(context.metrics)

    built = make_trainer(make_params())
    built.callbacks.append(Look())
    built.train()
    assert all("mean_accuracy" in metrics for metrics in seen[:2])
    assert "test_mean_accuracy" in seen[2]


def test_a_trainer_shows_its_progress(capsys):
    built = make_trainer(make_params(rl={"num_iterations": 3}))
    built.settings = combine_settings(built.settings, {"progress": True})
    built.train()
    shown = capsys.readouterr().out
    assert "Training: 3/3" in shown
    assert "Testing: 1/1" in shown
    assert "mean_accuracy" in shown
