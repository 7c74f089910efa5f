"""Checkpoints in the layout before format 2: resumed, and read entry by entry."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nip.parameters import HyperParameters
from nip.rl_objectives import joint_frames
from nip.run_store import Checkpoint, Run
from nip.run_store.checkpoints.checkpoint_folder import read_intact
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from nip.trainers.tensor.weights.saved_models import load_model
from nip.trainers.tensor.weights.state_splitting import split_state
from tests.experiments import make_instance, make_settings, same_tensors

STORED = Path(__file__).parent / "old_checkpoints"
TREES = json.loads((STORED / "hyper_params.json").read_text())

# On the machine that wrote the files the numbers are the same in every bit. Another processor may
# add in another order, and errors of 2^-24 grow over two iterations of Adam.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(params=sorted(TREES))
def name(request):
    return request.param


@pytest.fixture
def trainer(name, tmp_path):
    """A trainer of the stored run, which has only the old checkpoint."""
    params, settings = HyperParameters.from_dict(TREES[name]), make_settings(tmp_path)
    with Run.open(settings, "old", params.to_dict()) as run:
        source = STORED / name / "iteration_000002"
        shutil.copytree(source, run.folder / "checkpoints" / source.name)
        yield build_trainer(params, make_instance(params), settings, run)


def test_a_resumed_run_ends_like_the_uninterrupted_run_that_wrote_it(trainer, name, monkeypatch):
    # Then the advantage of a single turn in a minibatch was normalised, to 0.
    def never(num_turns: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(num_turns, dtype=torch.bool)

    monkeypatch.setattr(joint_frames, "is_single_turn", never)
    trainer.train()
    expected = load_file(STORED / name / "weights.safetensors")
    weights = trainer.agents.state_dict()
    assert weights.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(weights[key], value, **TOLERANCE, msg=key)
    metrics = json.loads((STORED / name / "metrics.json").read_text())
    later = {f"{agent}.single_turn_share" for agent in trainer.agents.names}
    assert set(metrics) == set(trainer.history.names()) - later
    for metric, values in metrics.items():
        found = trainer.history.values(metric)
        assert [iteration for iteration, _ in found] == [iteration for iteration, _ in values]
        for (_, value), (_, expected_value) in zip(found, values, strict=True):
            assert value == pytest.approx(expected_value, rel=1e-4, abs=1e-5), metric


def test_all_of_its_state_is_in_the_trainer_after_loading(trainer, name):
    stored = checkpoint_state(read_intact(STORED / name / "iteration_000002"))
    trainer.setup()
    files, document = split_state(trainer.state_dict())
    expected_files, expected = split_state(stored)
    assert document == json.loads(json.dumps(expected))
    for file, tensors in expected_files.items():
        assert same_tensors(files[file], tensors), file
    assert trainer.context.iteration == 2
    trainer.close()


def test_its_weights_can_be_loaded_like_a_saved_model(name):
    instance = make_instance(HyperParameters.from_dict(TREES[name]))
    load_model(STORED / name / "iteration_000002", instance.agents, instance.normalizer)
    stored = load_file(STORED / name / "iteration_000002" / "verifier.body.safetensors")
    assert same_tensors(instance.agents.agents["verifier"].body.state_dict(), stored)


def test_files_of_other_ranks_and_of_users_trainers_keep_their_names():
    one, two, three = (torch.tensor([float(number)]) for number in (1, 2, 3))
    rollouts = {
        "state.round": one,
        "data.order.remainder": two,
        "data.episode_seeds": three,
        "episode_reward": one,
    }
    nested = {
        "state": {"round": one},
        "environment": {"order": {"remainder": two}, "episode_seeds": three},
        "episode_reward": one,
    }
    state = checkpoint_state(
        Checkpoint(
            iteration=5,
            tensors={
                "rank_1.rollouts": rollouts,
                "rank_1.generators": {"cpu": one},
                "rollouts": rollouts,
                "my_file": {"mine": two},
                "rank.body": {"weight": three},
            },
            state={"my_number": 7},
        )
    )
    assert state == {
        "my_number": 7,
        "agents": {"rank": {"body": {"weight": three}}},
        "rank_1": {"collector": nested, "generators": {"cpu": one}},
        "collector": nested,
        "my_file": {"mine": two},
    }
