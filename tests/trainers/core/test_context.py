"""What callbacks ask for survives an interruption, and where they are is always true."""

import pytest
import torch

from nip.run import run_experiment
from nip.run_store import read_history
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_settings, make_trainer


class RolloutRequest(Callback):
    """Asks for an evaluation when the first iteration is over, and may be interrupted after it."""

    def __init__(self, *, is_interrupted=False):
        self.is_interrupted = is_interrupted

    def on_iteration_end(self, context):
        if context.iteration == 0:
            context.request_evaluation()

    def on_iteration_start(self, context):
        if context.iteration == 1 and self.is_interrupted:
            raise KeyboardInterrupt


def test_an_evaluation_that_was_asked_for_comes_also_after_an_interruption(tmp_path):
    def run(folder, callback):
        return run_experiment(
            make_params(rl={"num_iterations": 3}),
            run_id="run",
            settings=make_settings(folder),
            components=TrainerComponents(callbacks=[callback]),
        )

    straight = run(tmp_path / "straight", RolloutRequest())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", RolloutRequest(is_interrupted=True))
    resumed = run(tmp_path / "resumed", RolloutRequest())
    expected = read_history(straight.folder)
    assert [i for i, _ in expected.values("test_mean_accuracy")] == [2, 3]
    assert read_history(resumed.folder).to_dict() == expected.to_dict()


def test_outside_of_stages_there_is_none_also_after_a_loss_that_is_not_finite():
    stages = []

    class Look(Callback):
        def on_iteration_end(self, context):
            stages.append(context.stage)

    trainer = make_trainer(make_params(update_step={"on_non_finite": "stop"}))
    trainer.use(
        TrainerComponents(
            callbacks=[Look()], loss_terms=[(1.0, lambda *_: torch.tensor(float("nan")))]
        )
    )
    trainer.train()
    assert stages == [""]


def test_the_latest_metrics_are_known_again_after_an_interruption(tmp_path):
    class Look(Callback):
        def __init__(self, fails_at=None):
            self.seen, self.fails_at = {}, fails_at

        def on_iteration_start(self, context):
            if context.iteration == self.fails_at:
                raise KeyboardInterrupt
            self.seen[context.iteration] = dict(context.metrics), context.metrics_iteration

    def run(folder, callback):
        run_experiment(
            make_params(rl={"num_iterations": 3}, eval_every=2),
            run_id="run",
            settings=make_settings(folder),
            components=TrainerComponents(callbacks=[callback]),
        )
        return callback.seen

    expected = run(tmp_path / "straight", Look())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", Look(fails_at=2))
    assert "test_mean_accuracy" in expected[2][0] and expected[2][1] == 2
    assert run(tmp_path / "resumed", Look()) == {2: expected[2]}
