"""Rows are taken from a batch as by indexing, but without importing symbolic shapes."""

import subprocess
import sys

import torch
from tensordict import TensorDict

from nip.utils.batch_rows import take_rows

PROGRAM = """
import sys
import nip, torch
from tensordict import TensorDict
from nip.utils.batch_rows import take_rows

batch = TensorDict({"x": torch.arange(3)}, [3])
assert take_rows(batch, torch.tensor([2, 0]))["x"].tolist() == [2, 0]
assert "torch.fx.experimental.symbolic_shapes" not in sys.modules
"""


def test_they_are_those_of_indexing() -> None:
    nested = TensorDict({"y": torch.randn(4, 2, 3)}, [4, 2])
    batch = TensorDict({"x": torch.randn(4, 2), "agents": nested}, [4, 2])
    for rows in (torch.tensor([3, 1, 3]), torch.empty(0, dtype=torch.long)):
        taken, expected = take_rows(batch, rows), batch[rows]
        assert taken.batch_size == expected.batch_size
        assert taken["agents"].batch_size == expected["agents"].batch_size
        assert bool((taken == expected).all())


def test_symbolic_shapes_are_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
