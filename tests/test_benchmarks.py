"""The benchmark runs and writes its figures; how large they are is no matter for a test."""

import json
import subprocess
import sys
from pathlib import Path


def test_the_tensor_benchmark_writes_its_figures(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    script = repository / "benchmarks" / "bench_tensor.py"
    command = [sys.executable, str(script), "--json", str(path), "--rounds", "1"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=240, stdout=subprocess.DEVNULL)
    figures = json.loads(path.read_text())
    for name in ("frames_per_s", "update_ratio", "collect_ratio", "peak_mb"):
        assert figures[name] > 0, name
