"""Files of whole runs: checkpoints, tables and curves, weights, rollouts."""

import csv
import json
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nip.errors import DivergenceError
from nip.run import run_experiment
from nip.run_store import read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.trainers.core.components import TrainerComponents
from nip.trainers.tensor.rollout_samples import load_rollouts, save_rollouts
from nip.trainers.trainer_base import IterationContext, TensorDictTrainer, attach_progress_bar
from tests.end_to_end.layer_runs import TRAINERS, ScriptedMetric, params_for, train, weights
from tests.experiments import make_instance, make_settings, make_trainer, same_tensors

each_trainer = pytest.mark.parametrize("trainer", TRAINERS)


@pytest.fixture(autouse=True)
def no_pictures():
    """Skip drawing learning curves, which other tests check."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        yield


def run(folder, params, settings=None, **components):
    """Run with parts exchanged, and return the result."""
    settings = make_settings(folder, **(settings or {}))
    parts = TrainerComponents(**components)
    return run_experiment(params, run_id="run", settings=settings, components=parts)


# ---- 10: retention


@each_trainer
def test_the_newest_the_permanent_and_the_best_of_12_checkpoints_stay(trainer, tmp_path):
    params = params_for(
        trainer,
        num_iterations=12,
        eval_every=1,
        callbacks=[{"name": "best_checkpoint", "monitor": "test_mean_accuracy"}],
    )
    metric = ScriptedMetric(0.1, 0.2, 0.9, 0.3)
    settings = {"max_checkpoints": 2, "permanent_every": 5}
    result = run(tmp_path, params, settings, evaluate=metric)
    checkpoints = CheckpointFolder(result.folder / "checkpoints")
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == [
        "best.json",
        *(f"iteration_0000{number:02d}" for number in (3, 5, 10, 11, 12)),
    ]
    assert checkpoints.find("latest").name == "iteration_000012"
    assert checkpoints.find("best").name == "iteration_000003" == result.best_checkpoint.name
    latest = checkpoints.load_latest()
    assert latest is not None and latest.iteration == 12
    assert json.loads((checkpoints.folder / "best.json").read_text()) == {
        "iteration": 3,
        "metric": "test_mean_accuracy",
        "value": 0.9,
    }


# ---- 13: loggers


def read_curves(folder):
    """Return the (step, value) pairs of each tag, as TensorBoard itself reads them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_three_loggers_together_tell_the_same(tmp_path, monkeypatch):
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("WANDB_SILENT", "true")
    callbacks = ["csv", "tensorboard", {"name": "wandb", "mode": "offline"}]
    params = params_for("reinforce", num_iterations=3, eval_every=2, callbacks=callbacks)
    folder = run(tmp_path, params).folder
    history = read_history(folder).to_dict()
    assert len(history["test_mean_accuracy"]) == 2

    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["1", "2", "3"]
    table = {
        name: [(int(row["iteration"]), float(row[name])) for row in rows if row[name]]
        for name in rows[0]
        if name != "iteration"
    }
    assert table == history

    curves = read_curves(folder / "tensorboard")
    assert curves.keys() == history.keys()
    for name, points in curves.items():
        assert points == [(step, pytest.approx(value, 1e-6)) for step, value in history[name]]
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps))

    from tests.trainers.callbacks.wandb_file import read_history as read_wandb

    (path,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    sent = read_wandb(path)
    assert [row["_step"] for row in sent] == [1, 2, 3]
    for name, points in history.items():
        assert [(row["_step"], row[name]) for row in sent if name in row] == points


# ---- 14: a trainer of one's own


class Drawing(TensorDictTrainer):
    num_train_iterations = 3

    def _set_up(self):
        self.gradients = {"train": torch.is_grad_enabled()}

    @attach_progress_bar(lambda self: 2)
    def _start_fresh(self, iteration_context: IterationContext):
        iteration_context.step(iteration_context.total)

    def _run_iteration(self, iteration):
        return {"draw": torch.rand(()).item()}

    def _evaluate(self, split, on_batch):
        self.gradients[split] = torch.is_grad_enabled() or self.agents.training
        return {"accuracy": 0.5}


def test_a_trainer_of_ten_lines_has_everything(tmp_path, capsys):
    params = params_for("reinforce", eval_every=2, callbacks=["csv"])
    instance = make_instance(params)
    quiet, loud = make_settings(tmp_path), make_settings(tmp_path, progress=True)
    built = Drawing(params, instance, loud)
    # Two to warm up, three to train, one to test.
    assert built.num_iterations == 6
    with pytest.warns(match="'csv' writes nothing"):
        built.train()
    assert built.gradients == {"train": True, "test": False}
    assert torch.is_grad_enabled()
    draws = built.history.values("draw")
    assert [iteration for iteration, _ in draws] == [1, 2, 3]
    assert built.history.values("test_accuracy") == [(2, 0.5), (3, 0.5)]
    assert "Training: 3/3" in capsys.readouterr().out
    again = Drawing(params, instance, quiet)
    with pytest.warns(match="'csv' writes nothing"):
        again.train()
    assert again.history.values("draw") == draws


# ---- 15: rollouts


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "reinforce"])
def test_16_rollouts_of_seed_42_are_the_same_twice_and_when_read_back(trainer, tmp_path):
    plain = train(params_for(trainer, protocol="nip"))
    built = make_trainer(params_for(trainer, protocol="nip"))
    built.setup()
    built.train_iteration()
    first = built.sample_rollouts(16, seed=42)
    second = built.sample_rollouts(16, seed=42)
    save_rollouts(tmp_path / "rollouts.safetensors", first)
    read = load_rollouts(tmp_path / "rollouts.safetensors")
    for other in (second, read):
        assert other.batch_size == first.batch_size
        assert first.batch_size[0] == 16
        assert same_tensors(flat(first), flat(other))
    assert not same_tensors(flat(first), flat(built.sample_rollouts(16, seed=43)))
    built.train_iteration()
    built.close()
    assert same_tensors(weights(plain), weights(built))
    # Other agents play the same questions otherwise.
    later = built.sample_rollouts(16, seed=42)
    assert torch.equal(later["y"][:, 0], first["y"][:, 0])
    assert not same_tensors(flat(first), flat(later))


