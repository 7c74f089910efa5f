"""The files for TensorBoard, as TensorBoard itself reads them."""

import importlib.util
import os
import shutil
import threading

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nip.errors import NipWarning, PluginError
from nip.trainers.callbacks.tensorboard import TensorBoard
from tests.trainers.callbacks.scripted_training import ScriptedTraining, scripted_history


def read(folder):
    """Return the (step, value) pairs of each tag, in the order in which they were written."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_every_metric_is_a_scalar_over_iterations(tmp_path):
    training = ScriptedTraining(TensorBoard(), tmp_path)
    for iteration in range(1, 4):
        training.iterate({"loss": 1.0 / iteration}, {"test.x": 10.0 * iteration})
    training.end()
    assert read(tmp_path) == {
        "loss": [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3, rel=1e-7))],
        "test.x": [(1, 10.0), (2, 20.0), (3, 30.0)],
    }


def test_steps_strictly_increase_after_an_interruption(tmp_path):
    first = ScriptedTraining(TensorBoard(), tmp_path)
    for value in (1.0, 2.0, 3.0):
        first.iterate({"loss": value})
    first.end()
    history = scripted_history({"loss": 1.0}, {"loss": 2.0})
    second = ScriptedTraining(TensorBoard(), tmp_path, history=history, done=2)
    for value in (3.0, 4.0):
        second.iterate({"loss": value})
    second.end()
    assert read(tmp_path) == {"loss": [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]}


def test_parts_of_an_iteration_that_come_after_an_interruption_are_written(tmp_path):
    first = ScriptedTraining(TensorBoard(), tmp_path)
    first.iterate({"loss": 1.0}, {"test": 10.0})
    first.log(2, {"loss": 2.0})
    first.end()
    second = ScriptedTraining(TensorBoard(), tmp_path, history=first.history, done=1)
    second.log(2, {"test": 20.0})
    second.end()
    assert read(tmp_path) == {"loss": [(1, 1.0), (2, 2.0)], "test": [(1, 10.0), (2, 20.0)]}


def test_a_second_value_takes_the_place_of_the_first(tmp_path):
    training = ScriptedTraining(TensorBoard(), tmp_path)
    training.iterate({"loss": 1.0, "test": 5.0})
    training.log(1, {"test": 6.0})
    training.end()
    assert read(tmp_path) == {"loss": [(1, 1.0)], "test": [(1, 6.0)]}


def test_a_trainer_that_keeps_nothing_is_told():
    with pytest.warns(NipWarning, match="'tensorboard' writes nothing"):
        training = ScriptedTraining(TensorBoard())
    training.iterate({"loss": 1.0})
    training.end()


@pytest.mark.parametrize("package", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_with_its_extra(package, monkeypatch):
    from nip.parameters.callbacks import callback_specs
    from nip.trainers.core.callback_registry import build_callback

    params = callback_specs[package].parameters()
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    with pytest.raises(PluginError, match=rf"pip install 'nip\[{package}\]'"):
        build_callback(params)


def test_what_could_not_be_written_is_there_in_the_end_and_no_thread_complains(tmp_path, capsys):
    hook = threading.excepthook
    training = ScriptedTraining(TensorBoard(), tmp_path)
    training.iterate({"loss": 1.0})
    training.callback._writer.flush()
    shutil.rmtree(tmp_path / "tensorboard")
    training.iterate({"loss": 2.0})
    with pytest.raises(FileNotFoundError):
        training.callback._writer.flush()
    with pytest.raises(FileNotFoundError):
        training.log(3, {"loss": 3.0})
    training.log(4, {"loss": 4.0})
    training.end()
    assert capsys.readouterr().err == ""
    assert threading.excepthook is hook
    assert read(tmp_path)["loss"] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]


def test_a_pipe_in_place_of_the_folder_is_an_error_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "tensorboard")
    with pytest.raises(OSError, match="tensorboard"):
        ScriptedTraining(TensorBoard(), tmp_path)
