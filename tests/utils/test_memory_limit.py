"""The memory that a process can use, and the message about what needs more."""

from pathlib import Path

import pytest

from nip.utils import memory_limit as module
from nip.utils.memory_limit import MemoryNeed, memory_limit, problem_with_memory

GB = 10**9


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have 64 GB of memory, and no resource limits."""
    monkeypatch.setattr(module, "_machine_bytes", lambda: 64 * GB)
    monkeypatch.setattr(module, "_resource_limits", lambda: iter(()))


def write(root: Path, **files: str) -> None:
    """Write files of the kernel, named with ``__`` for ``/``."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_swap_space_counts(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) == 64 * GB
    write(tmp_path, proc__meminfo="MemTotal: 1 kB\nSwapTotal:        2000000 kB\n")
    assert memory_limit(tmp_path) == 64 * GB + 2_048_000_000


def test_the_smallest_limit_of_the_control_groups_counts(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="0::/job/step\n")
    assert memory_limit(tmp_path) == 64 * GB
    group = tmp_path / "sys/fs/cgroup/job"
    (group / "step").mkdir(parents=True)
    (group / "step/memory.max").write_text("max\n")
    assert memory_limit(tmp_path) == 64 * GB
    (group / "memory.max").write_text(f"{8 * GB}\n")
    assert memory_limit(tmp_path) == 8 * GB


def test_control_groups_of_the_first_version_are_read(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="5:cpu:/a\n4:memory:/job\n")
    write(tmp_path, sys__fs__cgroup__memory__job="")
    (tmp_path / "sys/fs/cgroup/memory/job").unlink()
    write(tmp_path, **{"sys__fs__cgroup__memory__memory.limit_in_bytes": str(4 * GB)})
    assert memory_limit(tmp_path) == 4 * GB


def test_what_fits_together_is_not_refused() -> None:
    needs = [MemoryNeed("a", {"x": 1}, GB), MemoryNeed("b", {"y": 1}, GB)]
    assert problem_with_memory(needs, 2 * GB) is None
    assert problem_with_memory([], 0) is None


def test_the_message_names_parts_that_matter_with_their_options() -> None:
    needs = [
        MemoryNeed("a batch", {"rl.frames_per_batch": 10**12, "message_size": 1}, 8 * 10**12),
        MemoryNeed("the representation", {"d_representation": 16}, 1024),
    ]
    assert problem_with_memory(needs, 16 * GB) == (
        "There is not enough memory: a batch takes at least 8 TB with "
        "rl.frames_per_batch=1000000000000 and message_size=1. At most 16 GB can be used here. "
        "Lower these options, or choose a machine with more memory."
    )


def test_sizes_beyond_all_units_are_written_too() -> None:
    message = problem_with_memory([MemoryNeed("a", {"x": 1}, 10**40)], GB)
    assert message is not None
    assert "1e+22 EB" in message