def flat(rollouts):
    return {
        "/".join(key) if isinstance(key, tuple) else key: value for key, value in items(rollouts)
    }


def items(rollouts):
    return [(key, rollouts[key]) for key in rollouts.keys(True, True)]


# ---- 17: what is no number, in a run


@each_trainer
def test_a_run_that_diverges_fails_or_stops_as_it_is_told(trainer, tmp_path):
    def poison(batch, context):
        return torch.tensor(float("nan") if context.iteration == 1 else 0.0)

    terms = [(1.0, poison)]
    with pytest.raises(DivergenceError, match="loss_poison"):
        run(tmp_path / "raise", params_for(trainer, num_iterations=3), loss_terms=terms)
    failed = tmp_path / "raise" / "run"
    result = json.loads((failed / "result.json").read_text())
    assert result["status"] == "failed"
    assert result["error"].startswith("DivergenceError: loss_poison became nan in iteration 2")
    assert checkpoints_of(failed) == [1]

    stops = params_for(trainer, num_iterations=3, update_step={"on_non_finite": "stop"})
    stopped = run(tmp_path / "stop", stops, loss_terms=terms)
    result = json.loads((stopped.folder / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["stopped"] == "loss_poison became nan in iteration 2"
    assert any(name.startswith("test_") for name in result["metrics"])
    # Both have the weights of the first iteration.
    assert checkpoints_of(stopped.folder)[-1] == 2
    before, after = (
        CheckpointFolder(folder / "checkpoints").load(which).tensors
        for folder, which in ((failed, 1), (stopped.folder, "latest"))
    )
    files = [file for file in before if file.startswith("agents.")]
    assert files
    for file in files:
        assert same_tensors(before[file], after[file])


def checkpoints_of(folder: Path) -> list[int]:
    return CheckpointFolder(folder / "checkpoints").iterations()


# ---- 18: weights


@each_trainer
def test_weights_in_a_fresh_instance_give_the_same_and_missing_ones_are_no_file(trainer, tmp_path):
    trained = train(params_for(trainer))
    trained.save_model(tmp_path / "model")
    fresh = make_trainer(params_for(trainer, seed=4))
    assert not same_tensors(weights(trained), weights(fresh))
    fresh.load_model(tmp_path / "model")
    assert same_tensors(weights(trained), weights(fresh))
    assert same_tensors(outputs(trained), outputs(fresh))
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match="no saved weights"):
            fresh.load_model(missing)
    lost = min((tmp_path / "model").glob("agents.verifier.*.safetensors"))
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=lost.name):
        fresh.load_model(tmp_path / "model")
    assert same_tensors(weights(trained), weights(fresh))


def outputs(trainer):
    """Return what all agents say to the first questions."""
    environment = trainer.scenario_instance.train_environment
    rows = torch.arange(4)
    state = environment.state_of(rows, torch.zeros_like(rows))
    observed = {name: value for name, value in state.items() if name not in ("y", "datapoint_id")}
    trainer.agents.eval()
    said = {}
    with torch.no_grad():
        for _, name, agent in trainer.agents:
            if trainer.trainer_type == "solo_agent":
                said[name] = agent.solo_logits(observed)
            else:
                output = agent(observed)
                said[name] = output.message_logits
    assert len({str(value.tolist()) for value in said.values()}) == len(said)
    return said
