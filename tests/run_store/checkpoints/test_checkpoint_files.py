"""The files of a checkpoint: all tensors and states are restored exactly."""

import errno
import json
import math
import os
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import StorageError
from nip.run_store import Checkpoint
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from tests.small_disks import small_disk

# Without the types that torch itself cannot copy: quantized ones, and those narrower than a byte.
NO_TENSORS = re.compile(r"torch\.(q|bits|uint[1-7]$|int[1-7]$)")


DTYPES = sorted(
    {
        value
        for value in vars(torch).values()
        if isinstance(value, torch.dtype) and not NO_TENSORS.match(str(value))
    },
    key=str,
)


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints")


def bytes_of(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_of_tensor_comes_back_bit_for_bit(folder, dtype):
    random_bytes = torch.randint(0, 256, (6 * 16,), dtype=torch.uint8)
    if dtype == torch.bool:
        random_bytes = random_bytes % 2
    tensor = random_bytes.view(dtype).reshape(2, 3, -1)
    scalar = tensor.reshape(-1)[0].clone()
    folder.save(Checkpoint(1, {"all": {"tensor": tensor, "scalar": scalar}}, {}))
    loaded = folder.load_latest().tensors["all"]
    assert loaded["tensor"].dtype == loaded["scalar"].dtype == dtype
    assert loaded["tensor"].shape == tensor.shape
    assert loaded["scalar"].shape == ()
    assert bytes_of(loaded["tensor"]) == bytes_of(tensor)
    assert bytes_of(loaded["scalar"]) == bytes_of(scalar)


def test_tensors_of_every_layout_come_back(folder):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "transposed": base.T,
        "strided": base[:, ::2],
        "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
        "shared": base,
        "shared again": base,
        "part of shared": base[1],
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "empty": torch.empty(0, 5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "name.with/odd signs": torch.tensor(True),
    }
    folder.save(Checkpoint(1, {"all": tensors, "nothing": {}}, {}))
    loaded = folder.load_latest().tensors
    assert loaded["nothing"] == {}
    assert loaded["all"].keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded["all"][name], tensor), name
    loaded["all"]["shared"][0, 0] = 99
    assert loaded["all"]["shared again"][0, 0] == 0


def test_a_generator_goes_on_as_if_nothing_had_happened(folder):
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    folder.save(Checkpoint(1, {"generators": {"data": generator.get_state()}}, {}))
    expected = torch.rand(4, generator=generator)
    revived = torch.Generator()
    revived.set_state(folder.load_latest().tensors["generators"]["data"])
    assert torch.equal(torch.rand(4, generator=revived), expected)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(state=st.dictionaries(st.text(), PLAIN, max_size=4))
def test_states_come_back_equal(tmp_path_factory, state):
    folder = CheckpointFolder(tmp_path_factory.mktemp("run") / "checkpoints")
    folder.save(Checkpoint(0, {}, state))
    loaded = folder.load_latest().state
    assert loaded == state
    assert repr(loaded) == repr(state)  # 1 and 1.0 and True are equal, but not the same


def test_infinities_and_nan_in_the_state_come_back(folder):
    folder.save(Checkpoint(1, {}, {"best": -math.inf, "last": math.nan}))
    state = folder.load_latest().state
    assert state["best"] == -math.inf
    assert math.isnan(state["last"])


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"optimizer": {"state": {0: 1.0}}}, r"state\.optimizer\.state has the key 0 of type int"),
        ({"a": [1, {2, 3}]}, r"state\.a\[1\] is of type builtins\.set"),
        ({"a": torch.tensor(1)}, r"state\.a is of type torch\.Tensor"),
    ],
)
def test_a_state_that_json_would_change_is_refused_and_nothing_written(folder, state, complaint):
    with pytest.raises(TypeError, match=complaint):
        folder.save(Checkpoint(1, {}, state))
    assert folder.load_latest() is None


def test_a_manifest_tells_what_the_checkpoint_consists_of(folder):
    folder.save(Checkpoint(1, {"agent": {"weight": torch.ones(2)}}, {}))
    manifest = json.loads((folder.path(1) / "manifest.json").read_text())
    assert manifest["iteration"] == 1
    assert set(manifest["files"]) == {"agent.safetensors", "state.json"}


def checkpoint_of(num_bytes, iteration=1):
    return Checkpoint(iteration, {"a": {"w": torch.ones(num_bytes, dtype=torch.uint8)}}, {})


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_one_before_and_no_file(tmp_path):
    with small_disk(tmp_path / "disk", 400) as (disk, resize):
        folder = CheckpointFolder(disk / "checkpoints")
        folder.save(checkpoint_of(100_000))
        with pytest.raises(StorageError, match=r"iteration_000002.*: No space left on device"):
            folder.save(checkpoint_of(1_000_000, iteration=2))
        assert sorted(path.name for path in folder.folder.iterdir()) == ["iteration_000001"]
        assert folder.load_latest().iteration == 1
        resize(4000)
        folder.save(checkpoint_of(1_000_000, iteration=2))
        assert folder.load_latest().iteration == 2


@pytest.mark.parametrize("number", range(1, 6))
def test_a_checkpoint_that_cannot_be_flushed_leaves_the_one_before(folder, monkeypatch, number):
    folder.save(checkpoint_of(10))
    calls, fsync = [], os.fsync

    def fail_once(descriptor):
        calls.append(descriptor)
        if len(calls) == number:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(StorageError, match="Input/output error"):
        folder.save(checkpoint_of(10, iteration=2))
    monkeypatch.undo()
    # The last flush is that of the folder, after the new checkpoint has its name.
    assert folder.load_latest().iteration == (1 if number < 5 else 2)
    folder.save(checkpoint_of(10, iteration=2))
    assert folder.iterations() == [1, 2]


def test_others_may_read_the_files_that_the_umask_lets_them_read(folder):
    old_mask = os.umask(0o027)
    try:
        folder.save(checkpoint_of(10))
    finally:
        os.umask(old_mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.path(1).iterdir()}
    assert modes == dict.fromkeys(("a.safetensors", "manifest.json", "state.json"), 0o640)
