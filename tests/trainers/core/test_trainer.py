"""Order of the events of callbacks."""

import pytest

from nip.errors import NipWarning, ParameterError
from nip.run import combine_settings
from nip.trainers.callbacks import Callback
from nip.trainers.core.callback import check_callback
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_trainer

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]


class Recorder(Callback):
    """Writes down every event with the number of iterations done."""

    def __init__(self, name, log, fail_at=None):
        self.name, self.log, self.fail_at = name, log, fail_at

    def record(self, event, context):
        self.log.append((self.name, event, context.iteration, context.stage))
        if event == self.fail_at:
            raise ZeroDivisionError(event)


for _event in EVENTS:
    setattr(Recorder, _event, lambda self, context, event=_event: self.record(event, context))


# Four episodes of two steps make two minibatches, in each of two epochs.
STAGES = {"vanilla_ppo": [("sample", 0), ("update", 4)], "solo_agent": [("train", 3)]}
"""The stages of an iteration with the number of steps in each."""


def expected_events(trainer, iterations=(0, 1)):
    """Write out what happens in a run without checkpoints: event, iterations done, stage."""
    events = [("on_train_start", 0, "")]
    for done in iterations:
        events.append(("on_iteration_start", done, ""))
        for stage, num_steps in STAGES[trainer]:
            step = [("on_step_start", done, stage), ("on_step_end", done, stage)]
            events.append(("on_stage_start", done, stage))
            events += step * num_steps
            events.append(("on_stage_end", done, stage))
        events += [("on_log", done, ""), ("on_iteration_end", done, "")]
    test = ["on_stage_start", "on_evaluation_start", "on_evaluation_end", "on_stage_end"]
    events += [(event, 2, "test") for event in test]
    return [*events, ("on_log", 2, ""), ("on_train_end", 2, "")]


@pytest.mark.parametrize("trainer", STAGES)
def test_every_callback_is_told_in_order(trainer):
    log = []
    built = make_trainer(make_params(trainer=trainer))
    built.add_callback(Recorder("a", log))
    built.add_callback(Recorder("b", log))
    built.train()
    assert [entry[0] for entry in log] == ["a", "b"] * (len(log) // 2)
    assert [entry[1:] for entry in log[::2]] == expected_events(trainer)


@pytest.mark.parametrize("trainer", STAGES)
def test_an_exception_passes_unchanged_and_the_end_is_still_told(trainer):
    log = []
    built = make_trainer(make_params(trainer=trainer))
    built.add_callback(Recorder("a", log, fail_at="on_iteration_end"))
    with pytest.raises(ZeroDivisionError, match="on_iteration_end"):
        built.train()
    expected = expected_events(trainer)
    end = expected.index(("on_iteration_end", 0, "")) + 1
    assert [entry[1:] for entry in log] == [*expected[:end], ("on_train_end", 0, "")]


def test_everybody_hears_of_the_end_whoever_fails_at_it():
    log = []
    built = make_trainer(make_params())
    for name in ("a", "b"):
        built.add_callback(Recorder(name, log, fail_at="on_train_end"))
    with pytest.raises(ZeroDivisionError, match="on_train_end"):
        built.train()
    assert [name for name, event, *_ in log if event == "on_train_end"] == ["a", "b"]


def test_an_error_on_the_way_is_not_hidden_by_one_at_the_end():
    built = make_trainer(make_params())
    built.add_callback(Recorder("a", [], fail_at="on_step_end"))
    built.add_callback(Recorder("b", [], fail_at="on_train_end"))
    with pytest.raises(ZeroDivisionError, match="on_step_end") as caught:
        built.train()
    assert any("on_train_end" in note for note in caught.value.__notes__)


def test_the_context_holds_the_latest_metrics():
    seen = []

    class Look(Callback):
        def on_iteration_end(self, context):
            seen.append(context.metrics)

        def on_evaluation_end(self, context):
            seen.append(context.metrics)

    built = make_trainer(make_params())
    built.add_callback(Look())
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


def test_a_method_that_is_no_event_is_told_of():
    class Misspelt(Callback):
        def on_iteration_ends(self, context):
            """Never called."""

    with pytest.warns(NipWarning, match=r"on_iteration_ends is never .*'on_iteration_end'"):
        make_trainer(make_params()).add_callback(Misspelt())


@pytest.mark.parametrize("given", ["csv", Callback])
def test_what_is_no_callback_is_refused(given):
    with pytest.raises(ParameterError, match="must be an instance"):
        check_callback(given)


def test_nothing_is_learnt_before_the_set_up():
    trainer = make_trainer(make_params())
    with pytest.raises(ParameterError, match=r"Call setup\(\) first"):
        trainer.train_iteration()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (abs, r"pair \(weight, function\)"),
        ((-1.0, abs), "at least 0, got -1"),
        ((1.0, lambda batch, context: batch["seed"].float()), "single number, got"),
    ],
)
def test_a_term_that_cannot_be_added_is_told(entry, message):
    trainer = make_trainer(make_params())
    trainer.use(TrainerComponents(loss_terms=[entry]))
    with pytest.raises(ParameterError, match=message):
        trainer.train()
