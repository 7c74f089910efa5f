"""Loops that a subclass has written keep iterations, callbacks, evaluations and checkpoints."""

import pytest
import torch

from nip.errors import ParameterError
from nip.run import run_experiment
from nip.run_store import read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from nip.trainers.trainer_base import attach_progress_bar
from tests.experiments import make_params, make_settings
from tests.trainers import own_loops
from tests.trainers.probing_trainer import register

LOOPS = {
    name: cls
    for name, cls in vars(own_loops).items()
    if isinstance(cls, type) and cls.__module__ == own_loops.__name__
}
REPORTING = [name for name in LOOPS if name != "SilentTrain"]
OF_RL = [name for name in REPORTING if name.endswith("RlLoop")]
OF_ALL = [name for name in REPORTING if not name.endswith("RlLoop")]


@pytest.fixture(params=REPORTING)
def loop(request):
    """Register one of the trainers, and return its name."""
    forget = register("own_loop", LOOPS[request.param])
    yield request.param
    forget()


@pytest.fixture
def use():
    """Return a function that registers a trainer for this test."""
    forgetters = []
    yield lambda cls: forgetters.append(register("own_loop", cls))
    for forget in forgetters:
        forget()


def params_of(num_iterations=4, **changes):
    rl = {"num_iterations": num_iterations, "lr": 0.05, "num_epochs": 1, **changes.pop("rl", {})}
    return make_params(trainer="own_loop", rl=rl, **changes)


def run(tmp_path, params, *callbacks, run_id="r"):
    components = TrainerComponents(callbacks=callbacks)
    return run_experiment(
        params, run_id=run_id, settings=make_settings(tmp_path), components=components
    )


def state_of(folder):
    return checkpoint_state(CheckpointFolder(folder / "checkpoints").load_latest())


class Events(Callback):
    def __init__(self):
        self.seen = []

    def on_train_start(self, context):
        self.seen.append("start")

    def on_iteration_start(self, context):
        self.seen.append(f"<{context.iteration}")

    def on_iteration_end(self, context):
        self.seen.append(f"{context.iteration}>")

    def on_checkpoint(self, context):
        self.seen.append(f"c{context.iteration}")

    def on_train_end(self, context):
        self.seen.append("end")


def test_events_evaluations_and_checkpoints_come_with_each_iteration(tmp_path, loop):
    events = Events()
    result = run(tmp_path, params_of(eval_every=2), events)
    middle = [each for n in range(4) for each in (f"<{n}", f"{n}>", f"c{n + 1}")]
    assert events.seen == ["start", *middle, "end"]
    history = read_history(result.folder)
    trained = "sum" if loop in OF_ALL else "mean_accuracy"
    tested = "test_sum" if loop in OF_ALL else "test_mean_accuracy"
    assert [n for n, _ in history.values(trained)] == [1, 2, 3, 4]
    assert [n for n, _ in history.values(tested)] == [2, 4]
    state = state_of(result.folder)
    assert state["context"]["iteration"] == 4
    if loop in OF_ALL:
        assert history.values("sum")[3] == history.values("test_sum")[1]
        assert history.values("sum")[1][1] == history.values("test_sum")[0][1]
        weights = [t for a in state["agents"].values() for p in a.values() for t in p.values()]
        assert sum(float(t.sum()) for t in weights) == pytest.approx(
            history.latest("sum"), rel=1e-5
        )


def test_loops_of_its_own_give_the_numbers_of_the_usual_one(tmp_path, use):
    rl = {"num_iterations": 4, "lr": 0.05, "num_epochs": 1}
    params = make_params(trainer="reinforce", rl=rl)
    usual = run_experiment(params, run_id="usual", settings=make_settings(tmp_path))
    use(own_loops.OwnRlLoop)
    own = run(tmp_path, params_of(), run_id="own")
    first, second = read_history(usual.folder), read_history(own.folder)
    for name in second.names():
        assert second.values(name) == first.values(name), name
    assert {"mean_accuracy", "test_mean_accuracy"} <= set(second.names())


class PowerCut(Callback):
    def __init__(self, iteration, event):
        setattr(self, event, self.cut)
        self.iteration = iteration

    def cut(self, context):
        if context.iteration == self.iteration:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("iteration", "event"), [(2, "on_iteration_end"), (3, "on_checkpoint")])
@pytest.mark.filterwarnings("ignore:.*does not call restore")
def test_killed_and_resumed_equals_uninterrupted(tmp_path, loop, iteration, event):
    params = params_of()
    straight = run(tmp_path, params, run_id="straight")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, params, PowerCut(iteration, event), run_id="broken")
    if loop == "NaiveRlLoop":
        message = r"NaiveRlLoop logs metrics of iteration 1, but iteration [34].*_context\.first"
        with pytest.raises(ParameterError, match=message):
            run(tmp_path, params, run_id="broken")
        assert state_of(tmp_path / "broken")["context"]["iteration"] in (2, 3)
        return
    resumed = run(tmp_path, params, run_id="broken")
    assert resumed.metrics == straight.metrics
    histories = [read_history(each.folder).to_dict() for each in (straight, resumed)]
    assert histories[0] == histories[1]
    states = [state_of(each.folder) for each in (straight, resumed)]
    for agent, parts in states[0]["agents"].items():
        for part, tensors in parts.items():
            for name, tensor in tensors.items():
                assert torch.equal(tensor, states[1]["agents"][agent][part][name])


