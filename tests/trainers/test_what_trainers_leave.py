"""Files of a trainer: checkpoints, models, rollouts."""

import os

import pytest
import torch

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.pretrained import load_pretrained
from nip.run import run_experiment
from nip.run_store import read_history
from nip.trainers.core.checkpoint_clock import CheckpointClock
from nip.trainers.tensor.rollout_samples import load_rollouts, save_rollouts
from tests.experiments import make_params, make_settings, make_trainer, same_tensors
from tests.text_experiments import make_text_params

FROZEN = {"actor": 0.0, "critic": 0.0}


def iterations_kept(folder):
    names = sorted(os.listdir(folder / "checkpoints"))
    return [int(name.removeprefix("iteration_")) for name in names if name != "best.json"]


def test_twelve_iterations_leave_the_newest_the_permanent_and_the_best(tmp_path):
    best = {"name": "best_checkpoint", "monitor": "mean_accuracy"}
    params = make_params(rl={"num_iterations": 12}, callbacks=[best])
    settings = make_settings(tmp_path, max_checkpoints=2, permanent_every=5)
    result = run_experiment(params, run_id="r", settings=settings)
    accuracies = dict(read_history(result.folder).values("mean_accuracy"))
    first_best = min(i for i, value in accuracies.items() if value == max(accuracies.values()))
    assert iterations_kept(result.folder) == sorted({5, 10, 11, 12, first_best})
    assert result.best_checkpoint.name == f"iteration_{first_best:06d}"


def test_what_is_to_be_kept_for_good_is_saved_whatever_the_period():
    clock = CheckpointClock(period=3, permanent_every=4)
    assert [done for done in range(1, 13) if clock.is_due(done)] == [3, 4, 6, 8, 9, 12]


def test_a_model_comes_back_into_another_trainer_with_its_history(tmp_path):
    first, second = (make_trainer(make_params(seed=seed)) for seed in (1, 2))
    first.train()
    first.save_model(tmp_path / "model")
    second.load_model(tmp_path / "model")
    assert same_tensors(second.agents.state_dict(), first.agents.state_dict())
    assert second.history.to_dict() == first.history.to_dict()
    assert second.history.latest("mean_accuracy") == first.history.latest("mean_accuracy")
    one, other = (trainer.sample_rollouts(16, seed=42) for trainer in (first, second))
    save_rollouts(tmp_path / "rollouts.safetensors", one)
    again = load_rollouts(tmp_path / "rollouts.safetensors")
    for key in one.keys(True, True):
        assert torch.equal(one[key], other[key]), key
        assert torch.equal(one[key], again[key]), key
    first.save_pretrained(tmp_path / "pretrained")
    for _, name, agent in first.agents:
        loaded = load_pretrained(tmp_path / "pretrained" / name).agent
        assert same_tensors(loaded.state_dict(), agent.state_dict())


def test_a_loaded_agent_that_is_frozen_ends_as_it_was_in_the_other_run(tmp_path):
    settings = make_settings(tmp_path)
    teacher = run_experiment(make_params(seed=11), run_id="teacher", settings=settings)
    agent = {
        "load_checkpoint_and_parameters": True,
        "checkpoint_run_id": "teacher",
        "agent_lr_factor": FROZEN,
    }
    pupil = run_experiment(
        make_params(agents={"verifier": agent}), run_id="pupil", settings=settings
    )
    expected, found = (make_trainer(make_params()) for _ in range(2))
    expected.load_model(teacher.folder)
    found.load_model(pupil.folder)
    for _, name, agent in found.agents:
        theirs = expected.agents.agents[name].state_dict()
        assert same_tensors(agent.state_dict(), theirs) == (name == "verifier")


def test_language_models_of_a_provider_cannot_be_copied(tmp_path):
    trainer = make_trainer(make_text_params())
    trainer.scenario_instance.shared_model_groups["verifier"].model = ModelSpec("openai", "gpt")
    with pytest.raises(ParameterError, match="cannot be saved"):
        trainer.save_pretrained(tmp_path)
