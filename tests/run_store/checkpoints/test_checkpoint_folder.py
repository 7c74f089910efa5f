"""Saving, loading and pruning of checkpoints, and detection of damage."""

import os

import pytest
import torch

from nip.errors import NipWarning, ResumeError
from nip.run_store import Checkpoint
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from tests.other_users import as_other_user, open_to_others


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints")


def checkpoint(iteration, value=None, **state):
    value = float(iteration) if value is None else value
    return Checkpoint(iteration, {"agent": {"weight": torch.full((2, 3), value)}}, state)


def saved_weight(folder):
    return folder.load_latest().tensors["agent"]["weight"][0, 0].item()


def test_without_checkpoints_there_is_none(folder):
    assert folder.load_latest() is None
    assert folder.iterations() == []


def test_latest_is_by_number_not_by_name(folder):
    for iteration in (9, 10, 1_000_000, 999_999):
        folder.save(checkpoint(iteration))
    assert folder.iterations() == [9, 10, 999_999, 1_000_000]
    assert folder.load_latest().iteration == 1_000_000


def test_pruning_keeps_the_newest(folder):
    for iteration in (8, 9, 10, 11):
        folder.save(checkpoint(iteration))
    folder.prune(keep_last=2)
    assert folder.iterations() == [10, 11]
    assert sorted(os.listdir(folder.folder)) == ["iteration_000010", "iteration_000011"]
    folder.prune(keep_last=2)
    assert folder.iterations() == [10, 11]


def test_pruning_keeps_what_the_user_has_write_protected(tmp_path, folder):
    open_to_others(tmp_path / "checkpoints")
    folder.folder.mkdir()
    folder.folder.chmod(0o777)

    def save_three_and_protect_the_first():
        for iteration in (1, 2, 3):
            folder.save(checkpoint(iteration))
        folder.path(1).chmod(0o555)
        folder.prune(keep_last=1)
        folder.save(checkpoint(4))
        return [folder.load_latest().iteration, sorted(os.listdir(folder.folder))]

    names = [f"iteration_00000{number}" for number in (1, 3, 4)]
    assert as_other_user(save_three_and_protect_the_first) == [4, names]


def test_saving_an_iteration_again_replaces_it(folder):
    folder.save(checkpoint(3, 1.0))
    folder.save(checkpoint(3, 2.0))
    assert saved_weight(folder) == 2.0
    assert os.listdir(folder.folder) == ["iteration_000003"]


def test_half_made_checkpoints_are_ignored_and_cleared_away(folder):
    folder.save(checkpoint(1))
    for name in (".iteration_000002.saving", ".iteration_000000.removing"):
        (folder.folder / name).mkdir()
        (folder.folder / name / "agent.safetensors").write_bytes(b"half")
    assert folder.iterations() == [1]
    assert folder.load_latest().iteration == 1
    folder.save(checkpoint(2))
    assert sorted(os.listdir(folder.folder)) == ["iteration_000001", "iteration_000002"]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "flipped bit": lambda path: flip_a_bit(path / "agent.safetensors"),
    "file cut off": lambda path: os.truncate(path / "agent.safetensors", 20),
    "file missing": lambda path: (path / "agent.safetensors").unlink(),
    "state changed": lambda path: (path / "state.json").write_text('{"step": 7}'),
    "manifest cut off": lambda path: os.truncate(path / "manifest.json", 30),
    "manifest empty": lambda path: (path / "manifest.json").write_text("{}"),
    "manifest missing": lambda path: (path / "manifest.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_with_a_warning_and_the_one_before_used(folder, damage):
    for iteration in (1, 2):
        folder.save(checkpoint(iteration, step=iteration))
    damage(folder.path(2))
    with pytest.warns(NipWarning, match=r"iteration_000002 is damaged.*iteration_000002\.damaged"):
        loaded = folder.load_latest()
    assert (loaded.iteration, loaded.state) == (1, {"step": 1})
    assert sorted(os.listdir(folder.folder)) == ["iteration_000001", "iteration_000002.damaged"]
    folder.save(checkpoint(2))
    assert folder.load_latest().iteration == 2


def test_if_all_are_damaged_the_run_does_not_begin_anew_in_silence(folder):
    for iteration in (1, 2):
        folder.save(checkpoint(iteration))
        flip_a_bit(folder.path(iteration) / "agent.safetensors")
    with pytest.raises(
        ResumeError, match=r"(?s)iteration_000002.*iteration_000001.*another run_id"
    ):
        folder.load_latest()
    assert folder.iterations() == [1, 2]
