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


def test_the_text_benchmark_writes_its_figures(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    script = repository / "benchmarks" / "bench_text.py"
    sizes = (
        "--rollouts 4 --rounds 3 --repeats 1 --latency 0.001 --http-latency 0.01 "
        "--concurrency 8 200 --http-concurrency 50 --memory-rollouts 20"
    )
    command = [sys.executable, str(script), "--json", str(path), *sizes.split()]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=240, stdout=subprocess.DEVNULL)
    figures = json.loads(path.read_text())
    for name in (
        "makespan_ratio_c8",
        "makespan_ratio_c200",
        "own_ms_per_message",
        "tree_ratio",
        "http_ratio_c50",
        "cpu_ms_per_call_c50",
        "kb_per_rollout",
    ):
        assert figures[name] > 0, name
    assert "rss_growth_mb" in figures