def test_a_train_that_does_not_restore_says_that_it_starts_again(tmp_path, use):
    use(own_loops.OwnTrain)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, params_of(), PowerCut(2, "on_iteration_end"))
    with pytest.warns(UserWarning, match=r"OwnTrain\.train does not call restore\(\).*first iter"):
        run(tmp_path, params_of())


@pytest.mark.filterwarnings("ignore:.*divergence=1000000000.0:nip.errors.NipWarning")
def test_early_stopping_ends_the_loop_and_the_test_follows(tmp_path, loop):
    metric = "sum" if loop in OF_ALL else "mean_accuracy"
    stopping = {"name": "early_stopping", "monitor": metric, "mode": "max", "divergence": 1e9}
    result = run(tmp_path, params_of(callbacks=[stopping]))
    history = read_history(result.folder)
    assert [n for n, _ in history.values(metric)] == [1]
    assert state_of(result.folder)["context"]["iteration"] == 1
    assert result.best_checkpoint.name == "iteration_000001"
    if loop != "BareTrain":
        tested = "test_sum" if loop in OF_ALL else "test_mean_accuracy"
        assert [n for n, _ in history.values(tested)] == [1]


class LogsMore(Callback):
    """Logs metrics in events, of the iteration that is being completed."""

    def on_iteration_start(self, context):
        context.trainer.log(context.iteration + 1, {"early": 1.0})

    def on_iteration_end(self, context):
        context.trainer.log(context.iteration + 1, {"late": 2.0})

    def on_checkpoint(self, context):
        context.trainer.log(context.iteration, {"saved": 3.0})


def test_what_callbacks_log_ends_no_iteration(tmp_path, loop):
    history = read_history(run(tmp_path, params_of(), LogsMore()).folder)
    for name in ("early", "late", "saved"):
        assert [n for n, _ in history.values(name)] == [1, 2, 3, 4], name
    assert state_of(tmp_path / "r")["context"]["iteration"] == 4


def test_train_iteration_within_a_loop_counts_once(tmp_path, use):
    class Loop(own_loops.ReinforceTrainer):
        @attach_progress_bar(own_loops.num_iterations)
        def _run_train_loop(self, iteration_context):
            for _ in range(iteration_context.first, own_loops.num_iterations(self)):
                self.train_iteration()
                iteration_context.step()

    use(Loop)
    events = Events()
    history = read_history(run(tmp_path, params_of(eval_every=2), events).folder)
    middle = [each for n in range(4) for each in (f"<{n}", f"{n}>", f"c{n + 1}")]
    assert events.seen == ["start", *middle, "end"]
    assert [n for n, _ in history.values("test_mean_accuracy")] == [2, 4]


def test_a_loss_that_is_not_finite_stops_a_loop_of_its_own(tmp_path, use):
    def breaks(batch, context):
        return torch.tensor(float("nan") if context.iteration == 1 else 0.0)

    use(own_loops.OwnRlLoop)
    params = params_of(update_step={"on_non_finite": "stop"})
    components = TrainerComponents(loss_terms=[(1.0, breaks)])
    settings = make_settings(tmp_path)
    result = run_experiment(params, run_id="r", settings=settings, components=components)
    assert [n for n, _ in read_history(result.folder).values("mean_accuracy")] == [1, 2]
    assert [n for n, _ in read_history(result.folder).values("test_mean_accuracy")] == [2]


def test_a_loop_that_reports_no_iteration_is_refused(tmp_path, use):
    class Loop(own_loops.OwnTrain):
        @attach_progress_bar(own_loops.num_iterations)
        def _run_train_loop(self, iteration_context):
            for iteration in range(4):
                self.move()
                self.log(iteration + 1, {"sum": 0.0})

    use(Loop)
    message = r"iteration 2, but iteration 1 is being trained.*iteration_context\.step\(\)"
    with pytest.raises(ParameterError, match=message):
        run(tmp_path, params_of())


def test_a_loop_without_log_and_step_is_refused(tmp_path, use):
    class Loop(own_loops.OwnTrain):
        @attach_progress_bar(own_loops.num_iterations)
        def _run_train_loop(self, iteration_context):
            self.move()

    use(Loop)
    with pytest.raises(ParameterError, match="ended without a complete iteration"):
        run(tmp_path, params_of())


def test_iterations_counted_from_zero_are_refused(tmp_path, use):
    class Loop(own_loops.OwnTrain):
        @attach_progress_bar(own_loops.num_iterations)
        def _run_train_loop(self, iteration_context):
            self.log(0, {"sum": 0.0})

    use(Loop)
    with pytest.raises(ParameterError, match=r"iteration 0, but iteration 1 .*counted from 1"):
        run(tmp_path, params_of())


def test_a_train_that_reports_nothing_keeps_its_weights(tmp_path, use):
    use(own_loops.SilentTrain)
    result = run(tmp_path, params_of(), run_id="kept")
    assert state_of(result.folder)["context"]["iteration"] == 0
    for changes in ({"eval_every": 1}, {"callbacks": ["best_checkpoint"]}):
        if "callbacks" in changes:
            changes = {"callbacks": [{"name": "best_checkpoint", "monitor": "sum"}]}
        with pytest.raises(ParameterError, match=r"SilentTrain\.train has reported no iteration"):
            run(tmp_path, params_of(**changes), run_id=f"refused_{'-'.join(changes)}")


class LoopOfAnotherName(own_loops.OwnRlLoop):
    """Learns in a loop that neither its name nor a log identifies."""

    def train(self):
        self.setup()
        with self.closing():
            self._improve_in_a_loop()
            self._run_test_loop()

    @attach_progress_bar(own_loops.num_iterations)
    def _improve_in_a_loop(self, iteration_context):
        for iteration in range(own_loops.num_iterations(self)):
            self._run_iteration(iteration)
            iteration_context.step()


def test_the_test_after_a_loop_of_another_name_is_that_of_its_last_step(tmp_path, use):
    use(LoopOfAnotherName)
    result = run(tmp_path, params_of(num_iterations=3))
    history = read_history(result.folder)
    assert [n for n, _ in history.values("test_mean_accuracy")] == [3]


def test_an_evaluation_that_does_not_exist_is_refused_before_training(tmp_path, use):
    class Loop(own_loops.TensorDictTrainer):
        def train(self):
            raise AssertionError("it must not start")

    use(Loop)
    with pytest.raises(ParameterError, match="eval_every=1 needs a trainer that can evaluate"):
        run(tmp_path, params_of(eval_every=1))
    assert not (tmp_path / "r").exists()


class SwallowingLoop(own_loops.OwnRlLoop):
    """Goes on after errors, as loops that must not be interrupted do."""

    @attach_progress_bar(own_loops.num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in range(iteration_context.first, own_loops.num_iterations(self)):
            try:
                self.log(iteration + 1, self._run_iteration(iteration))
                iteration_context.step()
            except Exception:
                raise AssertionError("a stop is no error") from None


@pytest.mark.filterwarnings("ignore:.*divergence=1000000000.0:nip.errors.NipWarning")
def test_a_stop_passes_through_a_loop_that_catches_errors(tmp_path, use):
    use(SwallowingLoop)
    stopping = {"name": "early_stopping", "monitor": "mean_accuracy", "mode": "max"}
    result = run(tmp_path, params_of(callbacks=[{**stopping, "divergence": 1e9}]))
    assert [n for n, _ in read_history(result.folder).values("mean_accuracy")] == [1]
    assert [n for n, _ in read_history(result.folder).values("test_mean_accuracy")] == [1]


class BreakingLoop(own_loops.RestoringTrain):
    @attach_progress_bar(own_loops.num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in iteration_context:
            self.move()
            self.log(iteration + 1, {"sum": self.sum_of_weights()})
            if iteration == 1:
                break


class ReturningLoop(own_loops.RestoringTrain):
    @attach_progress_bar(own_loops.num_iterations)
    def _run_train_loop(self, iteration_context):
        for iteration in range(iteration_context.first, own_loops.num_iterations(self)):
            self.move()
            self.log(iteration + 1, {"sum": self.sum_of_weights()})
            if iteration == 1:
                self.context.stop("good enough")
                return
            iteration_context.step()


@pytest.mark.parametrize("cls", [BreakingLoop, ReturningLoop])
def test_an_iteration_that_was_logged_is_complete_if_the_loop_is_left_then(tmp_path, use, cls):
    use(cls)
    events = Events()
    result = run(tmp_path, params_of(eval_every=2), events)
    assert events.seen[-4:-1] == ["<1", "1>", "c2"]
    history = read_history(result.folder)
    assert [n for n, _ in history.values("sum")] == [1, 2]
    assert history.values("test_sum") == [(2, history.latest("sum"))]
    state = state_of(result.folder)
    assert state["context"]["iteration"] == 2
    weights = [t for a in state["agents"].values() for p in a.values() for t in p.values()]
    assert sum(float(t.sum()) for t in weights) == pytest.approx(history.latest("sum"), rel=1e-5)


def test_a_warm_up_is_logged_as_iteration_0(tmp_path, use):
    class Warm(own_loops.RestoringTrain):
        number = 0

        def train(self):
            self.restore()
            for iteration in range(3):
                self.move()
                self.log(self.number * (iteration + 1), {"warm": 1.0})
            self._run_train_loop()

    use(Warm)
    history = read_history(run(tmp_path, params_of(), run_id="zero").folder)
    assert [n for n, _ in history.values("sum")] == [1, 2, 3, 4]
    Warm.number = 1
    message = r"logged metrics of 3 iterations before _run_train_loop.*as iteration 0"
    with pytest.raises(ParameterError, match=message):
        run(tmp_path, params_of(), run_id="one")
